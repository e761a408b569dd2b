"""An operator's description of a profile: StoreMetadata, owner, policy rules (SGP.22 v2.5, 5.5.3)."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from lpad.base.errors import MalformedError
from lpad.base.frozen import Frozen
from lpad.base.identifiers import Iccid, swap_nibbles
from lpad.codec.asn1 import broken_list, der, named_bits, tlv

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lpad.codec.asn1.named_bits import BitString

PPR_NAMES = ("pprUpdateControl", "ppr1", "ppr2")
PPR1 = "ppr1"  # disabling is not allowed
PPR2 = "ppr2"  # deletion is not allowed
UNREADABLE_RULES = "unreadable"


class ProfileClass(StrEnum):
    """The purpose of a profile."""

    TEST = "test"
    PROVISIONING = "provisioning"
    OPERATIONAL = "operational"
    UNKNOWN = "unknown"


class NotificationEvent(StrEnum):
    """The event that a notification reports; `UNKNOWN` if none of its bits is known."""

    INSTALL = "install"
    ENABLE = "enable"
    DISABLE = "disable"
    DELETE = "delete"
    UNKNOWN = "unknown"


_LARGEST = 16 * 1024
"""The maximum number of bytes of metadata that lpad accepts; lpad stores metadata with a change. Names,
rules, addresses and an icon need one or two kilobytes."""
_STORE_METADATA, _POLICY_RULES = 0xBF25, 0x99
_NO_CLASS = -1
_CLASSES = {0: ProfileClass.TEST, 1: ProfileClass.PROVISIONING, 2: ProfileClass.OPERATIONAL}
_EVENTS = {
    0: NotificationEvent.INSTALL,
    1: NotificationEvent.ENABLE,
    2: NotificationEvent.DISABLE,
    3: NotificationEvent.DELETE,
}
_EVENT_BITS = {event: bit for bit, event in _EVENTS.items()}
_CLASS_NUMBERS = {named: number for number, named in _CLASSES.items()}
_ICON_TYPES = {0: "image/jpeg", 1: "image/png"}


class OperatorId(Frozen):
    """A profile's owner, or a RAT row's pattern for owners: country and network code, group identifiers.

    `mcc_mnc` has 3 bytes in the order of TS 24.008, 10.5.1.3. In a RAT a digit E matches any digit;
    a missing `gid1` or `gid2` matches only an owner without this identifier, and an empty one matches every
    owner.
    """

    mcc_mnc: bytes
    gid1: bytes | None = None
    gid2: bytes | None = None

    @classmethod
    def from_value(cls, value: dict[str, Any]) -> OperatorId:
        """Create an owner from the result of `der.decode` for OperatorId."""
        return cls(value.get("mccMnc", b""), value.get("gid1"), value.get("gid2"))

    @property
    def mcc(self) -> str:
        """The mobile country code: 3 characters, digits or E."""
        return self._digits()[:3]

    @property
    def mnc(self) -> str:
        """The mobile network code: 2 or 3 characters, digits or E."""
        return self._digits()[3:]

    def _digits(self) -> str:
        swapped = swap_nibbles(self.mcc_mnc).hex().upper()
        # 13F062 means MCC 310 and MNC 26: the third MNC digit, here F for none, precedes the other two.
        return (swapped[:3] + swapped[4:6] + swapped[3:4]).replace("F", "")


class NotificationTarget(Struct, frozen=True):
    """One row of a profile's notification configuration: a server, and the events that it is informed of."""

    events: tuple[NotificationEvent, ...]
    address: str

    @classmethod
    def from_value(cls, value: dict[str, Any]) -> NotificationTarget:
        """Create a target from the result of `der.decode` for NotificationConfigurationInformation."""
        bits = value.get("profileManagementOperation", (b"", 0))
        return cls(events_of(bits), value.get("notificationAddress", ""))


class ProfileMetadata(Frozen):
    """StoreMetadataRequest (BF25): shown before a download and stored with the profile.

    `raw` is the whole element as received. `icon_type` is a media type; `pprs` are the policy rules'
    names in SGP.22 (`PPR_NAMES`); an unknown rule is called "bit" and its number. Unreadable rules are
    represented by `UNREADABLE_RULES`, so that they do not look like missing rules.
    """

    raw: bytes
    iccid: Iccid
    service_provider_name: str
    name: str
    icon_type: str | None
    icon: bytes | None
    profile_class: ProfileClass
    notification_targets: tuple[NotificationTarget, ...]
    owner: OperatorId | None
    pprs: tuple[str, ...]

    @classmethod
    def decode(cls, raw: bytes) -> ProfileMetadata:
        """Read a StoreMetadataRequest; malformed or unknown elements are omitted.

        Raises:
            MalformedError: the bytes are not a StoreMetadataRequest, are too many, or lack the ICCID or a
                name.
        """
        if len(raw) > _LARGEST:
            raise MalformedError(
                f"a profile's metadata has {len(raw)} bytes, more than lpad accepts; a kilobyte or two is"
                " usual"
            )
        value = der.decode("StoreMetadataRequest", raw, lenient=True)
        for name in ("iccid", "serviceProviderName", "profileName"):
            if name not in value:
                raise MalformedError(f"a profile's metadata lacks the {name}")
        owner = value.get("profileOwner")
        return cls(
            raw=raw,
            iccid=Iccid.from_bytes(value["iccid"]),
            service_provider_name=value["serviceProviderName"],
            name=value["profileName"],
            icon_type=icon_media_type(value.get("iconType")),
            icon=value.get("icon"),
            profile_class=class_of(value.get("profileClass", _NO_CLASS)),
            notification_targets=targets_of(value),
            owner=None if owner is None else OperatorId.from_value(owner),
            pprs=rules_in(*broken_list.whole_children(tlv.parse_first(raw)[0].value)),
        )


def rules_in(elements: Iterable[tlv.Tlv], rest: bytes = b"") -> tuple[str, ...]:
    """Return the names of the policy rules among the elements of metadata, or of a profile's information.

    Args:
        elements: the readable elements; the rules of all of them count.
        rest: the bytes from the first unreadable element on, which may contain rules.
    """
    found = [_bits_in(each) for each in elements if each.tag == _POLICY_RULES]
    names = [name for bits in found for name in pprs_of(bits)]
    if None in found or (not found and _POLICY_RULES in rest):
        names.append(UNREADABLE_RULES)
    return tuple(dict.fromkeys(names))


def _bits_in(rules: tlv.Tlv) -> BitString | None:
    """Return the content of the policy rules' element; None if it is not a BIT STRING."""
    around = tlv.encode(_STORE_METADATA, rules.raw)
    bits: BitString | None = der.decode("StoreMetadataRequest", around, lenient=True).get(
        "profilePolicyRules"
    )
    return bits


def class_of(number: int) -> ProfileClass:
    """Return the profile class with a number; `UNKNOWN` if SGP.22 does not define the number."""
    return _CLASSES.get(number, ProfileClass.UNKNOWN)


def class_number(profile_class: ProfileClass) -> int:
    """Return the number of a profile class.

    Raises:
        KeyError: the class is `ProfileClass.UNKNOWN`.
    """
    return _CLASS_NUMBERS[profile_class]


def events_of(bits: BitString) -> tuple[NotificationEvent, ...]:
    """Return the events whose bits are set; each unknown bit counts as `UNKNOWN`."""
    return tuple(_EVENTS.get(bit, NotificationEvent.UNKNOWN) for bit in named_bits.numbers(bits))


def event_bits(events: tuple[NotificationEvent, ...]) -> BitString:
    """Return the BIT STRING with the bits of `events` set; `UNKNOWN` sets no bit."""
    return named_bits.of(_EVENT_BITS[event] for event in events if event in _EVENT_BITS)


def pprs_of(bits: BitString | None) -> tuple[str, ...]:
    """Return the names of the policy rules whose bits are set; no names if `bits` is None."""
    return () if bits is None else named_bits.names(bits, PPR_NAMES)


def icon_media_type(number: int | None) -> str | None:
    """Return the media type of an IconType number; None without a number, or if SGP.22 does not define it."""
    return None if number is None else _ICON_TYPES.get(number)


def targets_of(value: dict[str, Any]) -> tuple[NotificationTarget, ...]:
    """Return the notification configuration of decoded metadata or profile information."""
    return tuple(map(NotificationTarget.from_value, value.get("notificationConfigurationInfo", ())))
