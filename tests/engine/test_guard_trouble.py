"""Guarded switches in trouble: ports that disappear, stops, full disks, mistakes, other cards."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec.structs import replace

from engine.guarding import (
    REGISTERED,
    enabled,
    ended,
    guarded,
    guarding,
    listening,
    port,
    rolled_back,
    watched,
)
from engine.journal_file import sealed
from engine.lab import FIRST, SECOND, result_of
from engine.test_full_disk import no_space
from lpad.base.errors import Cancelled
from lpad.base.identifiers import Eid
from lpad.engine.change.change import State, now
from lpad.engine.change.event_subscriptions import Hub
from lpad.engine.change.guard import Guard
from lpad.engine.change.params import EnableParams
from lpad.engine.journal import Journal
from lpad.engine.policy.switching import SwitchPolicy
from lpad.engine.running import condition_check
from lpad.engine.running.change_question_answer import Answer
from lpad.engine.running.change_store import ChangeStore
from lpad.engine.running.metric_counters import Counters
from lpad.engine.running.run import Run
from lpad.engine.switch import condition_watch
from lpad.simulator.euicc.card import SoftCard

if TYPE_CHECKING:
    from pathlib import Path

    from engine.lab import Lab
    from lpad.engine.change.change import Change
    from lpad.simulator.pki.pki import Pki

OTHER_EID = "89049032000000000000000000000105"


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condition_watch, "STEADY", 0.3)
    monkeypatch.setattr(condition_watch, "FIRST_PAUSE", 0.1)


def _other(folder: Path, pki: Pki) -> SoftCard:
    return SoftCard(folder / "other", pki=pki, eid=Eid.parse(OTHER_EID))


def test_a_port_that_goes_under_the_guard_and_comes_back_is_waited_for(tmp_path: Path, pki: Pki) -> None:
    """Lpad waits for a port that disappears during a guard, because a searching modem may restart."""
    with guarding(tmp_path, pki, registration={SECOND: 2}) as lab:
        change = guarded(lab, REGISTERED, within=25)
        watched(lab, change.id)
        lab.modem.vanish()
        lab.until(
            lambda: lab.engine.change(change.id),
            lambda seen: seen.guard is not None and "CEREG" not in seen.guard.told(),
        )
        lab.modem.register(SECOND, 5)
        lab.modem.come_back()
        assert lab.ended(change.id).error is None


def test_a_port_that_is_gone_when_the_time_has_passed(tmp_path: Path, pki: Pki) -> None:
    """If the port is gone at the end of the time, the change ends only after the rollback."""
    with guarding(tmp_path, pki, registration={SECOND: 2}) as lab:
        change = guarded(lab, REGISTERED, within=3)
        watched(lab, change.id)
        lab.modem.vanish()
        lab.until(lambda: lab.engine.snapshot("modem"), lambda card: card.state != "ready")
        assert not lab.engine.change(change.id).state.ended
        lab.modem.come_back()
        assert lab.ended(change.id).error is not None
        assert enabled(lab) == FIRST


def test_stopped_under_the_guard_it_continues_with_the_next_start(tmp_path: Path, pki: Pki) -> None:
    """SIGTERM neither ends the change nor rolls back the switch; the remaining time is kept."""
    with guarding(tmp_path, pki) as lab:
        change = lab.asked(guarded(lab, "confirm", within=60).id)
        lab.stop()
        assert enabled(lab) == SECOND
        lab.start(port(lab))
        change = lab.asked(change.id)
        assert change.question is not None
        lab.engine.answer(change.id, Answer(confirm=True))
        result = result_of(lab.ended(change.id))
        assert result.pop("registration").startswith("CEREG 1 (registered at home)")
        assert result == {"iccid": SECOND, "already": False, "guard": "met", "previous": FIRST}


def test_stopped_and_started_too_late_it_goes_back(tmp_path: Path, pki: Pki) -> None:
    """A guard's limit continues while lpad does not run; a start after the limit leads to a rollback."""
    with guarding(tmp_path, pki) as lab:
        change = lab.asked(guarded(lab, "confirm", within=2).id)
        lab.stop()
        threading.Event().wait(2.2)
        lab.start(port(lab))
        assert rolled_back(lab.ended(change.id))["reason"] == "time-limit"
        assert enabled(lab) == FIRST


def test_another_card_is_left_alone(tmp_path: Path, pki: Pki) -> None:
    """If the card is swapped during a guarded switch, lpad leaves the new card alone."""
    with guarding(tmp_path, pki) as lab, _other(tmp_path, pki) as other:
        change = lab.asked(guarded(lab, "confirm", within=60).id)
        lab.stop()
        lab.modem.swap_card(other)
        lab.start(port(lab))
        ended_change = lab.ended(change.id)
        assert ended_change.error is not None
        assert ended_change.error.kind == "conflict"


def test_a_full_disk_does_not_keep_the_device_from_its_way_home(tmp_path: Path, pki: Pki) -> None:
    """A rollback needs only the step in the journal, so a full disk does not prevent it."""
    with guarding(tmp_path, pki) as lab:
        change = lab.asked(guarded(lab, "confirm", within=60).id)
        with no_space(tmp_path / "journal.db-wal"):
            lab.engine.answer(change.id, Answer(confirm=False))
            assert rolled_back(lab.ended(change.id))["reason"] == "refused"
        assert enabled(lab) == FIRST


def test_without_a_journal_nothing_is_put_on_trial(tmp_path: Path, pki: Pki) -> None:
    """A command is not sent if its record cannot be written first."""
    with guarding(tmp_path, pki) as lab:
        blocked = lab.asked(guarded(lab, "confirm", within=60).id)
        queued = guarded(lab, "confirm", iccid=FIRST)
        with no_space(tmp_path / "journal.db-wal"):
            lab.engine.answer(blocked.id, Answer(confirm=True))
            change = lab.ended(queued.id)
            assert change.error is not None
            assert change.error.kind == "journal-unavailable"
        assert enabled(lab) == SECOND


def test_a_mistake_in_lpad_takes_the_switch_back(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever fails while the guard waits, the device returns to its previous profile."""

    def broken(*_: object, **__: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(condition_check, "reach", broken)
    with guarding(tmp_path, pki) as lab:
        details = rolled_back(ended(lab, "tcp:127.0.0.1:1"))
        assert details["reason"] == "internal-error"
        assert enabled(lab) == FIRST
    assert "ZeroDivisionError" in caplog.text


class Lender:
    """A loan of a modem from ModemManager, as far as the engine uses it."""

    def __init__(self) -> None:
        self.given_back = 0
        self.was_lent = True
        self.hold: float | None = 60.0

    def give_back(self) -> None:
        self.given_back += 1


def test_a_borrowed_modem_is_given_back_for_the_reachability_checks(tmp_path: Path, pki: Pki) -> None:
    """Lpad returns a borrowed modem before reachability checks, because ModemManager makes the connection."""
    lender = Lender()
    with guarding(tmp_path, pki) as lab, listening() as number:
        lab.stop()
        lab.start(replace(port(lab), loan=lender))
        change = guarded(lab, REGISTERED, f"tcp:127.0.0.1:{number}", "confirm")
        lab.until(
            lambda: lab.engine.change(change.id),
            lambda seen: seen.guard is not None and seen.guard.told()[9:] == "no program has confirmed it",
        )
        assert lender.given_back == 1
        lab.engine.answer(change.id, Answer(confirm=True))
        assert lab.ended(change.id).error is None


def cut_off_while_switching(lab: Lab) -> Change:
    """Return a guarded switch that, according to the journal, was cut off while it enabled the profile."""
    change = lab.asked(guarded(lab, "confirm", within=60).id)
    lab.stop()
    with sealed(lab.folder / "journal.db") as journal:
        (body,) = journal.execute("SELECT body FROM changes WHERE id = ?", (change.id,)).fetchone()
        record = msgspec.json.decode(body)
        record["guard"]["phase"] = "switching"
        journal.execute("UPDATE changes SET body = ? WHERE id = ?", (msgspec.json.encode(record), change.id))
    lab.modem.received.clear()
    lab.modem.once("AT+CCID", delay=1.0)
    lab.start(port(lab))
    lab.until_true(lambda: "AT+CCID" in lab.modem.received)
    return change


def test_taken_back_while_the_switch_is_taken_up(tmp_path: Path, pki: Pki) -> None:
    """A change that is cancelled while a restart resumes its switch ends only after the rollback."""
    with guarding(tmp_path, pki) as lab:
        change = cut_off_while_switching(lab)
        lab.engine.cancel(change.id)
        change = lab.ended(change.id)
        assert change.state is State.CANCELLED
        assert enabled(lab) == FIRST


def test_stopped_while_the_switch_is_taken_up(tmp_path: Path, pki: Pki) -> None:
    """If lpad is stopped while it resumes a switch, its next start resumes the switch again."""
    with guarding(tmp_path, pki) as lab:
        change = cut_off_while_switching(lab)
        lab.stop()
        lab.start(port(lab))
        change = lab.asked(change.id)
        assert change.question is not None
        lab.engine.answer(change.id, Answer(confirm=True))
        assert lab.ended(change.id).error is None
        assert enabled(lab) == SECOND


def test_taken_back_before_it_is_taken_up(tmp_path: Path) -> None:
    """If a switch on trial is cancelled before lpad has resumed it, lpad rolls it back first."""
    journal = Journal(tmp_path / "journal.db")
    store = ChangeStore(journal, Hub(), Counters())
    plain = store.save(store.add("modem", EnableParams(iccid="8900101000000000017"), secrets={}).run())
    trial = store.save(replace(plain, guard=Guard(requirements=(), until=now(), previous=None)))
    for change in (plain, trial):
        run = Run(change, store)
        run.cancel("taken back")
        if change is trial:
            run.begin()
            assert run.taken_back == "taken back"
        else:
            with pytest.raises(Cancelled):
                run.begin()
    journal.close()


def test_a_busy_card_is_one_switch(tmp_path: Path, pki: Pki) -> None:
    """A switch that a busy card delays counts once towards the day's limit, and keeps its way back."""
    with guarding(tmp_path, pki, policy=SwitchPolicy(per_day=2)) as lab:
        lab.card.faults.cat_busy = 2
        change = lab.asked(guarded(lab, "confirm").id)
        assert change.error is None, change.error
        lab.engine.answer(change.id, Answer(confirm=False))
        assert rolled_back(lab.ended(change.id))["enabled"] == FIRST


def test_a_card_that_answers_garbage_during_the_rollback_is_asked_again(tmp_path: Path, pki: Pki) -> None:
    """If a card answers garbage in a rollback, lpad asks again: only a clear refusal skips a profile."""
    with guarding(tmp_path, pki) as lab:
        change = lab.asked(guarded(lab, "confirm").id)
        lab.card.faults.status(0xBF2D, 0x6F00)
        lab.engine.answer(change.id, Answer(confirm=False))
        assert rolled_back(lab.ended(change.id))["reason"] == "refused"
        assert enabled(lab) == FIRST
