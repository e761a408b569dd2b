"""The verdict on a profile's policy rules by the card's table (RAT)."""

from __future__ import annotations

import pytest

from lpad.codec.messages.metadata import OperatorId
from lpad.codec.messages.rules_authorisation_table import AuthorisationRule
from lpad.lpa.policy_rules import PolicyVerdict, judge


def operator(mcc_mnc: str, gid1: bytes | None = b"", gid2: bytes | None = b"") -> OperatorId:
    """Return an operator in the digit order of TS 24.008: MCC 2, MCC 1, MNC 3, MCC 3, MNC 2, MNC 1."""
    return OperatorId(bytes.fromhex(mcc_mnc), gid1, gid2)


def row(
    *operators: OperatorId, rules: tuple[str, ...] = ("ppr1", "ppr2"), consent: bool = False
) -> AuthorisationRule:
    return AuthorisationRule(pprs=rules, allowed_operators=operators, consent_required=consent)


ANY = operator("EEEEEE")
OWNER = OperatorId(bytes.fromhex("00F110"))  # MCC 001, MNC 01
ALLOWED = PolicyVerdict()
FORBIDDEN = PolicyVerdict(forbidden=("ppr1",))
CONSENT = PolicyVerdict(needing_consent=("ppr1",))


@pytest.mark.parametrize(
    ("table", "verdict"),
    [
        ([], FORBIDDEN),
        ([row(ANY)], ALLOWED),
        ([row(ANY, consent=True)], CONSENT),
        ([row(ANY, rules=("ppr2",))], FORBIDDEN),
        ([row(operator("00F110"))], ALLOWED),
        ([row(operator("00FE10"))], ALLOWED),
        ([row(operator("00F1E0"))], ALLOWED),
        ([row(operator("00E1E0"))], ALLOWED),
        ([row(operator("00F120"))], FORBIDDEN),
        ([row(operator("00F120"), ANY)], ALLOWED),
        ([row(operator(""))], FORBIDDEN),
        ([row(operator("00F110"), consent=True), row(ANY)], CONSENT),
        ([row(operator("00F120")), row(ANY, consent=True)], CONSENT),
        ([row(ANY, rules=("ppr2",)), row(ANY, rules=("ppr1",), consent=True)], CONSENT),
    ],
)
def test_the_first_fitting_row_decides(table: list[AuthorisationRule], verdict: PolicyVerdict) -> None:
    """The first row of the RAT that matches rule and owner decides; the digit E matches any digit."""
    assert judge(("ppr1",), OWNER, table=table) == verdict


@pytest.mark.parametrize(
    ("pattern", "group", "fits"),
    [
        (b"", None, True),
        (b"", b"\x01", True),
        (b"\x01", b"\x01", True),
        (b"\x01", b"\x02", False),
        (b"\x01", None, False),
        (None, None, True),
        (None, b"", True),
        (None, b"\x01", False),
    ],
)
@pytest.mark.parametrize("which", ["gid1", "gid2"])
def test_group_identifiers_are_matched_by_patterns(
    pattern: bytes | None,
    group: bytes | None,
    fits: bool,  # noqa: FBT001  a table's column
    which: str,
) -> None:
    """An empty GID pattern matches any owner, and a missing one only an owner without a GID."""
    table = [row(operator("EEEEEE", **{which: pattern}))]
    owner = OperatorId(OWNER.mcc_mnc, **{which: group})
    assert (judge(("ppr1",), owner, table=table) == ALLOWED) is fits


@pytest.mark.parametrize("owner", [None, OperatorId(b""), operator("EEEEEE"), operator("00FE10")])
def test_without_a_proper_owner_nothing_is_allowed(owner: OperatorId | None) -> None:
    """A policy rule is forbidden for a profile without an owner or with a wildcard as owner."""
    assert judge(("ppr1",), owner, table=[row(ANY)]) == FORBIDDEN


def test_forbidden_by_the_card() -> None:
    """A policy rule that EUICCInfo2 forbids is forbidden whatever the RAT contains."""
    assert judge(("ppr1",), OWNER, table=[row(ANY)], forbidden=("ppr1",)) == FORBIDDEN


def test_each_rule_is_judged_for_itself() -> None:
    """Each policy rule of a profile has its own verdict: one may be forbidden while another needs consent."""
    table = [row(ANY, rules=("ppr2",), consent=True)]
    assert judge(("ppr1", "ppr2"), OWNER, table=table) == PolicyVerdict(("ppr1",), ("ppr2",))


def test_a_profile_without_rules_is_allowed() -> None:
    """A profile without policy rules is allowed even by an empty RAT."""
    assert judge((), None, table=[]) == ALLOWED
