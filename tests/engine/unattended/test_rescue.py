"""After a failed rollback, lpad continues without a request until a wanted profile is enabled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.guarding import (
    DISALLOWED,
    ENABLE,
    disabled_by_another_program,
    enabled,
    guarded,
    guarding,
    port,
    stuck,
)
from engine.holding import silent
from engine.lab import CARD, FIRST, LONG, SECOND, Lab
from engine.test_full_disk import no_space
from lpad.base.backoff import Backoff
from lpad.engine.change.change import RESCUE, Kind, State
from lpad.engine.change.event_subscriptions import Hub
from lpad.engine.change.params import ProfileParams
from lpad.engine.journal import Journal
from lpad.engine.policy.switching import SwitchPolicy
from lpad.engine.running.change_question_answer import Answer
from lpad.engine.running.change_store import ChangeStore
from lpad.engine.running.metric_counters import Counters
from lpad.engine.snapshot.snapshot import CardState
from lpad.engine.unattended import rescue

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.engine.change.change import Change
    from lpad.simulator.pki.pki import Pki

DISABLE = 0xBF32
THIRD = "8900101000000000033"
NEVER = Backoff((3600.0,))
INTERVALS = rescue.BACKOFF.seconds


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescue, "BACKOFF", Backoff((0.2,)))
    monkeypatch.setattr(rescue, "REST", 0.2)


def attempts(lab: Lab) -> list[Change]:
    """Return the rescue's attempts, oldest first."""
    return [change for change in reversed(lab.engine.changes()) if change.origin == RESCUE]


def tried(lab: Lab, number: int = 1) -> list[Change]:
    return lab.until(lambda: attempts(lab), lambda seen: len(seen) >= number and seen[number - 1].state.ended)


def over(lab: Lab) -> None:
    lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.eid is not None)
    lab.until_true(lambda: lab.engine.card(CARD).rescue() is None)


def test_the_rescue_continues_until_the_previous_profile_is_enabled(tmp_path: Path, pki: Pki) -> None:
    """The rescue makes attempts, each shown as a change, until the previous profile is enabled."""
    with guarding(tmp_path, pki) as lab:
        change = stuck(lab)
        assert change.error is not None
        assert "keeps trying" in change.error.sentence
        assert enabled(lab) is None
        tried(lab, 2)
        shown = lab.engine.card(CARD).rescue()
        assert shown is not None
        assert (shown.change, shown.wanted) == (change.id, (FIRST,))
        lab.card.faults.forget()
        over(lab)
        assert enabled(lab) == FIRST
        assert [each.state for each in attempts(lab)][-1] is State.DONE
        assert {each.kind for each in attempts(lab)} == {Kind.ENABLE}


def test_the_order_is_gone_through(tmp_path: Path, pki: Pki) -> None:
    """If the previous profile is still refused, the fallback profiles are tried, round after round."""
    policy = SwitchPolicy(fallback=("8900101000000000041", THIRD), per_day=3)
    with guarding(tmp_path, pki, policy=policy) as lab:
        lab.install(iccid=THIRD, name="Third")
        stuck(lab)
        seen = tried(lab, 3)
        assert [each.params_of(ProfileParams).iccid for each in seen[:3]] == [FIRST, THIRD, FIRST]
        assert {each.error.kind for each in seen[:3] if each.error} == {"card-refused"}


def test_a_restart_does_not_end_a_rescue(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rescue survives a restart: lpad makes an attempt at its start, even if none is due yet."""
    monkeypatch.setattr(rescue, "BACKOFF", NEVER)
    with guarding(tmp_path, pki) as lab:
        stuck(lab)
        lab.stop()
        lab.card.faults.forget()
        lab.start()
        over(lab)
        assert enabled(lab) == FIRST
        assert len(attempts(lab)) == 1


def test_the_rescue_goes_before_downloads(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rescue waits neither for a download whose server does not answer, nor for the queued downloads."""
    with guarding(tmp_path, pki) as lab:
        codes = [lab.code(lab.order(iccid=THIRD)) for _ in range(3)]
        monkeypatch.setattr(rescue, "BACKOFF", Backoff((5.0,)))
        stuck(lab)
        lab.card.faults.forget()
        with silent(lab, "initiateAuthentication") as asked:
            downloads = [lab.submit(Kind.DOWNLOAD, secrets={"activation_code": code}) for code in codes]
            assert asked.acquire(timeout=LONG)
            over(lab)
            assert enabled(lab) == FIRST
        (attempt,) = attempts(lab)
        first = lab.ended(downloads[0].id)
        assert first.overtaken == 1
        assert attempt.ended_at is not None
        others = [lab.ended(each.id) for each in downloads[1:]]
        assert all(each.started_at and each.started_at >= attempt.ended_at for each in others)


def test_a_card_that_comes_back_is_tried_immediately(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When an absent card comes back, the rescue makes its next attempt immediately."""
    monkeypatch.setattr(rescue, "BACKOFF", NEVER)
    with guarding(tmp_path, pki) as lab:
        stuck(lab)
        assert lab.carry_out(Kind.REFRESH).state is State.DONE
        assert attempts(lab) == []
        lab.modem.once("", vanish=True)
        assert lab.carry_out(Kind.REFRESH).state is State.FAILED
        lab.card.faults.forget()
        lab.modem.come_back()
        assert lab.carry_out(Kind.REFRESH).state is State.DONE
        over(lab)
        assert enabled(lab) == FIRST


def test_a_users_switch_ends_the_rescue(tmp_path: Path, pki: Pki) -> None:
    """A user's switch ends the rescue, even if it leaves no profile enabled."""
    with guarding(tmp_path, pki) as lab:
        stuck(lab)
        assert lab.carry_out(Kind.DISABLE, iccid=SECOND).state is State.DONE
        over(lab)
        count = len(attempts(lab))
        assert lab.carry_out(Kind.REFRESH).state is State.DONE
        assert len(attempts(lab)) == count
        assert enabled(lab) is None


def test_without_a_previous_profile_none_is_enabled(tmp_path: Path, pki: Pki) -> None:
    """If no profile was enabled before the switch, the rescue disables the new profile."""
    with guarding(tmp_path, pki) as lab:
        assert lab.carry_out(Kind.DISABLE, iccid=FIRST).state is State.DONE
        lab.card.faults.refuse(DISABLE, DISALLOWED, times=1000)
        change = lab.asked(guarded(lab, "confirm", within=60).id)
        lab.engine.answer(change.id, Answer(confirm=False))
        assert lab.ended(change.id).error is not None
        assert tried(lab)[0].kind is Kind.DISABLE
        assert enabled(lab) == SECOND
        lab.card.faults.forget()
        over(lab)
        assert enabled(lab) is None


def test_a_deleted_profile_is_not_tried(tmp_path: Path, pki: Pki) -> None:
    """If the only wanted profile is deleted, the rescue ends."""
    with guarding(tmp_path, pki) as lab:
        stuck(lab)
        assert lab.carry_out(Kind.DELETE, iccid=FIRST).state is State.DONE
        over(lab)


def test_without_anything_to_go_back_to_nothing_is_tried(tmp_path: Path, pki: Pki) -> None:
    """With `keep_enabled`, and no previous or fallback profile, a rejected switch begins no rescue."""
    with guarding(tmp_path, pki) as lab:
        assert lab.carry_out(Kind.DISABLE, iccid=FIRST).state is State.DONE
        lab.stop()
        lab.start(port(lab, policy=SwitchPolicy(keep_enabled=True)))
        change = lab.asked(guarded(lab, "confirm", within=60).id)
        lab.engine.answer(change.id, Answer(confirm=False))
        change = lab.ended(change.id)
        assert change.error is not None
        assert "enable another profile manually" in change.error.sentence
        assert lab.engine.card(CARD).rescue() is None


def test_without_a_journal_it_waits_for_one(tmp_path: Path, pki: Pki) -> None:
    """While the journal cannot be written, the rescue makes no attempt; later it continues."""
    with guarding(tmp_path, pki) as lab:
        change = lab.asked(guarded(lab, "confirm", within=60).id)
        lab.card.faults.refuse(ENABLE, DISALLOWED, times=1000)
        disabled_by_another_program(lab, SECOND)
        with no_space():
            lab.engine.answer(change.id, Answer(confirm=False))
            assert lab.ended(change.id).error is not None
            lab.until_true(lambda: lab.engine.card(CARD).rescue() is not None)
            assert attempts(lab) == []
        lab.card.faults.forget()
        lab.stop()
        lab.start()
        lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
        lab.until_true(lambda: enabled(lab) == FIRST)


def test_a_journal_that_cant_be_read_hides_no_card(tmp_path: Path) -> None:
    """If the journal cannot be read, the state of the rescue is None, and not an error."""
    journal = Journal(tmp_path / "journal.db")
    hub = Hub()
    store = ChangeStore(journal, hub, Counters())
    journal.close()
    shown = rescue.Rescue(CARD, store=store, journal=journal, hub=hub, submit=lambda _change: None)
    assert shown.state("89049032000000000000000000000105") is None


def test_intervals_grow_to_an_hour() -> None:
    """The intervals between the rescue's rounds of attempts grow from half a minute to an hour."""
    assert INTERVALS[0] == 30
    assert list(INTERVALS) == sorted(INTERVALS)
    assert INTERVALS[-1] == 3600
