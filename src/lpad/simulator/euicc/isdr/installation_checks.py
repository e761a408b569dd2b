"""A card's checks of a profile before it is installed (SGP.22 v2.5, 5.5.3 and 5.5.5)."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

from lpad.base.errors import LpadError, MalformedError
from lpad.base.identifiers import Iccid
from lpad.simulator.euicc.isdr.euicc_information import rat_rows
from lpad.simulator.euicc.isdr.profiles import OPERATIONAL, PROVISIONING, TEST
from lpad.simulator.euicc.isdr.rules_authorisation_check import (
    PPR1_NO_DISABLING,
    bits_of,
    has_wildcard,
    mcc_mnc_digits,
    rat_allows,
)

if TYPE_CHECKING:
    from lpad.simulator.euicc.chip.euicc_contents import Chip
    from lpad.simulator.profile_package.saip import UnprotectedProfile

_LONGEST_PROVIDER = 32
_LONGEST_NAME = 64
_LARGEST_ICON = 1024


class Command(IntEnum):
    """BppCommandId: the command during which the installation failed."""

    INITIALISE_SECURE_CHANNEL = 0
    CONFIGURE_ISDP = 1
    STORE_METADATA = 2
    STORE_METADATA_2 = 3
    REPLACE_SESSION_KEYS = 4
    LOAD_PROFILE_ELEMENTS = 5


class Reason(IntEnum):
    """ErrorReason of ProfileInstallationResult."""

    INCORRECT_INPUT = 1
    INVALID_SIGNATURE = 2
    INVALID_TRANSACTION_ID = 3
    UNSUPPORTED_CRT_VALUES = 4
    UNSUPPORTED_REMOTE_OPERATION = 5
    UNSUPPORTED_PROFILE_CLASS = 6
    STRUCTURE_ERROR = 7
    SECURITY_ERROR = 8
    ICCID_EXISTS = 9
    INSUFFICIENT_MEMORY = 10
    INTERRUPTION = 11
    PE_PROCESSING_ERROR = 12
    DATA_MISMATCH = 13
    INVALID_NAA_KEY = 14
    PPR_NOT_ALLOWED = 15
    UNKNOWN = 127


class InstallationError(LpadError):
    """The installation fails; `reason` and `command` are for its result."""

    kind = "simulated-installation"

    def __init__(
        self, sentence: str, reason: Reason, command: Command, sima_response: bytes | None = None
    ) -> None:
        """Create the error with a text for debugging, and the values for the result."""
        super().__init__(sentence)
        self.reason = reason
        self.command = command
        self.sima_response = sima_response


def check_metadata(chip: Chip, metadata: dict[str, Any]) -> None:
    """Check StoreMetadata against the card.

    Raises:
        InstallationError: a check failed; the error has the reason of the first one.
    """
    wrong = _metadata_fault(chip, metadata)
    if wrong is not None:
        raise InstallationError(f"metadata: {wrong.name}", wrong, Command.STORE_METADATA)


def check_package(chip: Chip, metadata: dict[str, Any], profile: UnprotectedProfile) -> None:
    """Check the loaded package against its metadata.

    Raises:
        InstallationError: a check failed; the error has the reason of the first one.
    """
    wrong = None
    if profile.ef_iccid != metadata["iccid"] or not _owner_agrees(metadata.get("profileOwner"), profile):
        wrong = Reason.DATA_MISMATCH
    elif (
        metadata["profileClass"] == TEST
        and chip.behaviour.test_profiles_need_test_keys
        and not profile.has_test_keys
    ):
        wrong = Reason.INVALID_NAA_KEY
    if wrong is not None:
        raise InstallationError(f"package: {wrong.name}", wrong, Command.LOAD_PROFILE_ELEMENTS)


def _metadata_fault(chip: Chip, metadata: dict[str, Any]) -> Reason | None:
    profile_class = metadata["profileClass"]
    icon = metadata.get("icon")
    if (
        len(metadata["serviceProviderName"].encode()) > _LONGEST_PROVIDER
        or len(metadata["profileName"].encode()) > _LONGEST_NAME
        or (icon is not None and ("iconType" not in metadata or len(icon) > _LARGEST_ICON))
        or not _iccid_readable(metadata["iccid"])
    ):
        return Reason.INCORRECT_INPUT
    if chip.state.profile(iccid=metadata["iccid"]) is not None:
        return Reason.ICCID_EXISTS
    supported = {PROVISIONING, OPERATIONAL} | ({TEST} if chip.behaviour.test_profiles else set())
    if profile_class not in supported:
        return Reason.UNSUPPORTED_PROFILE_CLASS
    return None if _pprs_allowed(chip, metadata) else Reason.PPR_NOT_ALLOWED


def _iccid_readable(iccid: bytes) -> bool:
    try:
        Iccid.from_bytes(iccid)
    except MalformedError:
        return False
    return True


def _pprs_allowed(chip: Chip, metadata: dict[str, Any]) -> bool:
    pprs = bits_of(metadata.get("profilePolicyRules")) - {0}
    if not pprs:
        return True
    owner = metadata.get("profileOwner")
    if owner is None or has_wildcard(owner):
        return False
    behaviour = chip.behaviour
    others = any(profile.profile_class == OPERATIONAL for profile in chip.state.profiles)
    if PPR1_NO_DISABLING in pprs and behaviour.ppr1_on_empty_card_only and others:
        return False
    rows = rat_rows(chip)
    return pprs.isdisjoint(behaviour.forbidden_pprs) and all(rat_allows(ppr, owner, rows) for ppr in pprs)


def _owner_agrees(owner: dict[str, Any] | None, profile: UnprotectedProfile) -> bool:
    """Return whether IMSI and group identifiers fit the owner; True if the owner or the IMSI is missing."""
    if owner is None or profile.imsi is None:
        return True
    return profile.imsi.startswith(mcc_mnc_digits(owner["mccMnc"])) and all(
        _group(owner.get(name)) == _group(own)
        for name, own in (("gid1", profile.gid1), ("gid2", profile.gid2))
    )


def _group(value: bytes | None) -> bytes:
    return (value or b"").rstrip(b"\xff")
