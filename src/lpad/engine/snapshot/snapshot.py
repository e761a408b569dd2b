"""What is known of a card, frozen when it was last read: all that the API shows without touching it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - msgspec reads the annotations when it runs

from lpad.engine.change.change import Failure  # noqa: TC001 - msgspec reads the annotations when it runs


class CardState(enum.StrEnum):
    """Whether the card can be worked with."""

    STARTING = "starting"
    READY = "ready"
    ABSENT = "absent"  # no way to it; lpad looks again by itself, and with the next change
    FAULTY = "faulty"  # it answers, but not as a card must; or lpad fails on it


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A profile's operator: MCC and MNC as digits, group IDs as hex."""

    mcc_mnc: str
    gid1: str | None = None
    gid2: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationAddress:
    """A server that is told of some of a profile's events."""

    address: str
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A profile on a card, or one that a server offers (without state and AID)."""

    iccid: str
    state: str | None = None
    profile_class: str = "operational"
    name: str | None = None
    provider: str | None = None
    nickname: str | None = None
    isdp_aid: str | None = None
    icon_type: str | None = None
    owner: Owner | None = None
    policy_rules: tuple[str, ...] = ()
    notification_addresses: tuple[NotificationAddress, ...] = ()

    @property
    def enabled(self) -> bool:
        """Whether it is the one in use."""
        return self.state == "enabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Icon:
    """A profile's picture: `media_type` is image/png or image/jpeg."""

    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What EUICCInfo2's extCardResource says; bytes, and None where the card does not tell."""

    free_non_volatile: int | None = None
    free_volatile: int | None = None
    installed_applications: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateIssuer:
    """A CI that the card names: `name` None where it is not known; `test` for one known to be for tests."""

    key_id: str
    name: str | None = None
    test: bool = False
    verification: bool = False
    signing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CardInfo:
    """What the card says of itself; CI key identifiers as hex, highest priority first."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The servers that the card names, and the one that the settings put in the place of the first."""

    default_smdp: str | None = None
    root_smds: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A card as it was when it was last read; `read_at` None means never."""

    name: str
    transport: str
    state: CardState = CardState.STARTING
    error: Failure | None = None
    eid: str | None = None
    imei: str | None = None
    info: CardInfo | None = None
    addresses: Addresses | None = None
    profiles: tuple[Profile, ...] = ()
    read_at: datetime | None = None

    def profile(self, iccid: str) -> Profile | None:
        """Return the profile with this ICCID, in canonical digits."""
        return next((profile for profile in self.profiles if profile.iccid == iccid), None)
