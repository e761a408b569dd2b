"""Precedence: which of a card's changes comes first, and which of them a running one makes way for."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from lpad.engine.change.overtaking import SWITCHES
from lpad.engine.change.params import ProfileParams
from lpad.engine.snapshot.snapshot import CardState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lpad.engine.change.change import Change
    from lpad.engine.running.run import Run
    from lpad.engine.snapshot.snapshot import Snapshot


class Rank(enum.IntEnum):
    """A place in the order; of changes with the same rank, the one that came first is first."""

    TAKEN_UP = 0  # it was cut off, and perhaps with a profile on trial
    SWITCH = 1  # it may be the way home
    OTHER = 2  # its turn comes in the order in which it was asked for


def rank(run: Run, *, card: Snapshot, others: Iterable[Change]) -> Rank:
    """Return a change's place in the order.

    Args:
        run: the change.
        card: as it was last read.
        others: the changes that are queued or run.
    """
    if run.settled is not None or run.change.guard is not None:
        return Rank.TAKEN_UP
    if run.change.kind not in SWITCHES or _is_expected(run.change, card, others):
        return Rank.OTHER
    return Rank.SWITCH


def _is_expected(switch: Change, card: Snapshot, others: Iterable[Change]) -> bool:
    """Whether a switch is to a profile that a download before it is perhaps about to install.

    A card that could not be read holds whatever is asked for: a switch is not made to wait on a guess.
    """
    wanted = switch.params.iccid if isinstance(switch.params, ProfileParams) else None
    if card.state is not CardState.READY or wanted is None or not card.listed.lacks_name(wanted):
        return False
    return any(other.kind.downloads and other.id < switch.id for other in others)
