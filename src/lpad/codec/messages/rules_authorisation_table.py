"""The Rules Authorisation Table: whose profiles may carry which policy rules (SGP.22 v2.5, 5.7.22)."""

from __future__ import annotations

from msgspec import Struct

from lpad.codec.asn1 import der, named_bits
from lpad.codec.messages.metadata import OperatorId, pprs_of

GET_RAT = bytes.fromhex("BF4300")


class AuthorisationRule(Struct, frozen=True):
    """One row: policy rules, the owners who may use them, and whether the end user must consent."""

    pprs: tuple[str, ...]
    allowed_operators: tuple[OperatorId, ...]
    consent_required: bool


def decode_rat(data: bytes) -> tuple[AuthorisationRule, ...]:
    """Return the rows of a GetRatResponse, in the order in which they apply.

    Raises:
        MalformedError: the bytes are not a GetRatResponse. A table that cannot be read in full must not allow
            anything, so unreadable rows are not ignored here.
    """
    return tuple(
        AuthorisationRule(
            pprs=pprs_of(row["pprIds"]),
            allowed_operators=tuple(map(OperatorId.from_value, row["allowedOperators"])),
            consent_required=0 in named_bits.numbers(row["pprFlags"]),
        )
        for row in der.decode("GetRatResponse", data)["rat"]
    )
