"""EID, memory reset, configured addresses."""

from __future__ import annotations

import pytest

from lpad.base.errors import MalformedError
from lpad.codec.asn1 import tlv
from lpad.codec.asn1.schema import Schema
from lpad.codec.messages.addresses import (
    GET_EUICC_CONFIGURED_ADDRESSES,
    ConfiguredAddresses,
    SetDefaultDpAddressRequest,
    SetDefaultDpAddressResult,
)
from lpad.codec.messages.card import GET_EID, EuiccMemoryResetRequest, EuiccMemoryResetResult, decode_eid

EID = "89049032123451234512345678901235"


def test_eid() -> None:
    """The EID is asked for by its tag and read unswapped."""
    assert Schema.compile().decode("GetEuiccDataRequest", GET_EID) == {"tagList": b"\x5a"}
    assert decode_eid(bytes.fromhex("BF3E125A10" + EID)).digits == EID
    for data in ("", "BF3E00", "BF3E035A0189", "BF3E125A10" + "AA" * 16):
        with pytest.raises(MalformedError):
            decode_eid(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("request_", "wire"),
    [
        (EuiccMemoryResetRequest(True, True, True), "BF3404820205E0"),
        (EuiccMemoryResetRequest(operational_profiles=True), "BF340482020780"),
        (EuiccMemoryResetRequest(test_profiles=True), "BF340482020640"),
        (EuiccMemoryResetRequest(default_smdp_address=True), "BF340482020520"),
        (EuiccMemoryResetRequest(), "BF3403820100"),
    ],
)
def test_memory_reset(request_: EuiccMemoryResetRequest, wire: str) -> None:
    """Each option has its bit."""
    assert request_.encode().hex().upper() == wire


@pytest.mark.parametrize(
    ("code", "reason"), [(0, "ok"), (1, "nothingToDelete"), (5, "catBusy"), (127, "undefinedError")]
)
def test_memory_reset_results(code: int, reason: str) -> None:
    """Each result has its name."""
    assert EuiccMemoryResetResult.decode(tlv.encode(0xBF34, bytes([0x80, 1, code]))).reason == reason


def test_addresses() -> None:
    """Addresses come as the card holds them; an empty one is none."""
    assert Schema.compile().decode("EuiccConfiguredAddressesRequest", GET_EUICC_CONFIGURED_ADDRESSES) == {}
    value = {"defaultDpAddress": "SMDP.example.com", "rootDsAddress": "lpa.ds.gsma.com"}
    raw = Schema.compile().encode("EuiccConfiguredAddressesResponse", value)
    assert ConfiguredAddresses.decode(raw) == ConfiguredAddresses("SMDP.example.com", "lpa.ds.gsma.com", ())
    for nothing in ("BF3C00", "BF3C0480008100"):
        assert ConfiguredAddresses.decode(bytes.fromhex(nothing)) == ConfiguredAddresses(None, None, ())


def test_addresses_of_version_3() -> None:
    """Further SM-DS addresses are read, what else is new is passed over."""
    value = {
        "rootDsAddress": "a",
        "additionalRootDsAddress": ["b", "c"],
        "allowedCiPKId": b"\x01",
        "ciList": [],
    }
    raw = Schema.compile().encode("EuiccConfiguredAddressesResponse", value)
    assert ConfiguredAddresses.decode(raw).additional_root_ds_addresses == ("b", "c")


def test_setting_the_default_address() -> None:
    """An address is set, an empty one clears it."""
    assert SetDefaultDpAddressRequest("ab").encode().hex() == "bf3f0480026162"
    assert SetDefaultDpAddressRequest("").encode().hex() == "bf3f028000"
    assert SetDefaultDpAddressResult.decode(bytes.fromhex("BF3F0380017F")).reason == "undefinedError"
    with pytest.raises(MalformedError):
        SetDefaultDpAddressResult.decode(b"")
