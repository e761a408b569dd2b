"""Each user has a share of a card's queue, and cannot fill it for others."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from engine.holding import held
from engine.lab import CARD, FIRST, Lab
from lpad.base.errors import TooManyChanges
from lpad.engine.change.change import CALLER, FAILOVER, RESCUE, Change, Kind, now
from lpad.engine.change.params import DisableParams, RefreshParams
from lpad.engine.worker.queue.queue_shares import PLACES, ROOT, ROOT_RESERVE, SWITCH_RESERVE, check_place

if TYPE_CHECKING:
    from collections.abc import Callable


class Queue:
    """The queue of one card."""

    def __init__(self) -> None:
        self.waiting: list[Change] = []
        self._ids = count(1)

    def ask(self, user: int | None, kind: Kind = Kind.DOWNLOAD, *, origin: str = CALLER) -> None:
        check_place(CARD, kind, asked_by=user, origin=origin, waiting=self.waiting)
        change = Change(
            id=next(self._ids),
            euicc=CARD,
            kind=kind,
            params={},
            created_at=now(),
            origin=origin,
            asked_by=user,
        )
        self.waiting.append(change)


def accepted(ask: Callable[[], None]) -> int:
    """Request changes until one is refused, and return how many were accepted."""
    for number in range(2 * PLACES):
        try:
            ask()
        except TooManyChanges:
            return number
    raise AssertionError("there is no end")


def test_one_user_leaves_half_to_the_others() -> None:
    """Each user gets at most half of the places that the others have left."""
    queue = Queue()
    assert accepted(lambda: queue.ask(1000)) == PLACES // 2
    assert accepted(lambda: queue.ask(1001)) == PLACES // 4
    assert accepted(lambda: queue.ask(1002)) == PLACES // 8


def test_root_has_reserved_places() -> None:
    """Only root can use the reserved places of a queue."""
    queue = Queue()
    for user in range(1000, 1100):
        accepted(lambda user=user: queue.ask(user))  # type: ignore[misc]  # called immediately
    assert len(queue.waiting) == PLACES
    assert accepted(lambda: queue.ask(ROOT)) == ROOT_RESERVE
    with pytest.raises(TooManyChanges, match=r"10 of them by user 0; wait until"):
        queue.ask(None)


@pytest.mark.parametrize("user", [ROOT, 1000])
def test_a_switch_finds_a_place(user: int) -> None:
    """A user whose downloads have used up the user's share can still request a limited number of switches."""
    queue = Queue()
    accepted(lambda: queue.ask(user))
    assert accepted(lambda: queue.ask(user, Kind.ENABLE)) == SWITCH_RESERVE
    with pytest.raises(TooManyChanges):
        queue.ask(user, Kind.DISABLE)


@pytest.mark.parametrize("origin", [RESCUE, FAILOVER])
def test_recovery_is_always_taken(origin: str) -> None:
    """A card's full queue still accepts lpad's own switches for a rescue or a failover."""
    queue = Queue()
    for user in (ROOT, *range(1000, 1100)):
        accepted(lambda user=user: queue.ask(user))  # type: ignore[misc]  # called immediately
    queue.ask(None, Kind.ENABLE, origin=origin)


def test_a_card_s_queue(lab: Lab) -> None:
    """A waiting change counts against the share of the user who requested it until it has ended."""
    with held(lab):
        changes = [lab.engine.submit(CARD, RefreshParams(), asked_by=1000).change for _ in range(PLACES // 2)]
        assert changes[0].asked_by == 1000
        with pytest.raises(TooManyChanges):
            lab.engine.submit(CARD, RefreshParams(), asked_by=1000)
        lab.engine.submit(CARD, RefreshParams(), asked_by=1001)
        lab.engine.submit(CARD, DisableParams(iccid=FIRST), asked_by=1000)
        lab.engine.cancel(changes[0].id)
        lab.engine.cancel(changes[1].id)
        lab.engine.cancel(changes[2].id)
        lab.engine.submit(CARD, RefreshParams(), asked_by=1000)
