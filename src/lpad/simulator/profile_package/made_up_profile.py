"""A made-up operator profile: a valid unprotected profile package of any name, number and size.

For those who have no published test profile at hand. The files are few, the rest of the size is filler
in one directory, different for each ICCID so that mixed-up pieces are noticed.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import count

from lpad.base.errors import InvalidValue
from lpad.base.identifiers import Iccid, swap_nibbles
from lpad.codec.asn1.tlv import encode
from lpad.simulator.profile_package.saip import (
    AKA,
    END,
    GENERIC_FILES,
    HEADER,
    MF,
    PIN_CODES,
    PUK_CODES,
    USIM,
)

DEFAULT_SIZE = 12_000
"""Bytes; about what a TS.48 test profile has."""
LARGEST_SIZE = 900_000

_TEMPLATES = bytes.fromhex("67810F0102")
"""The object identifier 2.23.143.1.2, below which the file templates stand."""
_USIM_AID = bytes.fromhex("A0000000871002FF49FF0589")
_MILENAGE = bytes([1])
_KEY = bytes(range(16))
_FILLER = 1000


def made_up_profile(
    iccid: Iccid, *, name: str = "Made-up profile", imsi: str = "001010123456789", size: int = DEFAULT_SIZE
) -> bytes:
    """Return an unprotected profile package.

    Args:
        iccid: the profile's number, as header and EF.ICCID have it.
        name: 1 to 100 characters; the profile type in the header.
        imsi: 6 to 15 digits; the first five or six should agree with the metadata's profile owner.
        size: bytes of the whole package; too small a size gives the smallest package.

    Raises:
        InvalidValue: the IMSI, the name or the size is out of range.
    """
    if not (imsi.isdecimal() and 6 <= len(imsi) <= 15):
        raise InvalidValue("an IMSI has 6 to 15 decimal digits")
    if not 1 <= len(name) <= 100 or not 0 <= size <= LARGEST_SIZE:
        raise InvalidValue("a made-up profile has a name of 1 to 100 characters and at most 900000 bytes")
    first = _header(iccid, name) + _mf(iccid) + _codes() + _usim(imsi, name) + _aka()
    last = encode(END, _pe_header(900))
    room = size - len(first) - len(last)
    return first + _filler(iccid, room) + last


def _pe_header(identification: int) -> bytes:
    number = identification.to_bytes(2, "big").lstrip(b"\x00")
    return encode(0xA0, encode(0x80), encode(0x81, b"\x00" * (number[0] >> 7) + number))


def _template(number: int) -> bytes:
    return encode(0x81, _TEMPLATES + bytes([number]))


def _header(iccid: Iccid, name: str) -> bytes:
    return encode(
        HEADER,
        encode(0x80, b"\x02"),
        encode(0x81, b"\x03"),
        encode(0x82, name.encode()),
        encode(0x83, swap_nibbles(bytes(iccid))),  # straight digits here, swapped in EF.ICCID
        encode(0xA5, encode(0x81), encode(0x84)),
        encode(0xA6, *(encode(0x06, _TEMPLATES + bytes([number])) for number in (1, 4))),
    )


def _file(descriptor: str, content: bytes = b"") -> bytes:
    fcp = encode(0xA1, bytes.fromhex(descriptor))
    return fcp + encode(0x83, content) if content else fcp


def _mf(iccid: Iccid) -> bytes:
    directory = encode(0x61, encode(0x4F, _USIM_AID), encode(0x50, b"USIM"))
    return encode(
        MF,
        _pe_header(1),
        _template(1),
        encode(0xA2, _file("8B032F0601C603010A0B")),
        encode(0xA4, _file("8202412183022FE28B032F0603880110A503C00140", bytes(iccid))),
        encode(0xA5, _file("82044221002183022F008B032F0602800121A503C00140", directory)),
        encode(
            0xA6,
            _file(
                "82044221002E83022F068B032F060280012EA503C00140",
                bytes.fromhex("80015EA40683010A9501088401D4"),
            ),
        ),
    )


def _codes() -> bytes:
    puk = encode(0x30, encode(0x80, b"\x01"), encode(0x81, b"11111111"))
    pin = encode(
        0x30,
        encode(0x80, b"\x01"),
        encode(0x81, b"0000\xff\xff\xff\xff"),
        encode(0x82, b"\x01"),
        encode(0x83, b"\x06"),
    )
    return encode(PUK_CODES, _pe_header(2), encode(0xA1, puk)) + encode(
        PIN_CODES, _pe_header(3), encode(0xA1, encode(0xA0, pin))
    )


def _usim(imsi: str, name: str) -> bytes:
    odd = len(imsi) % 2
    digits = swap_nibbles(bytes.fromhex(("9" if odd else "1") + imsi + ("" if odd else "f")))
    provider = b"\x00" + name.encode("ascii", "replace")[:16].ljust(16, b"\xff")
    rule = bytes.fromhex("80015EA40683010A9501088401D4")
    emergency = bytes.fromhex("11F2FF") + b"Emergency\x00"
    return encode(
        USIM,
        _pe_header(4),
        _template(4),
        encode(0xA2, _file(f"83027FD0840C{_USIM_AID.hex()}8B032F0601C60301010A")),
        encode(0xA3, _file("8202412183026F078B036F060AA500", bytes([len(digits)]) + digits)),
        encode(0xA4, _file("82044221002E83026F068B036F060880012EA500", rule)),
        encode(0xA8, _file("8202412183026F388B036F0602800107A500", bytes.fromhex("1E0A1C8CE72200"))),
        encode(0xAD, _file("8202412183026F468B036F0602A500", provider)),
        encode(0xAE, _file("8202412183026F568B036F0601A500", b"\x00")),
        encode(0xB2, _file("8202412183026F788B036F0603A500", b"\x00\x01")),
        encode(0xB6, _file("82044221000D83026FB78B036F060880010DA500", emergency)),
    )


def _aka() -> bytes:
    algorithm = encode(
        0xA1, encode(0x80, _MILENAGE), encode(0x81, b"\x01"), encode(0x82, _KEY), encode(0x83, bytes(16))
    )
    return encode(AKA, _pe_header(5), encode(0xA1, algorithm))


def _filler(iccid: Iccid, room: int) -> bytes:
    """Return file-management elements of `room` bytes in all, none where one doesn't fit."""
    noise = b"".join(
        sha256(bytes(iccid) + number.to_bytes(4, "big")).digest() for number in range(_FILLER // 16)
    )
    made = b""
    for number in count():
        left = room - len(made)
        whole = len(_filler_element(number, noise[:_FILLER]))
        if left >= 2 * whole:
            made += _filler_element(number, noise[number % 32 :][:_FILLER])
        elif left > whole - _FILLER + 256:  # from here on the lengths' own lengths don't change
            made += _filler_element(number, (noise + noise)[: left - (whole - _FILLER)])
        else:
            return made
    raise AssertionError


def _filler_element(number: int, content: bytes) -> bytes:
    size = len(content).to_bytes(2, "big").hex()
    fcp = bytes.fromhex(f"82024121 8302{0x6000 + number:04X} 8B032F0602 8002{size} 8800 A500")
    commands = encode(0x80, bytes.fromhex("7F10")) + encode(0x62, fcp) + encode(0x81, content)
    return encode(GENERIC_FILES, _pe_header(1000 + number), encode(0xA1, encode(0x30, commands)))
