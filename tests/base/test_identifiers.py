"""EID, ICCID, AID, IMEI and transaction ID."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpad.base.errors import InvalidValue, MalformedError
from lpad.base.identifiers import ISD_R, Aid, Eid, Iccid, Imei, Tac, TransactionId

TEST_EID = "89049032123451234512345678901235"
IMEI = "352906110123454"
IMEI_OF_THE_SPECIFICATION = Imei("352906110123451")  # The check digit in the specification is wrong.


def digits(low: int, high: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=low, max_size=high)


def test_eid_of_the_test_specification() -> None:
    """The EID in SGP.26 is read from text and from bytes, and its check digits are right."""
    eid = Eid.parse(TEST_EID)
    assert eid == Eid.from_bytes(bytes.fromhex(TEST_EID))
    assert bytes(eid).hex() == str(eid) == TEST_EID
    assert eid.check_digits_right


@given(digits(30, 30))
def test_eid_check_digits(first: str) -> None:
    """An EID's computed check digits are right; a pair that changes its remainder modulo 97 is wrong."""
    eid = Eid.with_check_digits(first)
    assert len(eid.digits) == 32
    assert eid.check_digits_right
    others = (f"{pair:02}" for pair in range(98) if f"{pair:02}" != eid.digits[30:])
    assert not any(Eid(first + other).check_digits_right for other in others if int(first + other) % 97 != 1)


def test_eid_with_wrong_check_digits_is_still_one() -> None:
    """An EID with wrong check digits is accepted, because some test cards have such EIDs."""
    assert not Eid.parse(TEST_EID[:-1] + "6").check_digits_right


def test_eid_as_people_write_it() -> None:
    """Blanks and dashes in an EID are ignored."""
    assert str(Eid.parse("8904 9032-1234 5123 4512 3456 7890 1235\n")) == TEST_EID


@pytest.mark.parametrize("text", ["", TEST_EID[:-1], TEST_EID + "0", TEST_EID[:-1] + "F", "٣" * 32])
def test_invalid_eids_are_refused(text: str) -> None:
    """A text that does not have exactly 32 digits from 0 to 9 is refused as an EID."""
    with pytest.raises(InvalidValue):
        Eid.parse(text)


@pytest.mark.parametrize("data", ["", TEST_EID[:-2], TEST_EID[:-2] + "A0"])
def test_bytes_that_are_not_an_eid(data: str) -> None:
    """A card's EID is malformed if it is not 16 bytes of decimal digits."""
    with pytest.raises(MalformedError):
        Eid.from_bytes(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("898600B5000000000015", "9868005B000000000051"),
        ("898604B7E00000000001", "9868407B0E0000000010"),
        ("A", "FAFFFFFFFFFFFFFFFFFF"),
        ("ABCDE", "BADCFEFFFFFFFFFFFFFF"),
        ("0", "F0FFFFFFFFFFFFFFFFFF"),
        ("00000000000000000000", "00000000000000000000"),
        ("89000123456789012341", "98001032547698103214"),
        ("8949449999999990098", "989444999999990990F8"),
        ("894944999999999009", "989444999999990990FF"),
    ],
)
def test_iccid_of_1_to_20_digits(text: str, data: str) -> None:
    """An ICCID is 10 bytes with swapped nibbles, padded with F; its digits go up to E."""
    assert bytes(Iccid.parse(text)).hex().upper() == data
    assert str(Iccid.from_bytes(bytes.fromhex(data))) == text


@given(st.text("0123456789ABCDE", min_size=1, max_size=20))
def test_iccid_there_and_back(text: str) -> None:
    """Encoding and decoding leave an ICCID unchanged, even one in lower case or with padding."""
    assert Iccid.parse(text.lower() + "f" * (20 - len(text))).digits == text
    assert Iccid.from_bytes(bytes(Iccid.parse(text))).digits == text


def test_iccid_as_modems_report_it() -> None:
    """Padding with F in either case, blanks and dashes do not change an ICCID."""
    plain = Iccid.parse("8949449999999990098")
    for text in ("8949449999999990098F", "8949449999999990098f", " 8949 4499-9999 9990 098\r\n"):
        assert Iccid.parse(text) == plain


@pytest.mark.parametrize(
    "text", ["", "F", "8" * 21, "8949F49999999990098", "F89", "89494499999999900X8", "٣" * 19]
)
def test_invalid_iccids_are_refused(text: str) -> None:
    """An ICCID that is not 1 to 20 digits, or has an F anywhere but at the end, is refused."""
    with pytest.raises(InvalidValue):
        Iccid.parse(text)


@pytest.mark.parametrize(
    "data", ["", "98" * 9, "98" * 11, "FF" * 10, "98F01032547698103214", "FFFFFFFFFFFFFFFFFF1F"]
)
def test_bytes_that_are_not_an_iccid(data: str) -> None:
    """An ICCID that is not 10 bytes, is only padding, or has F before a digit is malformed."""
    with pytest.raises(MalformedError):
        Iccid.from_bytes(bytes.fromhex(data))


def test_an_aid_has_5_to_16_bytes() -> None:
    """An AID is 5 to 16 bytes, in hexadecimal of either case."""
    assert Aid.parse("a0000005591010ffffffff8900000100") == ISD_R
    assert str(ISD_R) == "A0000005591010FFFFFFFF8900000100"
    for text in ("", "A000000559"[:8], "A0" * 17, "A00000055", "xyxyxyxyxy"):
        with pytest.raises(InvalidValue):
            Aid.parse(text)
    with pytest.raises(MalformedError):
        Aid(b"1234")


@pytest.mark.parametrize(("version", "data"), [(2, "539260111032541F"), (3, "53926011103254F1")])
def test_imei_in_both_encodings(version: int, data: str) -> None:
    """An IMEI is read in the encodings of versions 2 and 3, which differ in the place of the check digit."""
    assert IMEI_OF_THE_SPECIFICATION.to_bytes(rsp_version=version).hex().upper() == data
    assert Imei.from_bytes(bytes.fromhex(data)) == IMEI_OF_THE_SPECIFICATION


@given(digits(14, 14))
def test_imei_there_and_back(body: str) -> None:
    """Any IMEI survives both encodings, and its 16-digit form with a software version is the same IMEI."""
    imei = Imei.parse(body)
    assert Imei.parse(imei.digits) == imei == Imei.parse(f"{body}07")
    for version in (2, 3):
        assert Imei.from_bytes(imei.to_bytes(rsp_version=version)) == imei


def test_the_tac_is_the_first_8_digits_with_swapped_nibbles() -> None:
    """The Type Allocation Code is the first 8 digits with swapped nibbles."""
    assert Imei.parse(IMEI).tac.hex() == "53926011"
    assert Tac.parse("3529 0611").to_bytes().hex() == "53926011"


@pytest.mark.parametrize("text", ["", "35290611012345"[:13], "352906110123452", "35290611012345x", "3" * 17])
def test_invalid_imeis_are_refused(text: str) -> None:
    """An IMEI with a wrong number of digits, a letter, or a wrong check digit is refused."""
    with pytest.raises(InvalidValue):
        Imei.parse(text)


@pytest.mark.parametrize("data", ["", "53926011103254", "5392601110325AAA", "FFFFFFFFFFFFFFFF"])
def test_bytes_that_are_not_an_imei(data: str) -> None:
    """An IMEI of a wrong length, or with bytes that do not encode digits, is malformed."""
    with pytest.raises(MalformedError):
        Imei.from_bytes(bytes.fromhex(data))


def test_a_transaction_id_is_the_same_in_either_case() -> None:
    """Servers write a transaction ID in either case; it is the same 1 to 16 bytes."""
    assert TransactionId.from_hex("aB01") == TransactionId(b"\xab\x01")
    assert str(TransactionId(b"\xab\x01")) == "AB01"
    for text in ("", "A", "XY", "AB" * 17, "AB 01"):
        with pytest.raises(MalformedError):
            TransactionId.from_hex(text)


@pytest.mark.parametrize(
    "identifier", [Eid.parse(TEST_EID), Iccid.parse("8949449999999990098"), Imei.parse(IMEI)]
)
def test_logs_show_the_last_digits_only(identifier: Eid | Iccid | Imei) -> None:
    """EIDs, ICCIDs and IMEIs are shortened to their last four digits for logs."""
    assert identifier.redacted() == "…" + identifier.digits[-4:]
