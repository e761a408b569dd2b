"""The last reading of a card, as an immutable record: all data that the API shows without using the card."""

from __future__ import annotations

import enum
from datetime import datetime  # noqa: TC003 - msgspec reads the annotations when it runs

from msgspec import Struct

from lpad.base.frozen import Frozen
from lpad.engine.change.change import Failure  # noqa: TC001 - msgspec reads the annotations when it runs
from lpad.engine.snapshot.profile import Profile, UnreadableProfile  # noqa: TC001 - msgspec reads it
from lpad.engine.snapshot.profile_list import ProfileList


class CardState(enum.StrEnum):
    """The states of a card."""

    STARTING = "starting"
    READY = "ready"
    ABSENT = "absent"  # lpad cannot reach the card, and retries automatically and with the next change
    FAULTY = "faulty"  # the card answers incorrectly, or an error in lpad prevents its use


class Icon(Frozen, kw_only=True):
    """A profile's icon; `media_type` is image/png or image/jpeg."""

    media_type: str
    data: bytes


class Memory(Frozen, kw_only=True):
    """The card's memory in bytes, and its number of applications (extCardResource); None: not reported."""

    free_non_volatile: int | None = None
    free_volatile: int | None = None
    installed_applications: int | None = None


class CertificateIssuer(Struct, frozen=True, kw_only=True):
    """A CI that the card names: `name` is None if unknown; `test` marks a known test CI."""

    key_id: str
    name: str | None = None
    test: bool = False
    verification: bool = False
    signing: bool = False


class CardInfo(Frozen, kw_only=True):
    """The card's information about itself; CI key identifiers as hex, highest priority first."""

    svn: str | None
    profile_version: str | None
    firmware: str | None
    memory: Memory
    ci_ids_for_verification: tuple[str, ...] = ()
    ci_ids_for_signing: tuple[str, ...] = ()
    certificate_issuers: tuple[CertificateIssuer, ...] = ()
    uicc_capability: tuple[str, ...] = ()
    rsp_capability: tuple[str, ...] = ()
    forbidden_policy_rules: tuple[str, ...] = ()
    globalplatform_version: str | None = None
    java_card_version: str | None = None
    category: str | None = None
    protection_profile_version: str | None = None
    sas_accreditation_number: str | None = None


class Addresses(Struct, frozen=True, kw_only=True):
    """The server addresses in the card: the default SM-DP+ and the root SM-DS."""

    default_smdp: str | None = None
    root_smds: str | None = None


class Snapshot(Frozen, kw_only=True):
    """A card at its last reading; `read_at` is None if the card was never read.

    `port_in_use` is the path of the modem's port through which lpad reaches the card. None means that the
    card is in a reader, or that lpad does not reach the card.
    """

    name: str
    transport: str
    state: CardState = CardState.STARTING
    error: Failure | None = None
    port_in_use: str | None = None
    eid: str | None = None
    imei: str | None = None
    info: CardInfo | None = None
    addresses: Addresses | None = None
    profiles: tuple[Profile, ...] = ()
    unreadable: tuple[UnreadableProfile, ...] = ()
    read_at: datetime | None = None

    @property
    def listed(self) -> ProfileList:
        """The card's list of profiles, with its unreadable entries."""
        return ProfileList(self.profiles, self.unreadable)
