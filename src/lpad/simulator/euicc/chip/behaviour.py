"""Differences between real eUICCs, and choices left open by the specifications, as data."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

import msgspec

from lpad.base.errors import InvalidValue
from lpad.base.identifiers import ISD_R
from lpad.simulator.pki.credential import Curve


class Answers(StrEnum):
    """The ways in which an answer with data reaches the terminal."""

    FETCHED = "61xx"
    """The card answers with 61xx, and the terminal sends GET RESPONSE, as in T=0."""
    AT_ONCE = "at-once"
    """One answer contains data and 9000, as with T=1 and many modems; 61xx announces the rest of a long
    answer."""
    CORRECTED = "6Cxx"
    """The card answers with 6Cxx and the right length, and the terminal repeats the command with that Le."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """An allowed operator in a rule of the Rules Authorisation Table."""

    mcc_mnc: str = "EEEEEE"
    """Five or six digits; E matches any digit."""
    gid1: str | None = ""
    """GID1 in hexadecimal; empty for any value, None for a profile owner without GID1."""
    gid2: str | None = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RatRule:
    """A rule of the Rules Authorisation Table (SGP.22 v2.5, 2.9.2.1)."""

    pprs: tuple[int, ...]
    """Bits of PprIds: 1 forbids disabling, 2 forbids deleting."""
    operators: tuple[Operator, ...] = (Operator(),)
    consent: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CardBehaviour:
    """A card's behaviour; the defaults are a standard card of SGP.22 version 2.

    The initial values (addresses, rules, the first number) apply when the card's folder is created.
    """

    answers: Answers = Answers.FETCHED
    portion: int = 256
    """The maximum number of data bytes in one answer."""
    channels: int = 3
    """Logical channels in addition to the basic one, up to 19."""
    first_channel: int = 1
    """The first assigned channel number; 5 leads to class bytes of 4x and Cx."""
    isdr_aid: str = str(ISD_R)
    isdr_on_basic_channel: bool = True
    isdr_on_logical_channels: bool = True
    """Whether ISD-R can be selected on channels other than the basic one; otherwise the card answers 6881."""
    select_refusals: dict[str, str] = field(default_factory=dict)
    """Status words for SELECT of unknown applications, by AID; 6A82 for unlisted ones."""
    es10_status: str = "9000"
    """Status word with which ISD-R refuses STORE DATA, like an eUICC of SGP.02; 9000: no refusal."""
    data_needs_le: bool = False
    """Whether only a STORE DATA with Le returns data; without Le, the card answers 9000 alone."""
    largest_chain: int = 256
    """The maximum number of STORE DATA blocks in one command: 255 or 256, depending on the source."""
    needs_terminal_capability: bool = False
    """Whether ISD-R answers 6985 until TERMINAL CAPABILITY has announced an LPA in the device."""
    terminal_capability_status: str = "9000"
    other_commands_while_loading: str = "9000"
    """Status word for commands that interrupt a profile's installation without ending it; 9000:
    the commands are carried out."""

    refresh_qualifier: int = 0x04
    """Mode of REFRESH: 04 UICC reset, 09 eUICC profile state change."""
    switch_waits_for_refresh: bool = True
    """Whether a switch with refresh takes effect only at TERMINAL RESPONSE or reset."""
    profiles_hidden_during_switch: bool = False
    """Whether GetProfilesInfo answers profileChangeOngoing until the switch takes effect (version 3.1)."""

    empty_optional_fields: bool = False
    """Whether unset values are returned empty instead of being omitted."""
    first_notification: int = 1
    """The first sequence number; 0 is legal too."""
    unknown_notification_is_error: bool = False
    """Whether a request for missing notifications is answered with noResultAvailable, not an empty list."""
    notification_capacity: int = 100
    """The maximum number of stored notifications; a further notification replaces the oldest."""
    error_ends_session: bool = False
    """Whether an error of AuthenticateServer or PrepareDownload ends the session."""
    session_ends_with_channel: bool = False
    keeps_one_time_keys: bool = True
    """Whether a retried download may use the one-time key of the previous attempt."""
    copies_unknown_parameters: bool = True
    """Whether ctxParams1 is returned unchanged; otherwise without the fields of SGP.22 v3."""

    rsp_version: int = 2
    """The major version of SGP.22; with 3, EUICCInfo1 and EUICCInfo2 report version 3."""
    svn: str = "2.2.2"
    memory: int = 400_000
    """Bytes of non-volatile memory for profiles."""
    test_profiles: bool = True
    test_profiles_need_test_keys: bool = True
    strict_files: bool = True
    """Whether files are refused if their directory, access rule or PIN is missing."""
    largest_segment: int = 1020
    """The maximum number of bytes of a protected segment, tag and length included (SGP.22 v2.5, 2.5.4); some
    servers send more. 0: any size is accepted."""
    unsupported_services: tuple[int, ...] = ()
    """Tags of eUICC-Mandatory-services that this card lacks, 0x80 to 0x98."""
    forbidden_pprs: tuple[int, ...] = ()
    ppr1_on_empty_card_only: bool = False
    """Whether a profile that cannot be disabled is refused next to another operational one."""
    verification_curves: tuple[Curve, ...] = (Curve.NIST, Curve.BRAINPOOL)
    """The curves of the CIs that the card trusts, preferred first; those without a CI in the PKI are
    skipped."""
    signing_curves: tuple[Curve, ...] = (Curve.NIST, Curve.BRAINPOOL)

    default_dp_address: str = ""
    root_ds_address: str = "testrootsmds.example.com"
    additional_root_ds_addresses: tuple[str, ...] = ()
    """Further root SM-DSs, as an SGP.22 v3 card may name them."""
    rat: tuple[RatRule, ...] = (RatRule(pprs=(1, 2)),)

    def __post_init__(self) -> None:
        if not 1 <= self.first_channel <= 19 or not 0 <= self.channels <= 20 - self.first_channel:
            raise InvalidValue("the channels of a card must be 1 to 19")
        if not 1 <= self.portion <= 256:
            raise InvalidValue("an answer must have 1 to 256 bytes")

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> CardBehaviour:
        """Create a behaviour from JSON or YAML values.

        Raises:
            InvalidValue: an unknown name or a value of the wrong type or range.
        """
        unknown = settings.keys() - {each.name for each in fields(cls)}
        if unknown:
            raise InvalidValue(f"a simulated card has no behaviour {', '.join(sorted(unknown))}")
        try:
            return msgspec.convert(settings, cls)
        except msgspec.ValidationError as error:
            raise InvalidValue(f"the simulated card's behaviour: {error}") from error
