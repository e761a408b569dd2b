"""The standard identifiers (EID, ICCID, AID, IMEI, …): types that parse, print and redact themselves."""

from __future__ import annotations

import re

from lpad.base.errors import InvalidValue, MalformedError
from lpad.base.frozen import Frozen
from lpad.base.lazy_pattern import LazyPattern
from lpad.base.redaction import last_digits

_HEX = LazyPattern(r"(?:[0-9A-Fa-f]{2})+")
_ICCID = LazyPattern(r"[0-9A-E]{1,20}")
_ICCID_BYTES = 10


def swap_nibbles(data: bytes) -> bytes:
    """Exchange the two digits of each byte, which converts telephony BCD to reading order, or back."""
    return bytes((byte << 4 & 0xF0) | byte >> 4 for byte in data)


class Eid(Frozen):
    """The eUICC identifier: 32 decimal digits, the last two a check number (SGP.29; mod 97 = 1)."""

    digits: str

    @classmethod
    def parse(cls, text: str) -> Eid:
        """Parse an EID of 32 digits; spaces and dashes between them are ignored.

        Raises:
            InvalidValue: not 32 decimal digits. Wrong check digits are accepted: see `check_digits_right`.
        """
        digits = re.sub(r"[\s-]", "", text)
        if not re.fullmatch(r"[0-9]{32}", digits):
            raise InvalidValue(f"an EID must have 32 decimal digits; this one has {len(digits)} characters")
        return cls(digits)

    @classmethod
    def from_bytes(cls, data: bytes) -> Eid:
        """Read the 16 bytes of tag 5A in GetEID: two digits per byte, not swapped.

        Raises:
            MalformedError: not 16 bytes, or a digit above 9.
        """
        if len(data) != 16 or not data.hex().isdecimal():
            raise MalformedError(f"an EID must be 16 bytes of decimal digits; got {len(data)} bytes")
        return cls(data.hex())

    @property
    def check_digits_right(self) -> bool:
        """Whether the number is 1 modulo 97; this is false for some test cards."""
        return int(self.digits) % 97 == 1

    @classmethod
    def with_check_digits(cls, first_30: str) -> Eid:
        """Complete 30 digits with the two check digits: 98 - (number * 100 mod 97)."""
        return cls(f"{first_30}{98 - int(first_30) * 100 % 97:02}")

    def __bytes__(self) -> bytes:
        return bytes.fromhex(self.digits)

    def __str__(self) -> str:
        return self.digits

    def redacted(self) -> str:
        """Return a form for logs, with only the last digits."""
        return last_digits(self.digits)


class Iccid(Frozen):
    """A profile's number as the card reports it: 1 to 20 digits from 0 to E, in capitals.

    ITU-T E.118 specifies up to 19 decimal digits with a check digit. Many operators' ICCIDs contain
    hexadecimal digits or lack the check digit (898600B5…), so lpad requires neither decimal digits nor a
    check digit. F is padding, not a digit.
    """

    digits: str

    @classmethod
    def parse(cls, text: str) -> Iccid:
        """Parse an ICCID of 1 to 20 digits in either case; ignore spaces, dashes, and F at the end.

        Modems report the ICCID with its padding F, so 19 digits and an F are the same ICCID as the
        19 digits alone.

        Raises:
            InvalidValue: the text is not an ICCID.
        """
        digits = re.sub(r"[\s-]", "", text).upper().rstrip("F")
        if not _ICCID.fullmatch(digits):
            raise InvalidValue(
                "an ICCID must have 1 to 20 digits, each 0 to 9 or A to E; copy it from 'lpactl profiles'"
            )
        return cls(digits)

    @classmethod
    def from_bytes(cls, data: bytes) -> Iccid:
        """Read the 10 bytes of tag 5A in a profile: nibbles swapped, padded with F (TS 102 221, 13.2).

        Raises:
            MalformedError: not 10 bytes, only padding, or a digit after the padding.
        """
        digits = swap_nibbles(data).hex().upper().rstrip("F")
        if len(data) != _ICCID_BYTES or not _ICCID.fullmatch(digits):
            raise MalformedError(
                f"an ICCID must be 10 bytes of swapped digits, padded at the end; got {len(data)} bytes"
            )
        return cls(digits)

    def __bytes__(self) -> bytes:
        return swap_nibbles(bytes.fromhex(self.digits.ljust(2 * _ICCID_BYTES, "F")))

    def __str__(self) -> str:
        return self.digits

    def redacted(self) -> str:
        """Return a form for logs, with only the last digits."""
        return last_digits(self.digits)


class Aid(Frozen):
    """An application identifier: 5 to 16 bytes (ISO/IEC 7816-4, 8.2.1.2)."""

    data: bytes

    def __post_init__(self) -> None:
        if not 5 <= len(self.data) <= 16:
            raise MalformedError(f"an AID must have 5 to 16 bytes; got {len(self.data)}")

    @classmethod
    def parse(cls, text: str) -> Aid:
        """Parse an AID of 10 to 32 hexadecimal digits.

        Raises:
            InvalidValue: the text is not an even number of 10 to 32 hexadecimal digits.
        """
        if not _HEX.fullmatch(text) or not 10 <= len(text) <= 32:
            raise InvalidValue("an AID must have 10 to 32 hexadecimal digits")
        return cls(bytes.fromhex(text))

    def __bytes__(self) -> bytes:
        return self.data

    def __str__(self) -> str:
        return self.data.hex().upper()


def profile_target(text: str) -> Iccid | Aid:
    """Parse the name of a profile: its ICCID, or the AID of its security domain (ISD-P).

    Up to 20 digits are an ICCID, unless there is an F between them; then, and beyond 20, they are an AID.

    Raises:
        InvalidValue: the text has neither form.
    """
    digits = re.sub(r"[\s-]", "", text)
    try:
        if len(digits) <= 2 * _ICCID_BYTES + 1:
            return Iccid.parse(digits)
        return Aid.parse(digits)
    except InvalidValue:
        if not _HEX.fullmatch(digits) or not 10 <= len(digits) <= 32 or not digits.strip("Ff"):
            raise InvalidValue(
                "name the profile by its ICCID (1 to 20 digits, each 0 to 9 or A to E) or by the AID of its"
                " security domain (10 to 32 hexadecimal digits); copy it from 'lpactl profiles'"
            ) from None
        return Aid.parse(digits)


ISD_R = Aid(bytes.fromhex("A0000005591010FFFFFFFF8900000100"))


class Imei(Frozen):
    """A device's number: 14 digits and a Luhn check digit (3GPP TS 23.003, 6.2)."""

    digits: str

    @classmethod
    def parse(cls, text: str) -> Imei:
        """Parse an IMEI of 15 digits, 14 without the check digit, or 16 with a software version (IMEISV).

        Raises:
            InvalidValue: the text does not have 14 to 16 digits, or has 15 with a wrong check digit.
        """
        digits = re.sub(r"[\s-]", "", text)
        if not re.fullmatch(r"[0-9]{14,16}", digits):
            raise InvalidValue("an IMEI must have 15 decimal digits")
        body = digits[:14]
        check = _luhn(body)
        if len(digits) == 15 and digits[14] != check:
            raise InvalidValue(
                f"the IMEI's check digit is {digits[14]}, but its other digits require {check}; check for a"
                " typing error"
            )
        return cls(body + check)

    @property
    def tac(self) -> bytes:
        """The Type Allocation Code: 8 digits as 4 bytes, nibbles swapped (SGP.22, DeviceInfo)."""
        return Tac(self.digits[:8]).to_bytes()

    def to_bytes(self, *, rsp_version: int = 2) -> bytes:
        """Return the 8 bytes of DeviceInfo.imei.

        Args:
            rsp_version: 2 puts the check digit into the high half of the last byte, F into the low
                half; 3 swaps all nibbles (SGP.22 v3.1, 4.2, warns about the difference).
        """
        first = swap_nibbles(bytes.fromhex(self.digits[:14]))
        last = int(self.digits[14])
        return first + bytes([last << 4 | 0xF if rsp_version < 3 else 0xF0 | last])

    @classmethod
    def from_bytes(cls, data: bytes) -> Imei:
        """Read either encoding of DeviceInfo.imei.

        Raises:
            MalformedError: not 8 bytes of digits and one F.
        """
        if len(data) == 8:
            for tail in (data[7] >> 4, data[7] & 0xF):
                digits = swap_nibbles(data[:7]).hex() + f"{tail:x}"
                if digits.isdecimal():
                    return cls(digits)
        raise MalformedError(f"an IMEI must be 8 bytes (15 digits and one F); got {len(data)} bytes")

    def __str__(self) -> str:
        return self.digits

    def redacted(self) -> str:
        """Return a form for logs, with only the last digits."""
        return last_digits(self.digits)


class Tac(Frozen):
    """A Type Allocation Code: the first 8 digits of an IMEI, which identify the device model."""

    digits: str

    @classmethod
    def parse(cls, text: str) -> Tac:
        """Parse a TAC of 8 digits.

        Raises:
            InvalidValue: the text does not have 8 digits.
        """
        digits = re.sub(r"[\s-]", "", text)
        if not re.fullmatch(r"[0-9]{8}", digits):
            raise InvalidValue(
                "a TAC must have 8 decimal digits, the first 8 of the device's IMEI; write it in quotes"
            )
        return cls(digits)

    def to_bytes(self) -> bytes:
        """Return DeviceInfo.tac: 4 bytes, nibbles swapped (SGP.22, DeviceInfo)."""
        return swap_nibbles(bytes.fromhex(self.digits))

    def __str__(self) -> str:
        return self.digits


class TransactionId(Frozen):
    """The server's identifier of one session: 1 to 16 bytes, in JSON as hexadecimal digits."""

    data: bytes

    def __post_init__(self) -> None:
        if not 1 <= len(self.data) <= 16:
            raise MalformedError(f"a transaction ID must have 1 to 16 bytes; got {len(self.data)}")

    @classmethod
    def from_hex(cls, text: str) -> TransactionId:
        """Parse a transaction ID of 2 to 32 hexadecimal digits in either case.

        Raises:
            MalformedError: the text is not an even number of 2 to 32 hexadecimal digits.
        """
        if not _HEX.fullmatch(text):
            raise MalformedError("a transaction ID must be 2 to 32 hexadecimal digits")
        return cls(bytes.fromhex(text))

    def __bytes__(self) -> bytes:
        return self.data

    def __str__(self) -> str:
        return self.data.hex().upper()


def _luhn(digits: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)
