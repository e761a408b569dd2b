"""The server addresses in a card (SGP.22 v2.5, 5.7.3 and 5.7.4)."""

from __future__ import annotations

from msgspec import Struct

from lpad.codec.asn1 import broken_list, der, tlv
from lpad.codec.messages.result_code import ResultAnswer

GET_EUICC_CONFIGURED_ADDRESSES = bytes.fromhex("BF3C00")
_ADDITIONAL = 0xA2
_TEXT_TAGS = (0x0C, 0x82)
"""UTF8String in `additionalRootDsAddress`: the grammar has 0C, but one encoder writes 82."""


class SetDefaultDpAddressResult(
    ResultAnswer, answer="SetDefaultDpAddressResponse", field="setDefaultDpAddressResult"
):
    """The result of setting the default SM-DP+ address."""

    OK = 0, "ok"
    UNDEFINED_ERROR = 127, "undefinedError"


class ConfiguredAddresses(Struct, frozen=True):
    """EuiccConfiguredAddresses (BF3C), as the card wrote them; None if the card has no such address."""

    default_dp_address: str | None
    root_ds_address: str | None
    additional_root_ds_addresses: tuple[str, ...]

    @classmethod
    def decode(cls, raw: bytes) -> ConfiguredAddresses:
        """Read the answer; an empty address becomes None.

        Raises:
            MalformedError: the bytes are not an EuiccConfiguredAddressesResponse.
        """
        value = der.decode("EuiccConfiguredAddressesResponse", raw, lenient=True)
        return cls(
            default_dp_address=value.get("defaultDpAddress") or None,
            root_ds_address=value.get("rootDsAddress") or None,
            additional_root_ds_addresses=_additional(raw),
        )


class SetDefaultDpAddressRequest(Struct, frozen=True):
    """SetDefaultDpAddress (BF3F): an empty address clears the stored one."""

    address: str

    def encode(self) -> bytes:
        """Return the request."""
        return der.encode("SetDefaultDpAddressRequest", {"defaultDpAddress": self.address})


def _additional(raw: bytes) -> tuple[str, ...]:
    """Return the readable texts of `additionalRootDsAddress`."""
    members = broken_list.whole_children(tlv.parse_first(raw)[0].value)[0]
    listed = next((each.value for each in members if each.tag == _ADDITIONAL), b"")
    return tuple(
        each.value.decode(errors="replace")
        for each in broken_list.whole_children(listed)[0]
        if each.tag in _TEXT_TAGS and each.value
    )
