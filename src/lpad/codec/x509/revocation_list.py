"""Reading of certificate revocation lists (RFC 5280, 5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError
from lpad.base.frozen import Frozen
from lpad.codec.asn1 import object_identifier, tlv
from lpad.codec.x509.certificate_key_and_signature import time_of

if TYPE_CHECKING:
    from datetime import datetime

    from lpad.codec.asn1.tlv import Tlv

_SEQUENCE, _INTEGER, _OID = 0x30, 0x02, 0x06
_TIMES = (0x17, 0x18)


class RevocationList(Frozen):
    """A revocation list: `issuer` and `signed` are DER, `algorithm` dotted; `next_update` may be None."""

    issuer: bytes
    next_update: datetime | None
    serial_numbers: frozenset[int]
    signed: bytes
    algorithm: str
    signature: bytes

    @classmethod
    def decode(cls, raw: bytes) -> RevocationList:
        """Read a certificate revocation list.

        Raises:
            MalformedError: the bytes are not a CRL.
        """
        parts = _sequence(tlv.parse(raw))
        if len(parts) < 3 or not parts[2].value:
            raise MalformedError("these bytes are not a certificate revocation list")
        fields = [field for field in _sequence(parts[0]) if field.tag != _INTEGER]
        if len(fields) < 3 or fields[2].tag not in _TIMES:
            raise MalformedError("these bytes are not a certificate revocation list")
        _, issuer, _, *more = fields
        next_update = time_of(more.pop(0)) if more and more[0].tag in _TIMES else None
        entries = _sequence(more[0]) if more and more[0].tag == _SEQUENCE else ()
        return cls(
            issuer=issuer.raw,
            next_update=next_update,
            serial_numbers=frozenset(
                int.from_bytes(entry.get(_INTEGER).value, "big", signed=True) for entry in entries
            ),
            signed=parts[0].raw,
            algorithm=object_identifier.decode(parts[1].get(_OID).value),
            signature=parts[2].value[1:],
        )


def _sequence(element: Tlv) -> tuple[Tlv, ...]:
    if element.tag != _SEQUENCE:
        raise MalformedError("these bytes are not a certificate revocation list")
    return element.children()
