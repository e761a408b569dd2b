"""If a guard's time runs out while lpad stands still or does not run, lpad makes one more check."""

from __future__ import annotations

import logging
import math
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.guarding import (
    REGISTERED,
    enabled,
    guarded,
    guarding,
    listening,
    rolled_back,
    unused_port,
    watched,
)
from engine.lab import FIRST, LONG, SECOND
from lpad.engine.change.change import State
from lpad.engine.change.guard import Phase
from lpad.engine.change.notes import SwitchNotes, noting
from lpad.engine.journal.changes import Changes
from lpad.engine.running.change_question_answer import Answer
from lpad.engine.switch import condition_watch, standstill_detection

if TYPE_CHECKING:
    from pathlib import Path

    from engine.lab import Lab
    from lpad.engine.change.change import Change
    from lpad.engine.journal import Journal
    from lpad.simulator.pki.pki import Pki

LIMIT = 1.0
AGAIN = "lpad checks the conditions once more"


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condition_watch, "STEADY", 0.3)
    monkeypatch.setattr(condition_watch, "FIRST_PAUSE", 0.1)
    monkeypatch.setattr(condition_watch, "LAST_LOOK", 2.0)
    monkeypatch.setattr(condition_watch, "_LAST_LISTENING", 0.1)
    monkeypatch.setattr(standstill_detection, "LEAST", 0.5)


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a disk that takes longer than the limit to record that the guard is awaited."""
    save = Changes.save

    def slowly(self: Changes, change: Change, **written: Any) -> None:
        if change.guard is not None and change.guard.phase is Phase.WATCHING and not change.state.ended:
            threading.Event().wait(LIMIT + 0.2)
        save(self, change, **written)

    monkeypatch.setattr(Changes, "save", slowly)


@pytest.mark.usefixtures("slow_disk")
def test_a_profile_that_works_is_kept_after_a_standstill(
    tmp_path: Path, pki: Pki, caplog: pytest.LogCaptureFixture
) -> None:
    """If the limit passes in a standstill, lpad checks once more; a profile that meets the guard stays."""
    caplog.set_level(logging.INFO, "lpad.engine")
    with guarding(tmp_path, pki) as lab, listening() as port:
        change = lab.ended(guarded(lab, REGISTERED, f"tcp:127.0.0.1:{port}", within=LIMIT).id)
        assert change.state is State.DONE, change.error
        assert enabled(lab) == SECOND
        assert AGAIN in caplog.text


@pytest.mark.usefixtures("slow_disk")
def test_a_profile_that_does_not_work_is_taken_back_after_the_look(tmp_path: Path, pki: Pki) -> None:
    """If the check after a standstill fails, lpad rolls back, and the error has the check's observations."""
    with guarding(tmp_path, pki, registration={SECOND: 3}) as lab:
        details = rolled_back(lab.ended(guarded(lab, REGISTERED, within=LIMIT).id))
        assert details["reason"] == "time-limit"
        assert "denied" in str(details["seen"])
        assert enabled(lab) == FIRST


@pytest.mark.usefixtures("slow_disk")
def test_one_condition_that_is_not_met_is_enough(tmp_path: Path, pki: Pki) -> None:
    """A registration that came in time does not keep a profile over which no host is reached."""
    with guarding(tmp_path, pki) as lab:
        condition = f"tcp:127.0.0.1:{unused_port()}"
        details = rolled_back(lab.ended(guarded(lab, REGISTERED, condition, within=LIMIT).id))
        assert details["unmet"] == condition
        assert enabled(lab) == FIRST


@pytest.mark.usefixtures("slow_disk")
def test_a_missing_confirmation_is_not_looked_for(tmp_path: Path, pki: Pki) -> None:
    """If a confirmation is missing at the end of the time, lpad rolls back without another check."""
    with guarding(tmp_path, pki) as lab:
        details = rolled_back(lab.ended(guarded(lab, REGISTERED, "confirm", within=LIMIT).id))
        assert details["reason"] == "time-limit"
        assert "registered: not seen yet" in str(details["seen"])
        assert enabled(lab) == FIRST


def test_without_a_standstill_the_limit_is_the_limit(
    tmp_path: Path, pki: Pki, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a standstill, the conditions are not checked again after the time limit."""
    caplog.set_level(logging.INFO, "lpad.engine")
    with guarding(tmp_path, pki, registration={SECOND: 2}) as lab:
        rolled_back(lab.ended(guarded(lab, REGISTERED, within=LIMIT + 1).id))
        assert AGAIN not in caplog.text


def test_a_restart_over_the_limit(tmp_path: Path, pki: Pki) -> None:
    """If the limit passes while lpad does not run, a profile that is then registered is kept."""
    with guarding(tmp_path, pki, registration={SECOND: 2}) as lab:
        change = guarded(lab, REGISTERED, within=5)
        watched(lab, change.id)
        _away_over_the_limit(lab, change)
        lab.modem.register(SECOND, 1)
        lab.start()
        assert lab.ended(change.id).state is State.DONE
        assert enabled(lab) == SECOND


def test_the_last_look_is_taken_once(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """If lpad is stopped again during the last check, its next start makes no check, and rolls back."""
    monkeypatch.setattr(condition_watch, "LAST_LOOK", 30.0)
    with guarding(tmp_path, pki, registration={SECOND: 2}) as lab:
        change = guarded(lab, REGISTERED, within=5)
        watched(lab, change.id)
        _away_over_the_limit(lab, change, boot_id="another")  # the modem may have restarted
        lab.start()
        lab.until_true(lambda: _notes(lab, change).looked_again)
        lab.stop()
        lab.modem.register(SECOND, 1)
        lab.start()
        assert rolled_back(lab.ended(change.id))["reason"] == "time-limit"
        assert enabled(lab) == FIRST


def test_no_ends_the_last_check(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the change is cancelled during the last check, the check ends immediately."""
    monkeypatch.setattr(condition_watch, "LAST_LOOK", 30.0)
    with guarding(tmp_path, pki, registration={SECOND: 2}) as lab:
        change = guarded(lab, REGISTERED, within=5)
        watched(lab, change.id)
        _away_over_the_limit(lab, change, boot_id="another")
        lab.start()
        lab.until_true(lambda: _notes(lab, change).looked_again)
        lab.engine.cancel(change.id)
        assert lab.ended(change.id).state is State.CANCELLED
        assert enabled(lab) == FIRST


def test_a_confirmation_that_was_given_in_time_leaves_the_look_to_the_others(
    tmp_path: Path, pki: Pki
) -> None:
    """A confirmation from before a restart of lpad counts; lpad checks only the modem once more."""
    with guarding(tmp_path, pki, registration={SECOND: 2}) as lab:
        change = guarded(lab, REGISTERED, "confirm", within=5)
        lab.asked(change.id)
        lab.engine.answer(change.id, Answer(confirm=True))
        _away_over_the_limit(lab, change)
        lab.modem.register(SECOND, 1)
        lab.start()
        assert lab.ended(change.id).state is State.DONE


def test_a_standstill_is_known_before_its_own_thread_has_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A standstill is noticed even if the switch's thread runs before the one that looks for standstills."""
    ahead = [0.0]
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + ahead[0])
    monkeypatch.setattr(standstill_detection, "time", clock)
    monkeypatch.setattr(standstill_detection, "EVERY", LONG)
    with standstill_detection.Standstill() as seen:
        assert seen.last == -math.inf
        ahead[0] = LONG + standstill_detection.LEAST + 1
        assert seen.last == pytest.approx(clock.monotonic(), abs=1)


def _away_over_the_limit(lab: Lab, change: Change, **limit: str) -> None:
    """Stop the engine, and move the beginning of the noted time limit back by an hour."""
    lab.stop()
    journal = lab.journal()
    noted = _notes(lab, change, journal).limit
    assert noted is not None
    began = msgspec.structs.replace(noted, boot=noted.boot - 3600, wall=noted.wall - 3600, **limit)
    journal.changes.save(journal.changes.get(change.id), notes=noting(SwitchNotes, limit=began))
    journal.close()


def _notes(lab: Lab, change: Change, journal: Journal | None = None) -> SwitchNotes:
    notes = (journal or lab.engine._journal).changes.private(change).notes
    assert isinstance(notes, SwitchNotes)
    return notes


def test_time_that_passes_with_signs_of_life_is_not_a_standstill(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time with signs of life, such as a check by the switch's thread, is not a standstill."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    watch = standstill_detection.Standstill()
    watch._thread = threading.current_thread()
    watch._sign_of_life = now[0]
    for _ in range(20):
        now[0] += standstill_detection.EVERY
        watch._look()
    assert watch.last == -math.inf
    now[0] += standstill_detection.EVERY + standstill_detection.LEAST + 0.1
    watch._look()
    assert watch.last == now[0]
