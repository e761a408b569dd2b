"""Whether failover has tried its whole order without success, so that only another profile would help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.engine.change.change import FAILOVER, Kind, State
from lpad.engine.change.params import ProfileParams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lpad.engine.change.change import Change
    from lpad.engine.policy.health_rules import FailoverPolicy
    from lpad.engine.snapshot.profile_list import ProfileList


def is_exhausted(
    policy: FailoverPolicy,
    changes: Iterable[Change],
    listed: ProfileList,
    *,
    enabled: str,
    healthy_at: int,
    since_end: Callable[[Change], float],
) -> bool:
    """Return whether every other profile of the order has failed since the enabled profile was healthy.

    Args:
        policy: has the order of the profiles.
        changes: the card's changes, newest first.
        listed: the profiles on the card; a profile that the card lacks need not be tried.
        enabled: the unhealthy profile, by ICCID or AID.
        healthy_at: failover's latest change at the time when a profile was last healthy; 0: unknown, as after
            a restart. In any case, only failures of the last two rounds count.
        since_end: returns how many seconds ago a change has ended.
    """
    left = listed.named(enabled)
    untried = [each for rule in policy.rules if (each := listed.named(rule.iccid)) not in (None, left)]
    longest = max((rule.lasting for rule in policy.rules), default=0.0)
    two_rounds = 2 * len(policy.rules) * (policy.within + policy.cooldown + longest)
    for change in changes:
        if change.origin != FAILOVER or change.kind is not Kind.ENABLE:
            continue
        in_vain = change.state is State.FAILED and change.guard is not None
        if not in_vain or change.id <= healthy_at or since_end(change) > two_rounds:
            break
        if change.guard is None or not listed.means(change.guard.previous, left):
            break
        tried = listed.named(change.params.iccid) if isinstance(change.params, ProfileParams) else None
        untried = [each for each in untried if each != tried]
    return not untried
