"""The check of Profile Policy Rules against the Rules Authorisation Table (SGP.22 v2.5, 2.9.2 and 2.9.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lpad.simulator.euicc.chip.behaviour import Operator, RatRule

PPR1_NO_DISABLING, PPR2_NO_DELETING = 1, 2
_ANY_DIGIT = 0xE


def bits_of(bit_string: tuple[bytes, int] | None) -> frozenset[int]:
    """Return the numbers of the bits that are set, bit 0 first in the string."""
    if bit_string is None:
        return frozenset()
    data, count = bit_string
    return frozenset(bit for bit in range(min(count, 8 * len(data))) if data[bit // 8] << bit % 8 & 0x80)


def bit_string(bits: Iterable[int]) -> tuple[bytes, int]:
    """Return the bits as a DER string of named bits, without trailing zeros."""
    chosen = sorted(set(bits))
    if not chosen:
        return b"", 0
    data = bytearray(chosen[-1] // 8 + 1)
    for bit in chosen:
        data[bit // 8] |= 0x80 >> bit % 8
    return bytes(data), chosen[-1] + 1


def rat_rows(rules: Sequence[RatRule]) -> list[dict[str, Any]]:
    """Return the rules as RulesAuthorisationTable."""
    return [
        {
            "pprIds": bit_string(rule.pprs),
            "allowedOperators": [_operator_id(operator) for operator in rule.operators],
            "pprFlags": bit_string([0] if rule.consent else []),
        }
        for rule in rules
    ]


def rat_allows(ppr: int, owner: dict[str, Any], rows: Sequence[dict[str, Any]]) -> bool:
    """Return whether a profile of `owner` (OperatorId) may have the rule `ppr`."""
    return any(
        ppr in bits_of(row["pprIds"]) and any(_matches(allowed, owner) for allowed in row["allowedOperators"])
        for row in rows
    )


def has_wildcard(owner: dict[str, Any]) -> bool:
    """Return whether an operator's code contains a wildcard, which is valid only in the table."""
    return _ANY_DIGIT in _nibbles(owner["mccMnc"])


def mcc_mnc_digits(mcc_mnc: bytes) -> str:
    """Return the five or six digits of an operator's code (3GPP TS 24.008, 10.5.1.13)."""
    one, two, three = mcc_mnc
    order = (one & 0xF, one >> 4, two & 0xF, three & 0xF, three >> 4, two >> 4)
    return "".join(f"{nibble:X}" for nibble in order).rstrip("F")


def mcc_mnc_bytes(digits: str) -> bytes:
    """Return the three bytes of five or six digits; the third digit of the MNC has a separate place."""
    one, two, three, four, five, six = (int(digit, 16) for digit in digits.ljust(6, "F"))
    return bytes([two << 4 | one, six << 4 | three, five << 4 | four])


def _operator_id(operator: Operator) -> dict[str, Any]:
    made: dict[str, Any] = {"mccMnc": mcc_mnc_bytes(operator.mcc_mnc)}
    if operator.gid1 is not None:
        made["gid1"] = bytes.fromhex(operator.gid1)
    if operator.gid2 is not None:
        made["gid2"] = bytes.fromhex(operator.gid2)
    return made


def _nibbles(data: bytes) -> list[int]:
    return [nibble for byte in data for nibble in (byte >> 4, byte & 0xF)]


def _matches(allowed: dict[str, Any], owner: dict[str, Any]) -> bool:
    digits = zip(_nibbles(allowed["mccMnc"]), _nibbles(owner["mccMnc"]), strict=True)
    return all(rule in (_ANY_DIGIT, digit) for rule, digit in digits) and all(
        _gid_matches(allowed.get(name), owner.get(name)) for name in ("gid1", "gid2")
    )


def _gid_matches(allowed: bytes | None, own: bytes | None) -> bool:
    """Return whether `own` is allowed; an empty `allowed` allows any group, None only a missing group."""
    if allowed == b"":
        return True
    return (allowed or b"") == (own or b"")
