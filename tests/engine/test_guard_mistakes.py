"""Guarded switches under unexpected faults: the device still returns to its previous profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from engine.guarding import (
    REGISTERED,
    THIRD,
    enabled,
    ended,
    guarded,
    guarding,
    out_of_time,
    port,
    rolled_back,
)
from engine.journal_file import sealed
from engine.lab import CARD, FIRST, SECOND
from engine.test_full_disk import no_space
from engine.time_lapse import time_lapse
from lpad.base.guard_condition import Condition, ConditionKind
from lpad.engine.change.change import Kind, State
from lpad.engine.change.guard import Phase
from lpad.engine.policy.switching import SwitchPolicy
from lpad.engine.running.change_question_answer import Answer
from lpad.engine.running.condition_check import SOURCES, Look, Source, look
from lpad.engine.snapshot import card_reading
from lpad.engine.snapshot.snapshot import CardState
from lpad.engine.switch import condition_watch, guarded_switch, verified_switch
from lpad.engine.switch import rollback as going_back

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.lab import Lab
    from lpad.base.deadline import Deadline
    from lpad.simulator.pki.pki import Pki

GET_PROFILES_INFO = 0xBF2D
REFUSED = bytes.fromhex("BF2D0381017F")


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condition_watch, "STEADY", 0.3)
    monkeypatch.setattr(condition_watch, "FIRST_PAUSE", 0.1)


def failing_after(act: Callable[..., Any], *, which: int = 1) -> Callable[..., Any]:
    """Return a function that acts like the given one, but raises an error at the end of one call."""
    calls = 0

    def broken(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        result = act(*arguments, **options)
        if calls == which:
            raise ZeroDivisionError
        return result

    return broken


def test_a_switch_is_rolled_back_if_the_card_refuses_to_list_profiles(tmp_path: Path, pki: Pki) -> None:
    """If the card refuses to list its profiles after a switch, the switch is rolled back."""
    with guarding(tmp_path, pki, patience=2) as lab:

        def refuse(answer: bytes) -> bytes:
            change = lab.engine.changes()[0]
            going_back = change.guard is not None and change.guard.phase is Phase.GOING_BACK
            return answer if going_back or enabled(lab) == FIRST else REFUSED

        lab.card.faults.corrupt(GET_PROFILES_INFO, refuse, times=1000)
        assert rolled_back(ended(lab, REGISTERED))["reason"] == "not-enabled"
        assert enabled(lab) == FIRST


def test_a_mistake_in_lpad_behind_the_switch_takes_it_back(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A mistake in lpad after the card has switched, but before the guard, leads to a rollback."""
    with guarding(tmp_path, pki) as lab:
        monkeypatch.setattr(guarded_switch, "switch", failing_after(verified_switch.switch))
        assert rolled_back(ended(lab, REGISTERED))["reason"] == "internal-error"
        assert enabled(lab) == FIRST
    assert "ZeroDivisionError" in caplog.text


def test_a_switch_whose_parameters_cannot_be_read_is_taken_back(tmp_path: Path, pki: Pki) -> None:
    """If the parameters of a switch cannot be read, its guard is unknown, so the switch is rolled back."""
    with guarding(tmp_path, pki) as lab:
        change = lab.asked(guarded(lab, "confirm", within=60).id)
        lab.stop()
        with sealed(tmp_path / "journal.db") as db:
            body = """CAST(replace(body, '"until":["confirm"]', '"conditions":["confirm"]') AS BLOB)"""
            db.execute(f"UPDATE changes SET body = {body} WHERE id = ?", (change.id,))
        lab.start(port(lab))
        assert rolled_back(lab.ended(change.id))["reason"] == "not-evaluated"
        assert enabled(lab) == FIRST


def test_a_mistake_in_lpad_on_the_way_back_leads_to_the_next_profile(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If a mistake ends the return to the old profile, the next one in the fallback order is tried."""
    policy = SwitchPolicy(fallback=(THIRD,))
    with time_lapse() as pass_by, guarding(tmp_path, pki, registration={SECOND: 2}, policy=policy) as lab:
        lab.install(iccid=THIRD, name="Third")
        monkeypatch.setattr(going_back, "switch", failing_after(verified_switch.switch))
        details = rolled_back(out_of_time(lab, pass_by, REGISTERED, seen="searching"))
        assert details["enabled"] == THIRD
    assert "ZeroDivisionError" in caplog.text


def test_a_full_disk_and_a_port_that_goes_do_not_end_the_way_back(tmp_path: Path, pki: Pki) -> None:
    """A rollback continues even if the disk is full and the port disappears; its data are kept in memory."""
    with guarding(tmp_path, pki) as lab:
        change = lab.asked(guarded(lab, "confirm", within=60).id)
        with no_space(tmp_path / "journal.db-wal"):
            lab.modem.vanish()
            lab.engine.answer(change.id, Answer(confirm=False))
            lab.until(lambda: lab.engine.snapshot(CARD), lambda card: card.state is CardState.ABSENT)
            lab.modem.come_back()
            assert rolled_back(lab.ended(change.id))["reason"] == "refused"
        assert enabled(lab) == FIRST


def test_stopped_while_the_card_is_looked_for_nothing_is_begun(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If lpad is stopped while it searches for the card, it begins no change; all wait for the next start."""
    with guarding(tmp_path, pki) as lab:
        trial = lab.asked(guarded(lab, "confirm", within=60).id)
        lab.stop()
        lab.modem.vanish()
        lab.start(port(lab))
        lab.until(lambda: lab.engine.snapshot(CARD), lambda card: card.state is CardState.ABSENT)
        lab.modem.come_back()
        with monkeypatch.context() as slow:
            slow.setattr(card_reading, "read_card", _stopping(lab, card_reading.read_card))
            asked = lab.submit(Kind.REFRESH)
            lab.until_true(lambda: not lab.engine._workers.of(CARD).alive)
        lab.stop()
        lab.start(port(lab))
        lab.engine.answer(lab.asked(trial.id).id, Answer(confirm=True))
        assert lab.ended(trial.id).error is None
        assert lab.ended(asked.id).state is State.DONE


def _stopping(lab: Lab, read: Callable[..., Any]) -> Callable[..., Any]:
    def stopped(*arguments: Any, **options: Any) -> Any:
        lab.engine._workers.of(CARD).stop()
        return read(*arguments, **options)

    return stopped


def test_a_patient_download_outwaits_the_way_back(tmp_path: Path, pki: Pki) -> None:
    """While a guarded switch waits for its card, a download that may be retried waits as well."""
    with guarding(tmp_path, pki) as lab:
        trial = lab.asked(guarded(lab, "confirm", within=60).id)
        lab.stop()
        lab.modem.vanish()
        lab.start(port(lab))
        lab.until(lambda: lab.engine.snapshot(CARD), lambda card: card.state is CardState.ABSENT)
        order = lab.order(iccid=THIRD)
        code = {"activation_code": lab.code(order)}
        patient = lab.submit(Kind.DOWNLOAD, secrets=code, when_online=True)
        seen = lab.until(
            lambda: lab.engine.change(patient.id), lambda each: each.pause is not None or each.state.ended
        )
        assert seen.state is State.WAITING
        lab.modem.come_back()
        lab.submit(Kind.REFRESH)  # searches for the card immediately
        lab.engine.answer(lab.asked(trial.id).id, Answer(confirm=True))
        assert lab.ended(trial.id).error is None
        assert lab.ended(patient.id).state is State.DONE


PING = "ping:example.com"
"""A condition as a later lpad may have it."""


def knowing_ping(patch: pytest.MonkeyPatch, *, source: Source | None) -> None:
    """Have lpad read one more kind of condition, which the given source reports; None: no source does."""
    kind = cast("ConditionKind", "ping")
    parse = Condition.parse
    patch.setattr(
        Condition,
        "parse",
        lambda text: Condition(kind=kind, text=text) if text == PING else parse(text),
    )
    if source is not None:
        patch.setitem(cast("dict[ConditionKind, Source]", SOURCES), kind, source)


@pytest.mark.parametrize("read", [False, True], ids=["not even read", "read"])
def test_a_guard_of_a_later_lpad_takes_the_switch_back(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch, *, read: bool
) -> None:
    """A condition that was accepted before a downgrade and cannot be evaluated now is not met."""
    with guarding(tmp_path, pki) as lab:
        with monkeypatch.context() as later:
            knowing_ping(later, source=Source.CALLER)
            change = lab.asked(guarded(lab, PING, within=60).id)
            assert enabled(lab) == SECOND
            lab.stop()
        if read:
            knowing_ping(monkeypatch, source=None)
        lab.start(port(lab))
        details = rolled_back(lab.ended(change.id))
        assert details["reason"] == "not-evaluated"
        assert details["unmet"] == PING
        assert enabled(lab) == FIRST


def test_a_condition_without_a_source_is_refused_before_anything_is_sent(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A switch whose condition has no source is refused before anything is sent to the card."""
    with guarding(tmp_path, pki) as lab:
        knowing_ping(monkeypatch, source=None)
        change = ended(lab, REGISTERED, PING)
        assert change.error is not None
        assert change.error.kind == "conflict"
        assert PING in change.error.sentence
        assert enabled(lab) == FIRST
        assert change.guard is None


@pytest.mark.parametrize("forgotten", [each for each in Source if each is not Source.CONNECTION])
def test_a_source_without_eyes_meets_no_guard(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch, forgotten: Source
) -> None:
    """A condition that its source cannot evaluate is not met, even if all others are."""
    with guarding(tmp_path, pki) as lab:
        monkeypatch.setattr(condition_watch, "look", _blind(forgotten))
        reason = rolled_back(ended(lab, REGISTERED, "tcp:127.0.0.1:9", "confirm"))["reason"]
        assert reason == "not-evaluated"
        assert enabled(lab) == FIRST


def _blind(forgotten: Source) -> Callable[..., Look]:
    def looks(condition: Condition, eyes: Any, *, deadline: Deadline) -> Look:
        if SOURCES[condition.kind] is not forgotten:
            return Look(met=True, seen="met")
        return look(
            condition, {source: eyes[source] for source in eyes if source is not forgotten}, deadline=deadline
        )

    return looks


def test_a_watch_that_ends_without_having_looked_is_not_met(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If the watch ends without a check, its caller finds the conditions unmet, and lpad rolls back."""
    with guarding(tmp_path, pki) as lab:
        monkeypatch.setattr(condition_watch.ConditionWatch, "run", lambda _self: None)
        details = rolled_back(ended(lab, REGISTERED))
        assert details["reason"] == "internal-error"
        assert details["unmet"] == REGISTERED
        assert enabled(lab) == FIRST
    assert "a guard that was not met is not kept" in caplog.text
