"""The operator's metadata of a profile, and the rules authorisation table."""

from __future__ import annotations

import pytest

from lpad.base.errors import MalformedError
from lpad.base.identifiers import Iccid
from lpad.codec.asn1 import named_bits, tlv
from lpad.codec.messages.metadata import (
    UNREADABLE_RULES,
    NotificationEvent,
    NotificationTarget,
    OperatorId,
    ProfileClass,
    ProfileMetadata,
    event_bits,
    events_of,
)
from lpad.codec.messages.rules_authorisation_table import AuthorisationRule, decode_rat
from lpad.simulator.asn1.schema import Schema

ICCID = bytes.fromhex("989444999999990990F8")
METADATA = {
    "iccid": ICCID,
    "serviceProviderName": "Operator",
    "profileName": "Profile",
    "iconType": 1,
    "icon": b"\x89PNG",
    "profileClass": 0,
    "notificationConfigurationInfo": [
        {"profileManagementOperation": named_bits.of([1, 2]), "notificationAddress": "a.example.com"}
    ],
    "profileOwner": {"mccMnc": bytes.fromhex("13F062"), "gid1": b"\x01"},
    "profilePolicyRules": named_bits.of([1, 2]),
}


def test_all_fields_shown_before_a_download_are_read() -> None:
    """All fields that a user sees before a download are read."""
    raw = Schema.compile().encode("StoreMetadataRequest", METADATA)
    assert ProfileMetadata.decode(raw) == ProfileMetadata(
        raw=raw,
        iccid=Iccid.from_bytes(ICCID),
        service_provider_name="Operator",
        name="Profile",
        icon_type="image/png",
        icon=b"\x89PNG",
        profile_class=ProfileClass.TEST,
        notification_targets=(
            NotificationTarget((NotificationEvent.ENABLE, NotificationEvent.DISABLE), "a.example.com"),
        ),
        owner=OperatorId(bytes.fromhex("13F062"), b"\x01"),
        pprs=("ppr1", "ppr2"),
    )


def test_missing_metadata_gets_defaults() -> None:
    """A profile without a class counts as operational; other missing fields are None or empty."""
    least = {name: METADATA[name] for name in ("iccid", "serviceProviderName", "profileName")}
    read = ProfileMetadata.decode(Schema.compile().encode("StoreMetadataRequest", least))
    assert read.profile_class is ProfileClass.OPERATIONAL
    assert (read.icon_type, read.icon, read.owner, read.pprs) == (None, None, None, ())


def test_metadata_beyond_all_reason() -> None:
    """Metadata are a kilobyte or two; much longer metadata are refused, because each change keeps them."""
    largest = Schema.compile().encode("StoreMetadataRequest", METADATA | {"icon": bytes(16_000)})
    assert ProfileMetadata.decode(largest).icon == bytes(16_000)
    with pytest.raises(MalformedError, match="bytes"):
        ProfileMetadata.decode(
            Schema.compile().encode("StoreMetadataRequest", METADATA | {"profileName": "x" * 100_000})
        )


def test_metadata_of_later_versions() -> None:
    """Unknown elements, an unknown class and an unknown policy rule hide no other metadata."""
    odd = METADATA | {"profileClass": 7, "profilePolicyRules": named_bits.of([3])}
    body = tlv.parse(Schema.compile().encode("StoreMetadataRequest", odd)).value
    read = ProfileMetadata.decode(tlv.encode(0xBF25, tlv.encode(0x9F1F, b"new"), body, tlv.encode(0xBF76)))
    assert (read.profile_class, read.pprs, read.name) == (ProfileClass.UNKNOWN, ("bit3",), "Profile")


@pytest.mark.parametrize(
    "data", ["", "BF2500", "BF250C5A0A98001032547698103214", "BF26009100", "BF250A5A02980091009200"]
)
def test_incomplete_metadata_are_malformed(data: str) -> None:
    """Metadata without ICCID or names, or with an impossible ICCID, are malformed."""
    with pytest.raises(MalformedError):
        ProfileMetadata.decode(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("data", "mcc", "mnc"),
    [
        ("00F110", "001", "01"),
        ("54F421", "454", "12"),
        ("130062", "310", "260"),
        ("EEEEEE", "EEE", "EEE"),
        ("13F0E2", "310", "2E"),
    ],
)
def test_operator_codes_are_read_with_2_or_3_digits(data: str, mcc: str, mnc: str) -> None:
    """Country and network codes are read in TS 24.008's order, with 2 or 3 digits; E means any."""
    operator = OperatorId(bytes.fromhex(data))
    assert (operator.mcc, operator.mnc) == (mcc, mnc)


def test_events_and_their_bits_correspond() -> None:
    """Events and their bits correspond; a bit without an event is an unknown event."""
    everything = tuple(event for event in NotificationEvent if event is not NotificationEvent.UNKNOWN)
    assert event_bits(everything) == (b"\xf0", 4)
    assert events_of((b"\xf0", 4)) == everything
    assert events_of((b"\x08", 5)) == (NotificationEvent.UNKNOWN,)
    assert event_bits((NotificationEvent.UNKNOWN,)) == (b"", 0)


def test_rules_authorisation_table() -> None:
    """The table's rows keep their order, wildcards and group identifiers."""
    value = {
        "rat": [
            {
                "pprIds": named_bits.of([1]),
                "allowedOperators": [{"mccMnc": bytes.fromhex("EEEEEE"), "gid1": b"", "gid2": b"\x02"}],
                "pprFlags": named_bits.of([0]),
            },
            {"pprIds": (b"\x60", 3), "allowedOperators": [], "pprFlags": (b"", 0)},
        ]
    }
    anyone = OperatorId(b"\xee\xee\xee", b"", b"\x02")
    assert decode_rat(Schema.compile().encode("GetRatResponse", value)) == (
        AuthorisationRule(("ppr1",), (anyone,), consent_required=True),
        AuthorisationRule(("ppr1", "ppr2"), (), consent_required=False),
    )


def test_an_empty_table() -> None:
    """A card whose RAT is empty allows no policy rule."""
    assert decode_rat(bytes.fromhex("BF4302A000")) == ()


@pytest.mark.parametrize("data", ["BF4300", "BF4304A0023000", "BF4306A00430028000"])
def test_a_table_that_cannot_be_read_is_malformed(data: str) -> None:
    """If a part of the table cannot be read, all of it is malformed, because it grants permissions."""
    with pytest.raises(MalformedError):
        decode_rat(bytes.fromhex(data))


def metadata_with(*odd: bytes, rules: bytes = b"") -> bytes:
    iccid, names = tlv.encode(0x5A, bytes(Iccid("898600B5000000000015"))), bytes.fromhex("910141920142")
    return tlv.encode(0xBF25, iccid, names, rules, *odd)


@pytest.mark.parametrize(
    "odd",
    [
        "9300", "930101930102", "9400", "B6053003800107", "B60130", "B7028001", "BF2202A001", "BF760101",
        "9F1F00", "E303010203", "FFFF", "0000", "5A0AFF", "92", "9F",
    ],
)  # fmt: skip
def test_odd_extra_data_fails_no_download(odd: str) -> None:
    """Odd, unknown or truncated elements, and bytes after the last one, are ignored."""
    read = ProfileMetadata.decode(metadata_with(bytes.fromhex(odd)))
    assert (str(read.iccid), read.service_provider_name, read.name) == ("898600B5000000000015", "A", "B")
    assert read.pprs == ()
    assert read.profile_class in (ProfileClass.OPERATIONAL, ProfileClass.UNKNOWN)


def test_policy_rules_that_cannot_be_read_are_not_none() -> None:
    """If the policy rules cannot be read, the profile counts as having rules."""
    whole = metadata_with(bytes.fromhex("930A"), rules=bytes.fromhex("99020640"))
    assert ProfileMetadata.decode(whole).pprs == ("ppr1",)
    for odd in ("9900", "990109", "940599020640"):
        assert ProfileMetadata.decode(metadata_with(bytes.fromhex(odd))).pprs == (UNREADABLE_RULES,)
