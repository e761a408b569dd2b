"""Two cards and one engine: a port whose opening does not return affects only its own worker."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from engine.lab import CARD, Lab
from lpad.base.deadline import Deadline
from lpad.base.errors import CardUnreachable
from lpad.engine.change.change import Kind, State
from lpad.engine.change.params import RefreshParams
from lpad.engine.running.card.card_with_open_link import CardPort
from lpad.engine.snapshot.snapshot import CardState

if TYPE_CHECKING:
    from lpad.card.link.link import Link

SHORT = 1.0
"""The seconds in which the engine must stop; waiting for a stuck worker would use up nearly all of them."""


class Swallowing:
    """A port whose opening does not return, whatever its deadline, until the test is over."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.opened = threading.Event()

    def open(self, _deadline: Deadline) -> Link:
        self.opened.set()
        self.over.wait()
        raise CardUnreachable("the test is over")


def test_a_stuck_worker_keeps_no_other_from_stopping(lab: Lab) -> None:
    """All workers begin to stop before lpad waits for one, so a stuck worker delays no other."""
    swallowing = Swallowing()
    stuck = CardPort(name="stuck", transport="a hole", open_link=swallowing.open)
    engine = lab.start(stuck, lab.port)
    try:
        assert swallowing.opened.wait(30)
        lab.until(lambda: engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
        waits = engine.submit("stuck", RefreshParams()).change
        lab.install()
        secrets = {"activation_code": lab.code(lab.order(iccid="8900101000000000025"))}
        asked = lab.asked(lab.submit(Kind.DOWNLOAD, secrets=secrets, confirm=True).id)
        assert asked.question is not None
        assert engine.snapshot("stuck").state is CardState.STARTING
        assert engine.change(waits.id).state is State.QUEUED
        engine.stop(deadline=Deadline.after(SHORT))
        assert not engine._workers.by_name[CARD].alive
        assert engine._workers.by_name["stuck"].alive
        assert lab.card.open_channels == ()
    finally:
        swallowing.over.set()


def test_a_stuck_worker_keeps_no_change_of_a_card_that_goes(lab: Lab) -> None:
    """If the settings no longer name a card, its queued changes fail, even if its worker is stuck."""
    swallowing = Swallowing()
    stuck = CardPort(name="stuck", transport="a hole", open_link=swallowing.open)
    engine = lab.start(stuck, lab.port)
    try:
        assert swallowing.opened.wait(30)
        waits = engine.submit("stuck", RefreshParams()).change
        worker = engine._workers.by_name["stuck"]
        engine.become([lab.port])
        ended = lab.ended(waits.id)
        assert worker.alive
        assert ended.error is not None
        assert (ended.state, ended.error.kind) == (State.FAILED, "not-found")
    finally:
        swallowing.over.set()
