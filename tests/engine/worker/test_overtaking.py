"""A switch goes before queued changes, and before a download that did nothing irreversible."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, cast
from unittest.mock import patch

import pytest

from engine.holding import held, silent
from engine.lab import CARD, FIRST, LONG, SECOND, Lab
from lpad.engine.change import overtaking_by_switch
from lpad.engine.change.change import Kind, PauseReason, State
from lpad.engine.change.notes import Notes, noting
from lpad.engine.operations.operations import OPERATIONS
from lpad.simulator.smdp.functions.faults import Fault, FaultKind
from lpad.simulator.smdp.store.order import OrderState

if TYPE_CHECKING:
    from lpad.engine.change.change import Change
    from lpad.engine.change.results import Outcome
    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run

THIRD = "8900101000000000033"


def two(lab: Lab) -> None:
    """Install two profiles, enable the first, and wait until all notifications are delivered."""
    lab.install(iccid=FIRST)
    lab.install(iccid=SECOND, name="Second")
    switched(lab, FIRST)
    lab.until_true(lambda: not lab.card.notifications)


def switched(lab: Lab, iccid: str) -> Change:
    """Enable a profile, and return once the change has ended, even if copies are still due."""
    made = lab.submit(Kind.ENABLE, iccid=iccid)
    change = lab.until(lambda: lab.engine.change(made.id), lambda seen: seen.state.ended)
    assert change.state is State.DONE, change.error
    return change


def download(lab: Lab, **params: object) -> Change:
    """Request the download of a third profile."""
    order = lab.order(iccid=THIRD, name="Third", size=20_000)
    return lab.submit(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)}, **params)


STAGES = ("initiateAuthentication", "authenticateClient", "getBoundProfilePackage")


@pytest.mark.parametrize("function", STAGES)
def test_a_switch_overtakes_a_download_that_waits_for_its_server(lab: Lab, function: str) -> None:
    """A switch is done while a download's server is silent; then the download starts again."""
    two(lab)
    lab.timeouts.retry = 0
    with silent(lab, function) as asked:
        change = download(lab)
        assert asked.acquire(timeout=LONG)
        switch = switched(lab, SECOND)
        ended = lab.ended(change.id)
    assert ended.state is State.DONE, ended.error
    assert (ended.overtaken, ended.attempts) == (1, 0)
    assert switch.ended_at is not None
    assert ended.ended_at is not None
    assert switch.ended_at < ended.ended_at
    known = ["cancelSession"] if function != "initiateAuthentication" else []
    assert [name for name in ("cancelSession",) if lab.server.counters.requests[name]] == known
    assert lab.engine.snapshot(CARD).listed.find(THIRD) is not None


@pytest.mark.parametrize(
    ("tag", "sessions"),
    [(0xBF2E, 0), (0xBF38, 1), (0xBF21, 1)],
    ids=["challenge", "authentication", "preparation"],
)
def test_a_switch_overtakes_a_download_whose_session_the_card_prepares(
    lab: Lab, tag: int, sessions: int
) -> None:
    """A switch requested while the card prepares a session goes first, and no attempt is counted."""
    two(lab)
    lab.timeouts.retry = 0
    switches = []

    def asked_for(answer: bytes) -> bytes:
        switches.append(lab.submit(Kind.ENABLE, iccid=SECOND))
        return answer

    lab.card.faults.corrupt(tag, asked_for)
    change = download(lab)
    ended = lab.ended(change.id)
    assert ended.state is State.DONE, ended.error
    assert (ended.overtaken, ended.attempts) == (1, 0)
    switch = lab.engine.change(switches[0].id)
    assert switch.state is State.DONE, switch.error
    assert switch.ended_at is not None
    assert ended.ended_at is not None
    assert switch.ended_at < ended.ended_at
    lab.until_true(lambda: lab.server.counters.requests["cancelSession"] == sessions)


def test_a_download_whose_segments_flow_is_not_overtaken(lab: Lab) -> None:
    """Once the card gets a download's segments, a requested switch waits until the download has ended."""
    two(lab)
    change = download(lab)
    lab.until(lambda: lab.engine.change(change.id), lambda seen: seen.progress is not None)
    switch = switched(lab, SECOND)
    ended = lab.engine.change(change.id)
    assert (ended.state, ended.overtaken) == (State.DONE, 0)
    assert ended.ended_at is not None
    assert switch.started_at is not None
    assert ended.ended_at <= switch.started_at


def test_a_switch_does_not_wait_for_a_notification_s_server(lab: Lab) -> None:
    """For a switch, a download that has installed its profile ends before its notification is sent."""
    two(lab)
    with silent(lab, "handleNotification") as asked:
        change = download(lab)
        assert asked.acquire(timeout=LONG)
        switched(lab, SECOND)
        ended = lab.engine.change(change.id)
        assert (ended.state, ended.overtaken) == (State.DONE, 0)
    lab.until_true(lambda: not lab.card.notifications)


def test_after_three_overtakings_a_download_waits_without_switches(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A download that was overtaken three times waits until there has been no switch for some time."""
    two(lab)
    monkeypatch.setattr(overtaking_by_switch, "QUIET", 3600.0)
    with silent(lab, "authenticateClient", times=3) as asked:
        change = download(lab)
        for iccid in (SECOND, FIRST, SECOND):
            assert asked.acquire(timeout=LONG)
            switched(lab, iccid)
    waiting = lab.engine.change(change.id)
    assert (waiting.state, waiting.overtaken, waiting.attempts) == (State.WAITING, 3, 0)
    assert waiting.pause is not None
    assert (waiting.pause.reason, waiting.pause.error.kind) == (PauseReason.OVERTAKEN, "overtaken")
    lab.until_true(lambda: lab.server.counters.requests["cancelSession"] == 3)
    switched(lab, FIRST)
    put_off = lab.until(
        lambda: lab.engine.change(change.id),
        lambda seen: seen.pause is not None and seen.pause != waiting.pause,
    )
    assert put_off.pause is not None
    assert put_off.pause.since > waiting.pause.since
    lab.stop()
    lab.start()
    assert lab.engine.change(change.id).state is State.WAITING
    lab.stop()
    _wait_no_longer(lab, change.id)
    lab.start()
    ended = lab.ended(change.id)
    assert (ended.state, ended.overtaken) == (State.DONE, 3), ended.error


def _wait_no_longer(lab: Lab, change_id: int) -> None:
    journal = lab.journal()
    journal.changes.save(journal.changes.get(change_id), notes=noting(Notes, due=0.0))
    journal.close()


def test_being_overtaken_outlives_a_restart(lab: Lab) -> None:
    """Before a switch begins, the overtaken download is stored as queued; later it is done."""
    two(lab)
    found: list[Change] = []
    enable = OPERATIONS[Kind.ENABLE]

    def look(run: Run, context: Context) -> Outcome:
        found.append(lab.engine._journal.changes.get(change.id))
        return enable(run, context)

    with silent(lab, "getBoundProfilePackage") as asked:
        change = download(lab)
        assert asked.acquire(timeout=LONG)
        with patch.dict(cast("dict[Kind, object]", OPERATIONS), {Kind.ENABLE: look}):
            switched(lab, SECOND)
    assert [(each.state, each.overtaken, each.attempts) for each in found] == [(State.QUEUED, 1, 0)]
    assert lab.ended(change.id).state is State.DONE


def test_other_changes_wait_for_a_running_download(lab: Lab) -> None:
    """A refresh does not overtake a running download, but waits for the download's end."""
    two(lab)
    with silent(lab, "authenticateClient") as asked:
        change = download(lab)
        assert asked.acquire(timeout=LONG)
        refresh = lab.submit(Kind.REFRESH)
        assert lab.engine.change(refresh.id).state is State.QUEUED
    assert lab.ended(refresh.id).state is State.DONE
    assert lab.engine.change(change.id).overtaken == 0


def test_a_switch_goes_before_what_is_queued(lab: Lab) -> None:
    """A user's switch is carried out before all downloads that were queued earlier."""
    two(lab)
    with held(lab):
        queued = [
            lab.submit(Kind.DOWNLOAD, secrets={"activation_code": f"LPA:1${lab.server.address}$N{number}"})
            for number in range(20)
        ]
        switch = lab.submit(Kind.ENABLE, iccid=SECOND)
    ended = lab.ended(switch.id)
    assert ended.state is State.DONE
    lab.ended(queued[-1].id)
    assert ended.ended_at is not None
    assert all((lab.engine.change(each.id).started_at or ended.ended_at) >= ended.ended_at for each in queued)


def test_a_switch_to_a_profile_that_is_to_come_waits_for_it(lab: Lab) -> None:
    """A switch to the profile of a queued download waits for that download."""
    two(lab)
    with silent(lab, "authenticateClient") as asked:
        change = download(lab)
        assert asked.acquire(timeout=LONG)
        switch = lab.submit(Kind.ENABLE, iccid=THIRD)
        assert lab.engine.change(switch.id).state is State.QUEUED
    assert lab.ended(switch.id).state is State.DONE
    assert lab.engine.change(change.id).overtaken == 0


def test_taken_back_while_it_is_overtaken(lab: Lab) -> None:
    """A download that is being overtaken can be cancelled, and its session at the server is cancelled."""
    two(lab)
    order = lab.order(iccid=THIRD)
    with silent(lab, "authenticateClient") as asked:
        change = lab.submit(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)})
        assert asked.acquire(timeout=LONG)
        switch = lab.submit(Kind.ENABLE, iccid=SECOND)
        lab.engine.cancel(change.id)
        assert lab.ended(switch.id).state is State.DONE
        assert lab.ended(change.id).state is State.CANCELLED
        lab.until_true(lambda: lab.server.orders.get(order.id).reason == "postponed")
        assert lab.server.orders.get(order.id).state is OrderState.RELEASED


def test_a_check_of_trust_is_overtaken(lab: Lab) -> None:
    """A switch overtakes a check of trust that waits for its server; the check begins again."""
    two(lab)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        change = lab.submit(Kind.CHECK_TRUST, address=f"127.0.0.1:{mute.getsockname()[1]}")
        connection, _ = mute.accept()
        switched(lab, SECOND)
        connection.close()
        mute.settimeout(LONG)
        mute.accept()[0].close()  # The check begins again.
    ended = lab.ended(change.id)
    assert (ended.overtaken, ended.attempts) == (1, 0)


def test_a_delivery_is_overtaken(lab: Lab) -> None:
    """A switch overtakes a delivery whose server is silent; the notifications are delivered afterwards."""
    two(lab)
    fault = Fault(function="handleNotification", kind=FaultKind.HTTP_STATUS, value=503, times=1)
    lab.server.faults.add(fault)
    switched(lab, SECOND)
    lab.until_true(lambda: not lab.server.faults.pending)
    with silent(lab, "handleNotification") as asked:
        change = lab.submit(Kind.DELIVER_NOTIFICATIONS)
        assert asked.acquire(timeout=LONG)
        switched(lab, FIRST)
    assert lab.ended(change.id).overtaken == 1
    lab.until_true(lambda: not lab.card.notifications)
