"""Precedence: which of a card's changes comes first, and for which changes a running change makes way."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from lpad.engine.change.change import Kind
from lpad.engine.change.overtaking_by_switch import SWITCHES
from lpad.engine.change.params import ProfileParams
from lpad.engine.snapshot.snapshot import CardState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lpad.engine.change.change import Change
    from lpad.engine.running.run import Run
    from lpad.engine.snapshot.snapshot import Snapshot


class Rank(enum.IntEnum):
    """A place in the order; of changes with the same rank, the first in the queue comes first."""

    TAKEN_UP = 0  # the change was interrupted, perhaps in a guarded switch
    SWITCH = 1  # the change may restore the connection, like a restart of the modem
    OTHER = 2  # the order in the queue decides


def rank(run: Run, *, card: Snapshot, others: Iterable[Change]) -> Rank:
    """Return a change's place in the order."""
    if run.settled is not None or run.change.guard is not None:
        return Rank.TAKEN_UP
    if run.change.kind is Kind.RESTART_MODEM:
        return Rank.SWITCH
    if run.change.kind not in SWITCHES or _is_expected(run.change, card, others):
        return Rank.OTHER
    return Rank.SWITCH


def _is_expected(switch: Change, card: Snapshot, others: Iterable[Change]) -> bool:
    """Return whether an earlier download may be about to install the profile of a switch.

    A card that was not read counts as having the profile, so that a switch never waits because of an
    assumption.
    """
    wanted = switch.params.iccid if isinstance(switch.params, ProfileParams) else None
    if card.state is not CardState.READY or wanted is None or not card.listed.lacks_name(wanted):
        return False
    return any(other.kind.downloads and other.id < switch.id for other in others)
