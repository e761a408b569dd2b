"""Whether a profile's policy rules are allowed on this card (SGP.22 v2.5, 2.9.3.1).

A profile that may not be disabled or deleted can lock a gateway to one operator permanently. So the card
contains a table of the operators whose profiles may have such rules. The LPA checks the rules against the
table before the download; the card checks them again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from lpad.codec.messages.metadata import OperatorId, ProfileMetadata
    from lpad.codec.messages.rules_authorisation_table import AuthorisationRule

# pprUpdateControl is not a rule: it controls how the other rules may be changed later.
_UPDATE_CONTROL = "pprUpdateControl"
_ANY_DIGIT = 0xE


class PolicyVerdict(Struct, frozen=True):
    """The verdict of the card's table on a profile's rules, by their names in SGP.22."""

    forbidden: tuple[str, ...] = ()
    needing_consent: tuple[str, ...] = ()


def rules_of(metadata: ProfileMetadata) -> tuple[str, ...]:
    """Return the policy rules of a profile."""
    return tuple(rule for rule in metadata.pprs if rule != _UPDATE_CONTROL)


def judge(
    rules: Iterable[str],
    owner: OperatorId | None,
    *,
    table: Sequence[AuthorisationRule],
    forbidden: Collection[str] = (),
) -> PolicyVerdict:
    """Return the verdict of the card's table on each rule.

    Args:
        owner: the profile's owner; without one, no rule is allowed.
        table: the card's rules authorisation table; the first matching row decides.
        forbidden: the rules that the card's EUICCInfo2 forbids regardless of the table.
    """
    refused, consent = [], []
    for rule in rules:
        row = None if rule in forbidden else _row_for(rule, owner, table)
        if row is None:
            refused.append(rule)
        elif row.consent_required:
            consent.append(rule)
    return PolicyVerdict(tuple(refused), tuple(consent))


def _row_for(
    rule: str, owner: OperatorId | None, table: Sequence[AuthorisationRule]
) -> AuthorisationRule | None:
    if owner is None or len(owner.mcc_mnc) != 3 or _ANY_DIGIT in _digits(owner.mcc_mnc):
        return None
    return next(
        (
            row
            for row in table
            if rule in row.pprs and any(_fits(pattern, owner) for pattern in row.allowed_operators)
        ),
        None,
    )


def _fits(pattern: OperatorId, owner: OperatorId) -> bool:
    digits = zip(_digits(pattern.mcc_mnc), _digits(owner.mcc_mnc), strict=False)
    return (
        len(pattern.mcc_mnc) == 3
        and all(wanted in (_ANY_DIGIT, digit) for wanted, digit in digits)
        and _group_fits(pattern.gid1, owner.gid1)
        and _group_fits(pattern.gid2, owner.gid2)
    )


def _group_fits(pattern: bytes | None, group: bytes | None) -> bool:
    """Return whether a group identifier matches a pattern.

    An empty pattern matches any identifier, a missing pattern only a missing identifier.
    """
    if pattern is None:
        return not group
    return pattern in (b"", group)


def _digits(mcc_mnc: bytes) -> list[int]:
    return [half for byte in mcc_mnc for half in (byte & 0xF, byte >> 4)]
