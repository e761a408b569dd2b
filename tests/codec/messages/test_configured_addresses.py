"""The server addresses that are configured in a card."""

from __future__ import annotations

import pytest

from lpad.base.errors import MalformedError
from lpad.codec.messages.configured_addresses import (
    GET_EUICC_CONFIGURED_ADDRESSES,
    ConfiguredAddresses,
    SetDefaultDpAddressRequest,
    SetDefaultDpAddressResult,
)
from lpad.simulator.asn1.schema import Schema


def test_addresses_are_returned_as_stored() -> None:
    """Addresses are returned as the card stores them; an empty one counts as missing."""
    assert Schema.compile().decode("EuiccConfiguredAddressesRequest", GET_EUICC_CONFIGURED_ADDRESSES) == {}
    value = {"defaultDpAddress": "SMDP.example.com", "rootDsAddress": "lpa.ds.gsma.com"}
    raw = Schema.compile().encode("EuiccConfiguredAddressesResponse", value)
    assert ConfiguredAddresses.decode(raw) == ConfiguredAddresses("SMDP.example.com", "lpa.ds.gsma.com", ())
    for nothing in ("BF3C00", "BF3C0480008100"):
        assert ConfiguredAddresses.decode(bytes.fromhex(nothing)) == ConfiguredAddresses(None, None, ())


def test_addresses_of_version_3() -> None:
    """Further SM-DS addresses are read, and other new elements are ignored."""
    value = {
        "rootDsAddress": "a",
        "additionalRootDsAddress": ["b", "c"],
        "allowedCiPKId": b"\x01",
        "ciList": [],
    }
    raw = Schema.compile().encode("EuiccConfiguredAddressesResponse", value)
    assert ConfiguredAddresses.decode(raw).additional_root_ds_addresses == ("b", "c")


def test_additional_roots_in_another_form() -> None:
    """Elements with the tag 82 are read, and an odd one hides neither the others nor the root."""
    raw = bytes.fromhex("BF3C 14 8101 61 A20F 820162 0C0163 020101 8200 0C0201 9F".replace(" ", ""))
    read = ConfiguredAddresses.decode(raw)
    assert (read.root_ds_address, read.additional_root_ds_addresses[:2]) == ("a", ("b", "c"))
    cut = ConfiguredAddresses.decode(bytes.fromhex("BF3C08810161A203820562"))
    assert (cut.root_ds_address, cut.additional_root_ds_addresses) == ("a", ())


def test_setting_the_default_address() -> None:
    """A request sets the default address, or clears it with an empty one; the card's result is read."""
    assert SetDefaultDpAddressRequest("ab").encode().hex() == "bf3f0480026162"
    assert SetDefaultDpAddressRequest("").encode().hex() == "bf3f028000"
    assert SetDefaultDpAddressResult.decode(bytes.fromhex("BF3F0380017F")).reason == "undefinedError"
    with pytest.raises(MalformedError):
        SetDefaultDpAddressResult.decode(b"")
