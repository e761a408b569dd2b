"""The daemon's DER codec, compared with asn1tools and with real cards' deviations."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codec.rsp_values import values_of
from lpad.base.errors import MalformedError
from lpad.codec.asn1 import der, tlv
from lpad.codec.asn1.rsp_table import TYPES
from lpad.simulator.asn1.schema import Schema

MANY = settings(
    max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None
)
TYPE_NAMES = sorted(TYPES)
ICCID = bytes.fromhex("98001032547698103214")


@pytest.mark.parametrize("type_name", TYPE_NAMES)
def test_agrees_with_asn1tools(type_name: str) -> None:
    """The codec writes the same bytes, and reads the same value, for each type as an independent codec."""
    schema = Schema.compile()

    @settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
    @given(values_of(type_name))
    def agree(value: Any) -> None:
        data = der.encode(type_name, value)
        assert data == schema.encode(type_name, value)
        assert der.decode(type_name, data) == schema.decode(type_name, data)
        assert der.decode(type_name, data, lenient=True) == der.decode(type_name, data)

    agree()


@MANY
@given(type_name=st.sampled_from(TYPE_NAMES), data=st.binary(max_size=100))
def test_garbage_is_malformed(type_name: str, data: bytes) -> None:
    """Decoding any bytes returns a value or raises MalformedError, and no other error."""
    for lenient in (False, True):
        try:
            der.decode(type_name, data, lenient=lenient)
        except MalformedError:
            continue


@MANY
@given(data=st.data())
def test_damaged_messages_are_malformed(data: st.DataObject) -> None:
    """Decoding a changed or cut message returns a value or raises MalformedError, and no other error."""
    type_name = data.draw(st.sampled_from(TYPE_NAMES))
    raw = bytearray(der.encode(type_name, data.draw(values_of(type_name))))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    for damaged in (bytes(raw), bytes(raw[:cut])):
        for lenient in (False, True):
            try:
                der.decode(type_name, damaged, lenient=lenient)
            except MalformedError:
                continue


def test_unknown_elements_are_ignored_anywhere() -> None:
    """Elements that rsp.asn does not know are skipped wherever they are."""
    unknown = tlv.encode(0x9F7B, b"new") + tlv.encode(0xBF64, tlv.encode(0x80, b"x"))
    members = [tlv.encode(0x5A, ICCID), tlv.encode(0x9F70, b"\x01"), tlv.encode(0x92, b"name")]
    data = tlv.encode(0xE3, *(unknown + member for member in members), unknown)
    assert der.decode("ProfileInfo", data) == {"iccid": ICCID, "profileState": 1, "profileName": "name"}


def test_members_in_another_order_are_read() -> None:
    """A card's answer may have its members in the order of the tag list, not of the specification."""
    data = tlv.encode(0xE3, tlv.encode(0x92, b"name"), tlv.encode(0x5A, ICCID))
    assert der.decode("ProfileInfo", data) == {"profileName": "name", "iccid": ICCID}


def test_the_first_of_two_counts() -> None:
    """If a member occurs twice, the first one counts."""
    data = tlv.encode(0xE3, tlv.encode(0x92, b"first"), tlv.encode(0x92, b"second"))
    assert der.decode("ProfileInfo", data) == {"profileName": "first"}


@pytest.mark.parametrize("data", ["FF", "01", "80", "0001"])
def test_any_nonzero_is_true(data: str) -> None:
    """A BOOLEAN with any value other than zero is true."""
    request = tlv.encode(
        0xBF31, tlv.encode(0xA0, tlv.encode(0x5A, ICCID)), tlv.encode(0x81, bytes.fromhex(data))
    )
    assert der.decode("EnableProfileRequest", request)["refreshFlag"] is True


@pytest.mark.parametrize("data", ["008000000000000000", "7F" + 400 * "FF"])
def test_numbers_above_63_bits_are_malformed(data: str) -> None:
    """A number that needs more than 63 bits and a sign is malformed, because SQLite cannot store it."""
    raw = tlv.encode(0xBF30, tlv.encode(0x80, bytes.fromhex(data)))
    with pytest.raises(MalformedError):
        der.decode("NotificationSentRequest", raw)


@pytest.mark.parametrize(
    ("number", "data"),
    [(0, "00"), (127, "7F"), (128, "0080"), (32768, "008000"), (2**31 - 1, "7FFFFFFF")],
)
def test_numbers_are_in_twos_complement(number: int, data: str) -> None:
    """A number such as 128 is written with a leading zero byte; a received number may have several."""
    raw = der.encode("NotificationSentRequest", {"seqNumber": number})
    assert tlv.parse(raw).get(0x80).value.hex().upper() == data
    padded = tlv.encode(0xBF30, tlv.encode(0x80, bytes(3) + bytes.fromhex(data)))
    assert der.decode("NotificationSentRequest", padded) == {"seqNumber": number}


def test_wrong_utf8_is_replaced() -> None:
    """Text that is not UTF-8 is shown as far as it is valid."""
    data = tlv.encode(0xE3, tlv.encode(0x92, b"caf\xe9 \xc3\xa9"))
    assert der.decode("ProfileInfo", data) == {"profileName": "caf� é"}


@pytest.mark.parametrize("bits", ["", "0980", "01"])
def test_impossible_bit_strings_are_malformed(bits: str) -> None:
    """A BIT STRING without a count, or with more unused bits than it has, is an error."""
    data = tlv.encode(0xBF28, tlv.encode(0x81, bytes.fromhex(bits)))
    with pytest.raises(MalformedError, match="unused bits"):
        der.decode("ListNotificationRequest", data)


def test_empty_leaves_are_malformed() -> None:
    """An INTEGER, BOOLEAN or OBJECT IDENTIFIER without bytes is an error that names the member."""
    with pytest.raises(MalformedError, match="seqNumber"):
        der.decode("NotificationSentRequest", bytes.fromhex("BF30028000"))
    with pytest.raises(MalformedError, match="ccRequiredFlag"):
        der.decode("SmdpSigned2", bytes.fromhex("3005 800101 0100"))
    with pytest.raises(MalformedError, match="dpOid"):
        der.decode("DpProprietaryData", bytes.fromhex("30028000"))


def test_lenient_reading_leaves_out_what_it_cannot_read() -> None:
    """In lenient decoding, a missing or odd member does not hide the others."""
    data = tlv.encode(0xBF2F, tlv.encode(0x80, b"\x05"), tlv.encode(0x81, b""))
    assert der.decode("NotificationMetadata", data, lenient=True) == {"seqNumber": 5}
    with pytest.raises(MalformedError):
        der.decode("NotificationMetadata", data)


def test_a_missing_member_is_named() -> None:
    """The error for a missing member names the type and the member."""
    with pytest.raises(
        MalformedError, match="EuiccConfiguredAddressesResponse lacks the mandatory rootDsAddress"
    ):
        der.decode("EuiccConfiguredAddressesResponse", bytes.fromhex("BF3C00"))
    with pytest.raises(MalformedError, match="SetNicknameRequest lacks the mandatory profileNickname"):
        der.encode("SetNicknameRequest", {"iccid": ICCID})


def test_other_types_are_refused() -> None:
    """An element of another type is refused, and so is an unknown alternative or member."""
    with pytest.raises(MalformedError, match="BF31 is not of type DisableProfileResponse"):
        der.decode("DisableProfileResponse", bytes.fromhex("BF3103800100"))
    with pytest.raises(MalformedError, match="alternative"):
        der.decode("ListNotificationResponse", bytes.fromhex("BF2802A500"))
    with pytest.raises(MalformedError, match="is empty"):
        der.decode("ListNotificationResponse", bytes.fromhex("BF2800"))
    with pytest.raises(MalformedError, match="no alternative profileName"):
        der.encode("DeleteProfileRequest", ("profileName", b""))
    with pytest.raises(MalformedError, match="unknown members: colour"):
        der.encode("GetEuiccInfo1Request", {"colour": 1})


def test_lists_hold_one_kind() -> None:
    """A list with an element of another kind is an error; if lenient, the element is left out."""
    data = tlv.encode(0xBF2D, tlv.encode(0xA0, tlv.encode(0x30), tlv.encode(0xE3)))
    with pytest.raises(MalformedError, match="an unexpected element 30"):
        der.decode("ProfileInfoListResponse", data)
    assert der.decode("ProfileInfoListResponse", data, lenient=True) == ("profileInfoListOk", [{}])
