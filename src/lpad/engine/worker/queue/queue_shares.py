"""Queue shares: the number of one card's changes that may wait at a time, for each user.

A runaway program must not fill memory or disk, nor exclude other users. Each user has a share, root a
reserve, and a switch gets a place even if the user's other changes fill all places. lpad's own changes, which
keep a device reachable, are always accepted: there is one of each kind at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import TooManyChanges
from lpad.engine.change.change import CALLER
from lpad.engine.change.overtaking_by_switch import SWITCHES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lpad.engine.change.change import Change, Kind

ROOT = 0

PLACES = 200
"""Places in the queue of one card. A user may have at most as many changes as there are free places, so one
user alone gets half of the places, and the next user half of the remaining ones."""

ROOT_RESERVE = 10
"""The number of waiting changes that root may always have."""

SWITCH_RESERVE = 5
"""The number of waiting switches that each user may always have."""


def check_place(
    euicc: str, kind: Kind, *, asked_by: int | None, origin: str, waiting: Iterable[Change]
) -> None:
    """Check that one more change may be queued.

    Args:
        euicc: the card, for the error.
        kind: the kind of the change.
        asked_by: the caller's user ID; None counts as root.
        origin: the requester: a caller, or lpad itself.
        waiting: the card's waiting changes of all kinds.

    Raises:
        TooManyChanges: the share is used up.
    """
    if origin != CALLER:
        return
    user = _user(asked_by)
    everyone = tuple(waiting)
    own = [each for each in everyone if _user(each.asked_by) == user]
    if len(own) < PLACES - len(everyone) or (user == ROOT and len(own) < ROOT_RESERVE):
        return
    if kind in SWITCHES and sum(each.kind in SWITCHES for each in own) < SWITCH_RESERVE:
        return
    raise TooManyChanges(
        f"{len(everyone)} changes of {euicc} are already queued, {len(own)} of them by user {user}; wait"
        " until some have ended"
    )


def _user(asked_by: int | None) -> int:
    return ROOT if asked_by is None else asked_by
