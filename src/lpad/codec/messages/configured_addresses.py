"""The server addresses in a card (SGP.22 v2.5, 5.7.3 and 5.7.4)."""

from __future__ import annotations

from msgspec import Struct

from lpad.codec.asn1 import der
from lpad.codec.messages.result_code import ResultCode

GET_EUICC_CONFIGURED_ADDRESSES = bytes.fromhex("BF3C00")


class SetDefaultDpAddressResult(ResultCode):
    """The result of setting the default SM-DP+ address."""

    OK = 0, "ok"
    UNDEFINED_ERROR = 127, "undefinedError"

    @classmethod
    def decode(cls, data: bytes) -> SetDefaultDpAddressResult:
        """Read a SetDefaultDpAddressResponse.

        Raises:
            MalformedError: another answer.
        """
        return cls._in("SetDefaultDpAddressResponse", "setDefaultDpAddressResult", data)


class ConfiguredAddresses(Struct, frozen=True):
    """EuiccConfiguredAddresses (BF3C), as the card wrote them; None if the card has no such address."""

    default_dp_address: str | None
    root_ds_address: str | None
    additional_root_ds_addresses: tuple[str, ...]

    @classmethod
    def decode(cls, raw: bytes) -> ConfiguredAddresses:
        """Read the answer; an empty address is None.

        Raises:
            MalformedError: another answer.
        """
        value = der.decode("EuiccConfiguredAddressesResponse", raw, lenient=True)
        return cls(
            default_dp_address=value.get("defaultDpAddress") or None,
            root_ds_address=value.get("rootDsAddress") or None,
            additional_root_ds_addresses=tuple(value.get("additionalRootDsAddress", ())),
        )


class SetDefaultDpAddressRequest(Struct, frozen=True):
    """SetDefaultDpAddress (BF3F): the empty address clears it."""

    address: str

    def encode(self) -> bytes:
        """Return the request."""
        return der.encode("SetDefaultDpAddressRequest", {"defaultDpAddress": self.address})
