"""The access rules of a made-up profile: the records of EF.ARR (ETSI TS 102 221, 9.2.7 and 13.4).

The templates of the TCA Interoperable Profile specification (annex A) refer to a file's rule by its record
number, and a card uses the template's number for files that a profile omits. Therefore all of these records
must exist.
"""

from __future__ import annotations

from lpad.codec.asn1.tlv import encode

PIN, PIN2, ADM = 0x01, 0x81, 0x0A
"""Key references (ETSI TS 102 221, 9.5.1)."""
READ_PIN = 2
READ_ALWAYS = 10
READ_ALWAYS_UPDATE_NEVER = 11
DIRECTORY = 14

_ALWAYS, _NEVER = encode(0x90), encode(0x97)
_READ, _UPDATE, _ADMINISTER, _ALL_OF_A_DIRECTORY = 0x01, 0x02, 0x58, 0x5F
"""Bits of the access mode; the administrator may delete, activate and deactivate."""
_RESIZE = 0xD4


def _key(reference: int) -> bytes:
    return encode(0xA4, encode(0x83, bytes([reference])), encode(0x95, b"\x08"))


def _file(read: bytes, update: bytes) -> bytes:
    """Return the rule of a file; adjacent operations with the same condition share an access mode."""
    modes = [(_READ, read), (_UPDATE, update), (_ADMINISTER, _key(ADM))]
    rule = b""
    while modes:
        mode, condition = modes.pop(0)
        while modes and modes[0][1] == condition:
            mode |= modes.pop(0)[0]
        rule += encode(0x80, bytes([mode])) + condition
    return rule


_DIRECTORY_RULE = (
    encode(0x80, bytes([_ALL_OF_A_DIRECTORY])) + _key(ADM) + encode(0x84, bytes([_RESIZE])) + _key(ADM)
)

RULES = (
    _file(_ALWAYS, _key(PIN)),
    _file(_key(PIN), _key(ADM)),
    _file(_key(PIN), _key(PIN)),
    _file(_key(ADM), _key(ADM)),
    _file(_key(PIN), _key(PIN)),
    _file(_key(ADM), _key(ADM)),
    _file(_key(PIN), _key(PIN2)),
    _file(_key(PIN), _key(PIN2)),
    _file(_ALWAYS, _key(PIN)),
    _file(_ALWAYS, _key(ADM)),
    _file(_ALWAYS, _NEVER),
    _file(_key(ADM), _key(ADM)),
    _file(_key(ADM), _key(ADM)),
    _DIRECTORY_RULE,
)
"""Records 1 to 14."""
LONGEST_RULE = max(map(len, RULES))
