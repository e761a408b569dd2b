"""The ASN.1 schema rsp.asn with asn1tools, and the table that is generated from rsp.asn."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lpad.base.errors import MalformedError
from lpad.simulator.asn1 import schema
from lpad.simulator.asn1.schema import Schema

ICCID = bytes.fromhex("98001032547698103214")

WIRE = [
    ("ProfileInfoListRequest", {}, "BF2D00"),
    (
        "ProfileInfoListRequest",
        {"tagList": bytes.fromhex("5A4F9F70909192939495B6B799")},
        "BF2D0F5C0D5A4F9F70909192939495B6B799",
    ),
    ("ProfileInfoListRequest", {"searchCriteria": ("profileClass", 2)}, "BF2D05A003950102"),
    (
        "EnableProfileRequest",
        {"profileIdentifier": ("iccid", ICCID), "refreshFlag": True},
        "BF3111A00C5A0A980010325476981032148101FF",
    ),
    ("EnableProfileResponse", {"enableResult": 0}, "BF3103800100"),
    ("DeleteProfileRequest", ("iccid", ICCID), "BF330C5A0A98001032547698103214"),
    ("EuiccMemoryResetRequest", {"resetOptions": (b"\xe0", 3)}, "BF3404820205E0"),
    ("GetEuiccDataRequest", {"tagList": b"\x5a"}, "BF3E035C015A"),
    ("RetrieveNotificationsListRequest", {"searchCriteria": ("seqNumber", 5)}, "BF2B05A003800105"),
    ("NotificationSentRequest", {"seqNumber": 5}, "BF3003800105"),
    ("ListNotificationResponse", ("notificationMetadataList", []), "BF2802A000"),
    ("EUICCResponse", {"peStatus": [{"status": 0}]}, "3007A0053003800100"),
]


@pytest.mark.parametrize(("type_name", "value", "wire"), WIRE)
def test_examples_from_the_field_are_read_and_written_unchanged(
    type_name: str, value: object, wire: str
) -> None:
    """Messages from the field are encoded and decoded unchanged."""
    assert Schema.compile().encode(type_name, value).hex().upper() == wire
    assert Schema.compile().decode(type_name, bytes.fromhex(wire)) == value


@pytest.mark.parametrize("oid", ["2.999.10", "2.999.12", "1.3.6.1.4.1.31746", "0.0", "1.39.1", "2.23.146.1"])
def test_object_identifiers_are_preserved(oid: str) -> None:
    """Object identifiers are decoded unchanged, even if their second number is above 39."""
    value = {"dpOid": oid}
    data = Schema.compile().encode("DpProprietaryData", value)
    assert Schema.compile().decode("DpProprietaryData", data) == value


def test_signed_parts_stay_bytes() -> None:
    """Signed parts of a message are decoded as the same bytes."""
    value = {
        "euiccCancelSessionSigned": bytes.fromhex("308103020105"),
        "euiccCancelSessionSignature": bytes(64),
    }
    data = Schema.compile().encode("CancelSessionResponse", ("cancelSessionResponseOk", value))
    assert Schema.compile().decode("CancelSessionResponse", data) == ("cancelSessionResponseOk", value)


@pytest.mark.parametrize("data", ["", "BF31", "BF3103800100FF", "BF2D00", "BF31028001", "BF410AA008300530"])
def test_broken_bytes_are_malformed(data: str) -> None:
    """Bytes that do not fit the type raise MalformedError, and no error of asn1tools."""
    for type_name in ("EnableProfileResponse", "CancelSessionResponse"):
        with pytest.raises(MalformedError):
            Schema.compile().decode(type_name, bytes.fromhex(data))


def test_values_that_do_not_fit_are_malformed() -> None:
    """Encoding a value that does not fit the type raises MalformedError."""
    for value in ({}, {"enableResult": "no"}, None):
        with pytest.raises(MalformedError, match="EnableProfileResponse cannot represent"):
            Schema.compile().encode("EnableProfileResponse", value)


def test_the_table_is_fresh() -> None:
    """rsp_table.py matches rsp.asn; if this fails, run python -m lpad.simulator.asn1.schema."""
    assert schema.TABLE.read_text(encoding="utf-8") == schema.table()


def test_the_daemon_codec_does_without_asn1tools() -> None:
    """Lpad's modules for ES10 messages import none of asn1tools, pyparsing and cryptography."""
    program = (
        "import sys, lpad.lpa.euicc, lpad.codec.bound_profile, lpad.codec.x509.certificate_holder_and_role;"
        " sys.exit(any(name in sys.modules for name in ('asn1tools', 'pyparsing', 'cryptography')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
