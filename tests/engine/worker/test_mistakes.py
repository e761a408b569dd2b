"""An internal error in a part of lpad that is not essential ends no change, no queue and no thread."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from engine.lab import CARD, FIRST, LONG, SECOND, Lab
from engine.test_full_disk import no_space, paused_for
from engine.unattended.test_first_profile import empty, ended, offer
from lpad.base.errors import LpadError
from lpad.engine.change.change import Kind, PauseReason, State
from lpad.engine.journal import Journal, write_retry
from lpad.engine.journal.events.event_log import EventLog
from lpad.engine.network_settings.settings_store import NetworkStore
from lpad.engine.outbox.outbox import Outbox
from lpad.engine.running.card.idle_registration_query import RegistrationQuery
from lpad.engine.running.change_store import ChangeStore
from lpad.engine.running.run import Run
from lpad.engine.snapshot.snapshot import CardState
from lpad.engine.switch import standstill_detection
from lpad.engine.unattended.rescue import Rescue
from lpad.engine.unattended.unattended_discovery import DiscoveredEvents
from lpad.engine.worker import due_tasks
from lpad.engine.worker.due_tasks import DueTask, DueTasks
from lpad.engine.worker.hung_modem_restart import HungModem
from lpad.engine.worker.queue import change_precedence, change_queue
from lpad.engine.worker.queue.change_queue import ChangeQueue
from lpad.simulator.smdp.functions.faults import Fault, FaultKind

if TYPE_CHECKING:
    from lpad.engine.worker.queue.change_precedence import Rank


def _fails(*_: object, **__: object) -> NoReturn:
    raise ValueError("a mistake in lpad")


def _ready(lab: Lab) -> None:
    lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)


def test_a_change_without_a_rank(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """If ranking one change fails, this change and others are still carried out."""
    lab.install()
    whole = change_precedence.rank

    def rank(run: Run, **rest: Any) -> Rank:
        return _fails() if run.change.kind is Kind.REFRESH else whole(run, **rest)

    monkeypatch.setattr(change_queue, "rank", rank)
    odd = lab.submit(Kind.REFRESH)
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
    assert lab.ended(odd.id).state is State.DONE


@pytest.mark.parametrize(
    ("of", "name"),
    [
        (Rescue, "is_due"),
        (Rescue, "due_at"),
        (HungModem, "due_at"),
        (RegistrationQuery, "goes_first"),
        (ChangeQueue, "resumes_at"),
    ],
)
def test_a_task_whose_time_is_unknown(lab: Lab, monkeypatch: pytest.MonkeyPatch, of: type, name: str) -> None:
    """If an internal error hides when a task is due, the worker still carries out changes."""
    _ready(lab)
    monkeypatch.setattr(of, name, property(_fails))
    assert lab.carry_out(Kind.REFRESH).state is State.DONE
    assert lab.carry_out(Kind.REFRESH).state is State.DONE
    assert lab.engine.alive


def test_a_task_that_always_fails_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing task neither keeps the processor busy nor keeps another task from its turn."""
    done: list[str] = []
    tasks = DueTasks(DueTask(lambda: 0.0, _fails), DueTask(lambda: 0.0, lambda: done.append("the other")))
    first = tasks.due()
    assert first is not None
    with pytest.raises(ValueError, match="mistake"):
        first.run()
    second = tasks.due()
    assert second is not None
    second.run()
    assert done == ["the other"]
    alone = DueTasks(DueTask(lambda: 0.0, _fails))
    failing = alone.due()
    assert failing is not None
    with pytest.raises(ValueError, match="mistake"):
        failing.run()
    assert alone.due() is None
    wait = alone.seconds()
    assert wait is not None
    assert 0 < wait <= due_tasks.REST
    monkeypatch.setattr(due_tasks, "REST", 0.0)
    again = DueTasks(DueTask(lambda: 0.0, _fails))
    once = again.due()
    assert once is not None
    with pytest.raises(ValueError, match="mistake"):
        once.run()
    assert again.due() is not None


def test_a_due_time_that_fails_hides_no_other() -> None:
    """A task whose due time cannot be computed is not due; other tasks are."""
    tasks = DueTasks(DueTask(_fails, lambda: None), DueTask(lambda: 0.0, lambda: None))
    assert tasks.due() is not None
    assert tasks.seconds() == 0.0


def test_the_worker_continues_if_the_queue_cannot_be_notified(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the queue cannot be notified of a change's end, the worker continues."""
    _ready(lab)
    monkeypatch.setattr(ChangeQueue, "rest", _fails)
    assert lab.carry_out(Kind.REFRESH).state is State.DONE
    assert lab.carry_out(Kind.REFRESH).state is State.DONE


def test_a_change_that_cannot_be_begun_ends(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that cannot begin because of an internal error fails, and later changes are carried out."""
    _ready(lab)
    with monkeypatch.context() as broken:
        broken.setattr(Rescue, "overtaking", _fails)
        change = lab.carry_out(Kind.REFRESH)
    assert change.error is not None
    assert change.error.kind == "internal-error"
    assert lab.carry_out(Kind.REFRESH).state is State.DONE


def test_settings_of_deleted_profiles(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """An internal error while lpad removes settings of deleted profiles does not make a switch fail."""
    lab.install()
    monkeypatch.setattr(NetworkStore, "follow", _fails)
    change = lab.carry_out(Kind.ENABLE, iccid=FIRST)
    assert change.state is State.DONE, change.error
    assert lab.engine.snapshot(CARD).state is CardState.READY


@pytest.mark.parametrize(("of", "name"), [(Rescue, "look"), (DiscoveredEvents, "look")])
def test_one_decision_hides_no_other(lab: Lab, monkeypatch: pytest.MonkeyPatch, of: type, name: str) -> None:
    """An empty card gets its profile although lpad's check for a rescue or for discovered events fails."""
    offer(lab)
    monkeypatch.setattr(of, name, _fails)
    lab.start(empty(lab))
    change = ended(lab)
    assert change.state is State.DONE, change.error


def test_a_pause_that_cannot_be_counted(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """If counting a download's wait for its turn fails, its pause still ends, and all downloads continue."""
    _ready(lab)
    monkeypatch.setattr("lpad.engine.worker.queue.awaiting_retry.REST", 0.0)
    changes = []
    for iccid in (FIRST, SECOND):
        code = lab.code(lab.order(iccid=iccid))
        lab.server.faults.add(Fault(function="initiateAuthentication", kind=FaultKind.DROP_BEFORE))
        change = lab.submit(Kind.DOWNLOAD, secrets={"activation_code": code}, retry_for=3600)
        changes.append(paused_for(lab, change, PauseReason.NETWORK))
    monkeypatch.setattr(Run, "awaits_turn", _fails)
    lab.engine.network_is_back()
    assert [lab.ended(each.id).state for each in changes] == [State.DONE, State.DONE]


def test_news_of_the_network_reach_every_part(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the outbox fails when a network is back, lpad still releases the changes that wait for a network."""
    _ready(lab)
    released = threading.Event()
    monkeypatch.setattr(Outbox, "network_is_back", _fails)
    monkeypatch.setattr(ChangeQueue, "release", lambda *_: released.set())
    lab.engine.network_is_back()
    assert released.is_set()


def test_an_event_that_cannot_be_announced(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """If waking a listener fails, the change is still done, and its event is in the outbox of events."""
    lab.install()
    lab.engine.events.on_news(_fails)
    change = lab.carry_out(Kind.ENABLE, iccid=FIRST)
    assert change.state is State.DONE, change.error
    names = [each.type for each in lab.engine.events.after(0, limit=100)]
    assert "org.lpad.profile.enabled.v1" in names


def test_an_event_that_cannot_be_written(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a change's event cannot be written, the change is stored and done without the event."""
    lab.install()
    monkeypatch.setattr(EventLog, "_append", _fails)
    change = lab.carry_out(Kind.ENABLE, iccid=FIRST)
    assert change.state is State.DONE, change.error
    lab.stop()
    journal = lab.journal()
    assert journal.changes.get(change.id).state is State.DONE
    journal.close()


def test_a_metric_that_cannot_be_counted(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a metric cannot be counted, a download and a switch still succeed."""
    monkeypatch.setattr(lab.counters, "apdu", _fails)
    monkeypatch.setattr(lab.counters, "server", _fails)
    lab.install()
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE


def test_a_journal_that_fails_oddly_is_tried_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """If an attempt to use the journal again ends with an internal error, another attempt follows."""
    _ready(lab)
    monkeypatch.setattr(write_retry, "EVERY", 0.01)
    whole, met, released = Journal.try_again, threading.Event(), threading.Event()

    def try_again(journal: Journal) -> bool:
        if not met.is_set():
            met.set()
            _fails()
        return whole(journal)

    monkeypatch.setattr(Journal, "try_again", try_again)
    monkeypatch.setattr(ChangeStore, "catch_up", _fails)
    whole_release = ChangeQueue.release

    def release(queue: ChangeQueue, *reasons: PauseReason) -> None:
        whole_release(queue, *reasons)
        if PauseReason.JOURNAL in reasons:
            released.set()

    monkeypatch.setattr(ChangeQueue, "release", release)
    with no_space():
        with pytest.raises(LpadError):
            lab.submit(Kind.REFRESH)
        assert met.wait(LONG)
    assert released.wait(LONG)


def test_no_thread_for_standstills(monkeypatch: pytest.MonkeyPatch) -> None:
    """If no thread can be started, lpad detects a standstill when its last time is requested."""

    def start(_: threading.Thread) -> NoReturn:
        raise RuntimeError("no more threads")

    monkeypatch.setattr(threading.Thread, "start", start)
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with standstill_detection.Standstill() as watch:
        assert watch.last < 0
        now[0] += standstill_detection.EVERY + standstill_detection.LEAST + 1
        assert watch.last == now[0]
