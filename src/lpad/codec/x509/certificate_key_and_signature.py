"""The place of a certificate in its chain: names, keys, times and signature (RFC 5280, 4.1).

lpad reads these parts to find and report the signing key; OpenSSL decides whether the certificate is valid.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from lpad.base.errors import MalformedError
from lpad.base.frozen import Frozen
from lpad.codec.asn1 import object_identifier, tlv

if TYPE_CHECKING:
    from lpad.codec.asn1.tlv import Tlv

_SEQUENCE, _INTEGER, _BIT_STRING, _OID = 0x30, 0x02, 0x03, 0x06
_UTC_TIME = 0x17
_VERSION = 0xA0
_COMMON_NAME = bytes.fromhex("550403")
_TEXTS = {0x1E: "utf-16-be"}
"""BMPString; all other kinds of text in names are read as UTF-8, which includes ASCII."""

P256 = "1.2.840.10045.3.1.7"
BRAINPOOL_P256R1 = "1.3.36.3.3.2.8.1.1.7"


class PublicKey(Struct, frozen=True):
    """A key: `algorithm` and `curve` as dotted identifiers, `point` as bytes of its BIT STRING."""

    algorithm: str
    curve: str | None
    point: bytes

    @property
    def key_id(self) -> bytes:
        """The key identifier, 20 bytes: SHA-1 of the point (RFC 5280, 4.2.1.2, method 1)."""
        return hashlib.sha1(self.point, usedforsecurity=False).digest()


class SignedCertificate(Frozen):
    """A certificate's parts; names and `signed` are DER, `algorithm` dotted, `signature` unchanged."""

    raw: bytes
    signed: bytes
    serial_number: int
    issuer: bytes
    subject: bytes
    not_before: datetime
    not_after: datetime
    key: PublicKey
    algorithm: str
    signature: bytes

    @classmethod
    def decode(cls, raw: bytes) -> SignedCertificate:
        """Read a certificate.

        Raises:
            MalformedError: the bytes are not an X.509 certificate.
        """
        parts = _sequence(tlv.parse(raw), 3)
        fields = list(_sequence(parts[0], 6))
        if fields[0].tag == _VERSION:
            fields.pop(0)
        if len(fields) < 6 or fields[0].tag != _INTEGER:
            raise MalformedError("these bytes are not an X.509 certificate")
        serial, _, issuer, validity, subject, key = fields[:6]
        begin, end = _sequence(validity, 2)[:2]
        return cls(
            raw=raw,
            signed=parts[0].raw,
            serial_number=int.from_bytes(serial.value, "big", signed=True),
            issuer=issuer.raw,
            subject=subject.raw,
            not_before=time_of(begin),
            not_after=time_of(end),
            key=_public_key(key),
            algorithm=object_identifier.decode(parts[1].get(_OID).value),
            signature=_bits(parts[2]),
        )

    @property
    def common_name(self) -> str:
        """The subject's common name, or the last part of its name; printable."""
        return _text_of(self.subject)

    @property
    def issuer_name(self) -> str:
        """The issuer's common name, or the last part of its name; printable."""
        return _text_of(self.issuer)


def time_of(element: Tlv) -> datetime:
    """Return the moment in a UTCTime or GeneralizedTime (RFC 5280, 4.1.2.5).

    Raises:
        MalformedError: the text of the element is not such a time.
    """
    text = element.value.decode("ascii", "replace")
    if element.tag == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise MalformedError("a certificate contains an invalid time") from error


def _public_key(info: Tlv) -> PublicKey:
    algorithm, bits = _sequence(info, 2)[:2]
    identifiers = [
        object_identifier.decode(child.value) for child in _sequence(algorithm, 1) if child.tag == _OID
    ]
    if not identifiers:
        raise MalformedError("a certificate's key names no algorithm")
    curve = identifiers[1] if len(identifiers) > 1 else None
    return PublicKey(algorithm=identifiers[0], curve=curve, point=_bits(bits))


def _bits(element: Tlv) -> bytes:
    if element.tag != _BIT_STRING or not element.value:
        raise MalformedError("a certificate lacks its BIT STRING")
    return element.value[1:]


def _sequence(element: Tlv, least: int) -> tuple[Tlv, ...]:
    children = element.children() if element.tag == _SEQUENCE else ()
    if len(children) < least:
        raise MalformedError("these bytes are not an X.509 certificate")
    return children


def _text_of(name: bytes) -> str:
    found = ""
    try:
        for part in tlv.parse(name).children():
            for attribute in part.children():
                kind, *value = attribute.children()
                if value:
                    found = value[0].value.decode(_TEXTS.get(value[0].tag, "utf-8"), "replace")
                    if kind.value == _COMMON_NAME:
                        return _printable(found)
    except (MalformedError, ValueError):
        return "?"
    return _printable(found) or "?"


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)[:64]
