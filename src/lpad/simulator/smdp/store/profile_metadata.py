"""The operator's description of a profile: StoreMetadata, sent to the user and bound for the card."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from lpad.base.errors import InvalidValue
from lpad.base.identifiers import Iccid, swap_nibbles
from lpad.codec.asn1 import named_bits, tlv

_STORE_METADATA = 0xBF25


class Event(IntEnum):
    """The events that a card reports to a notification address: bits of element 80."""

    INSTALL = 0
    ENABLE = 1
    DISABLE = 2
    DELETE = 3


class ProfileClass(IntEnum):
    """The profile class, element 95; the default, operational, is omitted."""

    TEST = 0
    PROVISIONING = 1
    OPERATIONAL = 2


class ProfilePolicyRule(IntEnum):
    """The profile policy rules: bits of element 99."""

    UPDATE_CONTROL = 0
    PPR1 = 1
    PPR2 = 2


class IconType(IntEnum):
    """The type of an icon, element 93."""

    JPG = 0
    PNG = 1


@dataclass(frozen=True, slots=True)
class Recipient:
    """One entry of the notification configuration.

    Attributes:
        events: the events of which the recipient is notified.
        address: server name, or None for the SM-DP+ that delivers the profile.
    """

    events: tuple[Event, ...] = tuple(Event)
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """The operator: mobile country and network code as digits ("00101"), group identifiers as hex."""

    mcc_mnc: str
    gid1: str | None = None
    gid2: str | None = None

    def __post_init__(self) -> None:
        if not (self.mcc_mnc.isascii() and self.mcc_mnc.isdecimal() and len(self.mcc_mnc) in (5, 6)):
            raise InvalidValue(
                "an operator must be three digits of MCC and two or three of MNC, such as 00101"
            )

    def encode(self) -> bytes:
        """Return element B7, with the digits in the order of 3GPP TS 24.008, 10.5.1.3."""
        digits = self.mcc_mnc if len(self.mcc_mnc) == 6 else self.mcc_mnc + "f"
        coded = swap_nibbles(bytes.fromhex(digits[:3] + digits[5] + digits[3:5]))
        parts = [tlv.encode(0x80, coded)]
        for tag, group in ((0x81, self.gid1), (0x82, self.gid2)):
            if group is not None:
                parts.append(tlv.encode(tag, bytes.fromhex(group)))
        return tlv.encode(0xB7, *parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileMetadata:
    """The fields of StoreMetadata (SGP.22 v2.5, 5.5.3).

    Attributes:
        iccid: 1 to 20 digits, 0 to 9 and A to E.
        service_provider: at most 32 bytes of UTF-8.
        name: at most 64 bytes of UTF-8.
        icon: at most 1024 bytes, of the type `icon_type`; None: no icon.
        profile_class: by default operational.
        rules: profile policy rules.
        owner: the profile's owner, required if there are rules.
        recipients: the recipients of notifications; by default this SM-DP+ for all events.
    """

    iccid: str
    service_provider: str = "lpad simulator"
    name: str = "Made-up profile"
    icon: bytes | None = None
    icon_type: IconType = IconType.PNG
    profile_class: ProfileClass = ProfileClass.OPERATIONAL
    rules: tuple[ProfilePolicyRule, ...] = ()
    owner: Owner | None = None
    recipients: tuple[Recipient, ...] = (Recipient(),)

    def encode(self, own_address: str) -> bytes:
        """Return element BF25.

        Args:
            own_address: the SM-DP+'s address, for recipients without one.
        """
        parts = [
            tlv.encode(0x5A, bytes(Iccid.parse(self.iccid))),
            tlv.encode(0x91, self.service_provider.encode()),
            tlv.encode(0x92, self.name.encode()),
        ]
        if self.icon is not None:
            parts += [tlv.encode(0x93, bytes([self.icon_type])), tlv.encode(0x94, self.icon)]
        if self.profile_class is not ProfileClass.OPERATIONAL:
            parts.append(tlv.encode(0x95, bytes([self.profile_class])))
        if self.recipients:
            parts.append(tlv.encode(0xB6, *(_recipient(one, own_address) for one in self.recipients)))
        if self.owner is not None:
            parts.append(self.owner.encode())
        if self.rules:
            parts.append(_bit_string(0x99, self.rules))
        return tlv.encode(_STORE_METADATA, *parts)


def bits_of(content: bytes) -> frozenset[int]:
    """Return the bits that are set in the content of a BIT STRING, trimmed or not."""
    unused = content[0] if content else 0
    return frozenset(named_bits.numbers((content[1:], 8 * len(content[1:]) - unused)))


def _bit_string(tag: int, bits: tuple[int, ...]) -> bytes:
    data, count = named_bits.of(bits)
    return tlv.encode(tag, bytes([8 * len(data) - count]) + data)


def _recipient(recipient: Recipient, own_address: str) -> bytes:
    address = own_address if recipient.address is None else recipient.address
    return tlv.encode(0x30, _bit_string(0x80, recipient.events), tlv.encode(0x81, address.encode()))
