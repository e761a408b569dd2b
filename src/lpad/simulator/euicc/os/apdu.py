"""Parsing of command APDUs in the card (ISO/IEC 7816-4, 5; short lengths only)."""

from __future__ import annotations

from dataclasses import dataclass

from lpad.simulator.euicc.chip.status_word import Refusal, StatusWord

_MANY = 256


@dataclass(frozen=True, slots=True)
class Command:
    """A command APDU: header, body and expected length."""

    raw: bytes
    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes
    le: int | None
    """The expected length, 1 to 256; None if the command has none."""

    @classmethod
    def parse(cls, apdu: bytes) -> Command:
        """Parse a command.

        Raises:
            Refusal: the body's length does not match Lc, or the header is incomplete.
        """
        if len(apdu) < 4:
            raise Refusal(StatusWord.WRONG_LENGTH, "a command must have at least four bytes")
        body, le = b"", None
        if len(apdu) == 5:
            le = apdu[4] or _MANY
        elif len(apdu) > 5:
            length = apdu[4]
            body, rest = apdu[5 : 5 + length], apdu[5 + length :]
            if length == 0 or len(body) < length or len(rest) > 1:
                raise Refusal(StatusWord.WRONG_LENGTH, f"Lc says {length}, the body has {len(apdu) - 5}")
            le = (rest[0] or _MANY) if rest else None
        return cls(apdu, apdu[0], apdu[1], apdu[2], apdu[3], body, le)

    @property
    def without_le(self) -> bytes:
        """Header and body: the parts that a repetition with a different Le shares with the first command."""
        return self.raw[: 5 + len(self.data)] if self.data else self.raw[:4]

    @property
    def proprietary(self) -> bool:
        """Whether the class is GlobalPlatform's or ETSI's: 8x and Cx."""
        return self.cla >= 0x80

    @property
    def channel(self) -> int:
        """The logical channel of the class byte.

        Raises:
            Refusal: a class with secure messaging, or an unknown one.
        """
        if self.cla in (*range(0x04), *range(0x80, 0x84)):
            return self.cla & 0x03
        if self.cla in (*range(0x40, 0x50), *range(0xC0, 0xD0)):
            return 4 + (self.cla & 0x0F)
        if self.cla & 0x0C or self.cla & 0x60 == 0x60:
            raise Refusal(StatusWord.NO_SECURE_MESSAGING, "secure messaging")
        raise Refusal(StatusWord.CLA_NOT_SUPPORTED, f"class {self.cla:02X}")
