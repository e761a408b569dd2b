"""The order of failover: cyclic, without profiles that the card does not have."""

from __future__ import annotations

import pytest

from engine.guarding import THIRD
from engine.lab import FIRST, SECOND
from lpad.base.guard_condition import Condition
from lpad.engine.policy.health_rules import FailoverPolicy, HealthRule
from lpad.engine.snapshot.profile import Profile
from lpad.engine.snapshot.profile_list import ProfileList

ORDER = tuple(
    HealthRule(iccid=iccid, conditions=(Condition.parse("registered"),), interval=60, lasting=600)
    for iccid in (FIRST, SECOND, THIRD)
)
POLICY = FailoverPolicy(rules=ORDER, within=180, cooldown=3600)
ALL = frozenset({FIRST, SECOND, THIRD})
STRANGER = "8900101000000000041"


def listed(*iccids: str, enabled: str | None) -> ProfileList:
    """Return the list of a card with the given profiles."""
    return ProfileList(
        profiles=tuple(
            Profile(iccid=each, state="enabled" if each == enabled else "disabled") for each in iccids
        )
    )


@pytest.mark.parametrize(
    ("after", "installed", "enabled", "wanted"),
    [
        (FIRST, ALL, FIRST, SECOND),
        (SECOND, ALL, SECOND, THIRD),
        (THIRD, ALL, THIRD, FIRST),
        (FIRST, {FIRST, THIRD}, FIRST, THIRD),
        (SECOND, ALL, FIRST, THIRD),  # SECOND was tried without success, and FIRST is enabled again.
        (THIRD, ALL, FIRST, SECOND),
        (SECOND, {FIRST, SECOND}, FIRST, SECOND),
        (FIRST, {FIRST}, FIRST, None),
        (STRANGER, ALL, FIRST, SECOND),
        (FIRST, set(), FIRST, None),
    ],
)
def test_the_next_profile_follows_the_one_tried_last(
    after: str, installed: set[str], enabled: str, wanted: str | None
) -> None:
    """The next profile is the one after the last tried, if the card has it, but never the rejected one."""
    found = POLICY.following(after, listed=listed(*installed, enabled=enabled), enabled=enabled)
    assert (None if found is None else found.iccid) == wanted


def test_a_profile_has_its_own_rule() -> None:
    """Neither a profile outside the order nor a missing profile has a rule."""
    assert POLICY.rule(listed(FIRST, SECOND, enabled=SECOND)) is ORDER[1]
    assert POLICY.rule(listed(FIRST, STRANGER, enabled=STRANGER)) is None
    assert POLICY.rule(listed(FIRST, SECOND, enabled=None)) is None
