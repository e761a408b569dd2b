"""A made-up operator profile: a valid unprotected profile package with any name, ICCID and size.

This profile is for users who have no published test profile. It fulfils the conditions under which cards of
any maker install it (TCA Interoperable Profile specification 2.3, annex A): each file's access rule is in an
EF.ARR, each PIN that a directory names is defined, and files outside the templates are in a directory that
exists. The files are few; the rest of the size is filler, different for each ICCID so that mixed-up pieces
are noticed.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import count

from lpad.base.errors import InvalidValue
from lpad.base.identifiers import Iccid, swap_nibbles
from lpad.codec.asn1.tlv import encode
from lpad.simulator.profile_package.file_access_rules import (
    ADM,
    DIRECTORY,
    LONGEST_RULE,
    PIN,
    PIN2,
    READ_ALWAYS,
    READ_ALWAYS_UPDATE_NEVER,
    READ_PIN,
    RULES,
)
from lpad.simulator.profile_package.saip import (
    AKA,
    END,
    GENERIC_FILES,
    HEADER,
    MF,
    PIN_CODES,
    PUK_CODES,
    TELECOM,
    USIM,
)

DEFAULT_SIZE = 12_000
"""The default size in bytes, about that of a TS.48 test profile."""
LARGEST_SIZE = 900_000

_TEMPLATES = bytes.fromhex("67810F0102")
"""The object identifier 2.23.143.1.2, the root of the file templates."""
_USIM_AID = bytes.fromhex("A0000000871002FF49FF0589")
_MILENAGE = bytes([1])
_KEY = bytes(range(16))
_DF_TELECOM = bytes.fromhex("7F10")
_FIRST_FILLER = 0x6F80
"""Files in a first-level directory are 6Fxx (ETSI TS 102 221, 8.6); lower numbers are in use."""
_FILLER = 8000
_UST = (10, 12, 19, 33, 85)
"""Services of the USIM whose files exist: SMS, its parameters, the provider's name, EPS; 33 is mandatory."""


def made_up_profile(
    iccid: Iccid, *, name: str = "Made-up profile", imsi: str = "001010123456789", size: int = DEFAULT_SIZE
) -> bytes:
    """Return an unprotected profile package.

    Args:
        iccid: the profile's ICCID, which the header and EF.ICCID contain.
        name: 1 to 100 characters; the profile type in the header.
        imsi: 6 to 15 digits; the first five or six should agree with the metadata's profile owner.
        size: bytes of the whole package; too small a size gives the smallest package.

    Raises:
        InvalidValue: the IMSI, the name or the size is out of range.
    """
    if not (imsi.isascii() and imsi.isdecimal() and 6 <= len(imsi) <= 15):
        raise InvalidValue("an IMSI must have 6 to 15 decimal digits")
    if not 1 <= len(name) <= 100 or not 0 <= size <= LARGEST_SIZE:
        raise InvalidValue("a made-up profile needs a name of 1 to 100 characters, and at most 900000 bytes")
    first = _header(iccid, name) + _mf(iccid) + _global_codes() + _telecom()
    first += _usim(imsi, name) + _local_codes() + _aka()
    last = encode(END, _pe_header(900))
    room = size - len(first) - len(last)
    return first + _filler(iccid, room) + last


def _integer(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def _pe_header(identification: int) -> bytes:
    return encode(0xA0, encode(0x80), encode(0x81, _integer(identification)))


def _template(number: int) -> bytes:
    return encode(0x81, _TEMPLATES + bytes([number]))


def _header(iccid: Iccid, name: str) -> bytes:
    return encode(
        HEADER,
        encode(0x80, b"\x02"),
        encode(0x81, b"\x03"),
        encode(0x82, name.encode()),
        # The header has the digits in their order; EF.ICCID has them swapped in pairs
        encode(0x83, swap_nibbles(bytes(iccid))),
        encode(0xA5, encode(0x81), encode(0x84)),
        encode(0xA6, *(encode(0x06, _TEMPLATES + bytes([number])) for number in (1, 3, 4))),
    )


def _directory(*pins: int, file: bytes = b"", name: bytes = b"") -> bytes:
    """Return the parameters of a directory; the access rule is the MF's for directories."""
    fcp = encode(0x83, file) if file else b""
    fcp += encode(0x84, name) if name else b""
    return encode(0xA1, fcp, encode(0x8B, b"\x2f\x06", bytes([DIRECTORY])), encode(0xC6, bytes(pins)))


def _transparent(
    file: int, rule: int, content: bytes, *, arr: int = 0x6F06, short: int | None = None
) -> bytes:
    fcp = bytes.fromhex(f"82024121 8302{file:04X} 8B03{arr:04X}{rule:02X}")
    fcp += encode(0x80, _size(len(content)))
    fcp += encode(0x88, bytes([short << 3])) if short is not None else b""
    return encode(0xA1, fcp) + encode(0x83, content)


def _linear(file: int, rule: int, records: tuple[bytes, ...], *, length: int, arr: int = 0x6F06) -> bytes:
    """Return a file whose records are filled up with FF; skipped bytes read as FF."""
    size = _size(length * len(records))
    fcp = bytes.fromhex(f"82044221{length:04X} 8302{file:04X} 8B03{arr:04X}{rule:02X}") + encode(0x80, size)
    filled = b""
    for number, record in enumerate(records, start=1):
        filled += encode(0x83, record)
        skipped = length - len(record)
        if skipped and number < len(records):
            filled += encode(0x82, _integer(skipped))
    return encode(0xA1, fcp) + filled


def _size(length: int) -> bytes:
    """Return a length in as few bytes as possible."""
    return length.to_bytes((length.bit_length() + 7) // 8 or 1, "big")


def _mf(iccid: Iccid) -> bytes:
    application = encode(0x61, encode(0x4F, _USIM_AID), encode(0x50, b"USIM"))
    return encode(
        MF,
        _pe_header(1),
        _template(1),
        encode(0xA2, _directory(PIN, ADM)),
        encode(0xA4, _transparent(0x2FE2, READ_ALWAYS_UPDATE_NEVER, bytes(iccid), arr=0x2F06, short=2)),
        encode(0xA5, _linear(0x2F00, READ_ALWAYS, (application,), length=0x26, arr=0x2F06)),
        encode(0xA6, _linear(0x2F06, READ_ALWAYS, RULES, length=LONGEST_RULE, arr=0x2F06)),
    )


def _global_codes() -> bytes:
    puks = (encode(0x30, encode(0x80, _integer(key)), encode(0x81, b"11111111")) for key in (PIN, PIN2))
    pin = encode(0x80, _integer(PIN)) + encode(0x81, b"0000\xff\xff\xff\xff")
    pin += encode(0x82, _integer(PIN)) + encode(0x83, b"\x06")
    adm = encode(0x80, _integer(ADM)) + encode(0x81, b"55555555") + encode(0x83, b"\x03")
    pins = encode(0xA0, encode(0x30, pin), encode(0x30, adm))
    return encode(PUK_CODES, _pe_header(2), encode(0xA1, *puks)) + encode(
        PIN_CODES, _pe_header(3), encode(0xA1, pins)
    )


def _telecom() -> bytes:
    """Return DF.TELECOM alone: its files are optional, and the filler is placed in it."""
    return encode(TELECOM, _pe_header(4), _template(3), encode(0xA2, _directory(PIN, ADM, file=_DF_TELECOM)))


def _usim(imsi: str, name: str) -> bytes:
    odd = len(imsi) % 2
    digits = swap_nibbles(bytes.fromhex(("9" if odd else "1") + imsi + ("" if odd else "f")))
    number = (bytes([len(digits)]) + digits).ljust(9, b"\xff")
    provider = b"\x00" + name.encode("ascii", "replace")[:16].ljust(16, b"\xff")
    services = bytearray(17)
    for service in _UST:
        services[(service - 1) // 8] |= 1 << (service - 1) % 8
    emergency = bytes.fromhex("11F2FF") + b"Emergency\x00"
    return encode(
        USIM,
        _pe_header(5),
        _template(4),
        encode(0xA2, _directory(PIN2, PIN, ADM, file=b"\x7f\xd0", name=_USIM_AID)),
        encode(0xA3, _transparent(0x6F07, READ_PIN, number)),
        encode(0xA4, _linear(0x6F06, READ_ALWAYS, RULES, length=LONGEST_RULE)),
        encode(0xA8, _transparent(0x6F38, READ_PIN, bytes(services))),
        encode(0xAD, _transparent(0x6F46, READ_ALWAYS, provider)),
        encode(0xAE, _transparent(0x6F56, READ_PIN, b"\x00")),
        encode(0xB2, _transparent(0x6F78, READ_PIN, b"\x00\x01")),
        encode(0xB6, _linear(0x6FB7, READ_ALWAYS, (emergency,), length=len(emergency))),
    )


def _local_codes() -> bytes:
    """Return the element with PIN2, which belongs to the preceding USIM."""
    pin = encode(0x80, _integer(PIN2)) + encode(0x81, b"0000\xff\xff\xff\xff")
    pin += encode(0x82, _integer(PIN2)) + encode(0x83, b"\x03")
    return encode(PIN_CODES, _pe_header(6), encode(0xA1, encode(0xA0, encode(0x30, pin))))


def _aka() -> bytes:
    algorithm = encode(
        0xA1, encode(0x80, _MILENAGE), encode(0x81, b"\x01"), encode(0x82, _KEY), encode(0x83, bytes(16))
    )
    return encode(AKA, _pe_header(7), encode(0xA1, algorithm))


def _filler(iccid: Iccid, room: int) -> bytes:
    """Return file-management elements of `room` bytes in total, or none if they do not fit."""
    noise = b"".join(
        sha256(bytes(iccid) + number.to_bytes(4, "big")).digest() for number in range(_FILLER // 16)
    )
    made = b""
    for number in count():
        left = room - len(made)
        whole = len(_filler_element(number, noise[:_FILLER]))
        if left >= 2 * whole:
            made += _filler_element(number, noise[number % 32 :][:_FILLER])
        elif left > whole - _FILLER + 256:  # more than 256 bytes have the overhead of a full element
            made += _filler_element(number, (noise + noise)[: left - (whole - _FILLER)])
        else:
            return made
    raise AssertionError


def _filler_element(number: int, content: bytes) -> bytes:
    size = len(content).to_bytes(2, "big").hex()
    file = _FIRST_FILLER + number
    fcp = bytes.fromhex(f"82024121 8302{file:04X} 8B032F06{READ_ALWAYS:02X} 8002{size} 8800")
    commands = encode(0x80, _DF_TELECOM) + encode(0x62, fcp) + encode(0x81, content)
    return encode(GENERIC_FILES, _pe_header(1000 + number), encode(0xA1, encode(0x30, commands)))
