"""The card goes away after a change was sent to it: once it is back, the change ends by its true state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine import guarding
from engine.lab import CARD, FIRST, SECOND, Lab, result_of
from engine.test_full_disk import no_space
from lpad.base.errors import Conflict
from lpad.base.identifiers import Eid
from lpad.card import modem_refresh
from lpad.engine.change.change import Change, Kind, PauseReason, State
from lpad.engine.snapshot.snapshot import CardState
from lpad.simulator.euicc.card import SoftCard

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki

OTHER_EID = "89049032000000000000000000000105"
ENABLE = 'AT+CSIM=50,"81E2910014BF31'
DELETE = 'AT+CSIM=40,"81E291000FBF33'
NICKNAME = 'AT+CSIM=52,"81E2910015BF29'
SEGMENT = 'AT+CSIM=66,"81E291001CA01A'
LOAD_RESULT = 'AT+CSIM=10,"01C0'
RESET: dict[str, Any] = {"operational_profiles": True, "test_profiles": False, "default_smdp": False}

CASES: dict[str, tuple[Kind, dict[str, Any], str]] = {
    "enable": (Kind.ENABLE, {"iccid": SECOND}, ENABLE),
    "disable": (Kind.DISABLE, {"iccid": FIRST}, 'AT+CSIM=50,"81E2910014BF32'),
    "delete": (Kind.DELETE, {"iccid": SECOND}, DELETE),
    "rename": (Kind.RENAME, {"iccid": FIRST, "nickname": "home"}, NICKNAME),
    "address": (Kind.SET_DEFAULT_SMDP, {"default_smdp": "a.example.com"}, 'AT+CSIM=46,"81E2910012BF3F'),
    "reset": (Kind.RESET, RESET, 'AT+CSIM=24,"81E2910007BF34'),
}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a switch stop waiting for its card soon."""
    monkeypatch.setattr(modem_refresh, "_PORT_AWAY", 0.2)
    monkeypatch.setattr(modem_refresh, "RESTART", 0.5)


@pytest.fixture
def both(lab: Lab) -> Lab:
    """Return a lab whose card has two profiles, the first of them enabled."""
    lab.install()
    lab.install(iccid=SECOND, name="Second")
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).error is None
    return lab


def gone(lab: Lab, case: str, *, executed: bool) -> Change:
    """Request something, remove the port in place of the answer, and return the waiting change."""
    kind, params, command = CASES[case]
    lab.until_true(lambda: lab.card.open_channels == ())
    lab.modem.once(command, executed=executed, vanish=True)
    change = lab.submit(kind, **params)
    change = lab.until(
        lambda: lab.engine.change(change.id), lambda seen: seen.pause is not None or seen.state.ended
    )
    assert change.state is State.WAITING, change.error
    assert change.pause is not None
    assert change.pause.reason is PauseReason.CARD
    assert change.pause.error.kind == "card-unreachable"
    return change


def gone_while_loading(lab: Lab, *, installed: bool, **params: Any) -> Change:
    """Request a download, remove the port at an early or the last segment, and return the change."""
    lab.until_true(lambda: lab.card.open_channels == ())
    lab.modem.received.clear()
    lab.modem.once(SEGMENT, delay=0.3, executed=installed, vanish=not installed)
    order = lab.order(iccid=FIRST)
    change = lab.submit(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)}, **params)
    lab.until_true(lambda: any(each.startswith(SEGMENT) for each in lab.modem.received))
    if installed:
        lab.modem.once(LOAD_RESULT, vanish=True)
    return lab.until(
        lambda: lab.engine.change(change.id), lambda seen: seen.pause is not None or seen.state.ended
    )


def back(lab: Lab) -> None:
    """Bring the port back, as a modem that has restarted does."""
    lab.card.reset()
    lab.modem.come_back()


def interrupted(change: Change) -> str:
    """Assert that a change was interrupted; return the sentence of its error."""
    assert change.state is State.FAILED
    assert change.error is not None
    assert change.error.details["interrupted"] is True
    return change.error.sentence


@pytest.mark.parametrize("case", CASES)
def test_a_switch_that_the_card_made_is_done(both: Lab, case: str) -> None:
    """A change whose answer is lost waits for the card, and is done if the card has carried it out."""
    change = gone(both, case, executed=True)
    back(both)
    both.carry_out(Kind.REFRESH)
    change = both.ended(change.id)
    assert change.state is State.DONE, change.error
    assert change.result is not None
    assert result_of(change)["settled"] is True
    assert change.pause is None
    assert "verify" in [step.name for step in change.steps] or case in ("rename", "address")


@pytest.mark.parametrize("case", CASES)
def test_a_switch_that_never_reached_the_card_fails(both: Lab, case: str) -> None:
    """If a command never reached the card, the error states that nothing was done, once the card is back."""
    change = gone(both, case, executed=False)
    back(both)
    both.carry_out(Kind.REFRESH)
    sentence = interrupted(both.ended(change.id))
    assert "cut off by the loss of the card; now" in sentence
    assert "repeat the request" in sentence


@pytest.mark.parametrize("restarted", [False, True], ids=["alive", "restarted"])
def test_a_profile_whose_last_answer_was_lost(lab: Lab, *, restarted: bool) -> None:
    """A download with one attempt does not fail if the card has installed the profile."""
    change = gone_while_loading(lab, installed=True)
    assert change.state is State.WAITING, change.error
    assert change.pause is not None
    assert change.pause.reason is PauseReason.CARD
    if restarted:
        lab.stop()
        lab.start()
        lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.ABSENT)
        assert lab.engine.change(change.id).pause == change.pause
    back(lab)
    lab.carry_out(Kind.REFRESH)
    ended = lab.ended(change.id)
    assert ended.state is State.DONE, ended.error
    assert ended.result is not None
    assert result_of(ended)["iccid"] == FIRST
    assert result_of(ended)["settled"] is True
    lab.until_true(lambda: lab.card.notifications == ())


@pytest.mark.parametrize("restarted", [False, True], ids=["alive", "restarted"])
def test_a_profile_that_was_half_loaded(lab: Lab, *, restarted: bool) -> None:
    """If the card went away while a profile was loaded and then lacks it, the error reports this."""
    change = gone_while_loading(lab, installed=False)
    assert change.state is State.WAITING, change.error
    if restarted:
        lab.stop()
        lab.start()
    back(lab)
    lab.carry_out(Kind.REFRESH)
    assert "was being loaded and is not on the card" in interrupted(lab.ended(change.id))
    assert lab.card.profiles == ()


def test_a_download_that_was_to_be_enabled_too(lab: Lab) -> None:
    """If the card goes away between download and enable, the error names the installed profile."""
    change = gone_while_loading(lab, installed=True, enable=True)
    back(lab)
    lab.carry_out(Kind.REFRESH)
    ended = lab.ended(change.id)
    assert "is installed, but not enabled; enable it" in interrupted(ended)
    assert ended.error is not None
    assert ended.error.details["installed"] == FIRST


def test_a_download_that_is_tried_again_is_not_left_to_the_card(lab: Lab) -> None:
    """A download that may be retried is resumed when the card is back, and uses a profile that was loaded."""
    change = gone_while_loading(lab, installed=True, retry_for=3600, enable=True)
    assert change.pause is not None
    assert change.pause.retry_at is not None
    back(lab)
    lab.carry_out(Kind.REFRESH)
    ended = lab.ended(change.id)
    assert ended.state is State.DONE, ended.error
    assert [each.enabled for each in lab.card.profiles] == [True]


def test_a_download_before_its_loading_fails_immediately(lab: Lab) -> None:
    """A download whose card goes away before the first segment fails immediately."""
    lab.modem.once('AT+CSIM=520,"81E21100FFBF38', vanish=True)
    order = lab.order()
    change = lab.carry_out(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)})
    assert change.error is not None
    assert change.error.kind == "card-unreachable"
    assert "interrupted" not in change.error.details


def test_other_requests_fail_while_a_change_waits_for_the_card(both: Lab) -> None:
    """While a change waits for its card, other requests fail; when the card returns, it is settled first."""
    change = gone(both, "enable", executed=True)
    other = both.carry_out(Kind.RENAME, iccid=FIRST, nickname="later")
    assert other.error is not None
    assert other.error.kind == "card-unreachable"
    assert "interrupted" not in other.error.details
    assert both.engine.change(change.id).state is State.WAITING
    with pytest.raises(Conflict, match="too late to cancel"):
        both.engine.cancel(change.id)
    back(both)
    after = both.carry_out(Kind.DISABLE, iccid=SECOND)
    assert after.error is None
    assert result_of(after) == {"iccid": SECOND, "already": False}
    settled = both.engine.change(change.id)
    assert settled.state is State.DONE
    assert settled.ended_at is not None
    assert after.started_at is not None
    assert settled.ended_at <= after.started_at


def test_a_command_that_was_not_sent_fails_immediately(both: Lab) -> None:
    """If the port disappears before a command is sent, the change fails; the caller may try again."""
    both.until_true(lambda: both.card.open_channels == ())
    both.modem.once("AT+CSIM", vanish=True)
    change = both.carry_out(Kind.DELETE, iccid=SECOND)
    assert change.error is not None
    assert change.error.kind == "card-unreachable"
    assert "interrupted" not in change.error.details


def test_a_card_that_is_there_again_is_asked_immediately(both: Lab) -> None:
    """If an answer is lost but the card's port stays, lpad immediately asks the card for its state."""
    both.patient(read=3)
    both.stop()
    both.start()
    both.until(lambda: both.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
    both.until_true(lambda: both.card.open_channels == ())
    both.modem.once(NICKNAME, instead=("ERROR",))
    change = both.carry_out(Kind.RENAME, iccid=FIRST, nickname="home")
    assert change.error is None, change.error
    assert result_of(change) == {"iccid": FIRST, "nickname": "home", "already": False, "settled": True}
    both.modem.once(NICKNAME, instead=("ERROR",), executed=False)
    change = both.carry_out(Kind.RENAME, iccid=FIRST, nickname="away")
    assert change.error is not None
    assert change.error.kind == "card-unreachable"
    assert "interrupted" not in change.error.details


def test_a_restart_in_between(both: Lab) -> None:
    """After a restart of lpad, the change continues to wait for its card, and is then settled."""
    change = gone(both, "enable", executed=True)
    both.stop()
    both.start()
    both.until(lambda: both.engine.snapshot(CARD), lambda seen: seen.state is CardState.ABSENT)
    waiting = both.engine.change(change.id)
    assert waiting.state is State.WAITING
    assert waiting.pause == change.pause
    back(both)
    both.carry_out(Kind.REFRESH)
    assert both.ended(change.id).state is State.DONE


def test_a_change_waits_for_the_card_on_a_full_disk(both: Lab, tmp_path: Path) -> None:
    """A change also waits for its card on a full disk, because the journal already has the sent command."""
    kind, params, command = CASES["enable"]
    both.until_true(lambda: both.card.open_channels == ())
    both.modem.received.clear()
    both.modem.once(command, delay=1.0, vanish=True)
    change = both.submit(kind, **params)
    both.until_true(lambda: any(each.startswith(command) for each in both.modem.received))
    with no_space(tmp_path / "journal.db-wal"):
        both.until(lambda: both.engine.change(change.id), lambda seen: seen.pause is not None)
    back(both)
    both.carry_out(Kind.REFRESH)
    assert both.ended(change.id).state is State.DONE


def test_another_card_does_not_settle_a_change(both: Lab, tmp_path: Path, pki: Pki) -> None:
    """If another card is in the place of a deletion's card, the deletion fails with this reason."""
    change = gone(both, "delete", executed=False)
    with SoftCard(tmp_path / "other", pki=pki, eid=Eid.parse(OTHER_EID)) as other:
        both.modem.swap_card(other)
        back(both)
        both.carry_out(Kind.REFRESH)
        ended = both.ended(change.id)
        assert "is in its place now" in interrupted(ended)
        assert ended.error is not None
        assert ended.error.kind == "conflict"
        both.stop()


@pytest.mark.parametrize("restarted", [False, True])
def test_a_card_that_stays_away(both: Lab, *, restarted: bool) -> None:
    """If the card stays away, the wait ends, even across restarts; the error calls the outcome unknown."""
    both.patient(absence=3)
    both.stop()
    both.start()
    both.until(lambda: both.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
    change = gone(both, "enable", executed=True)
    if restarted:
        both.patient(absence=3600)
        both.stop()
        both.start()
    ended = both.ended(change.id)
    assert "once the card is back, check whether the change was carried out" in interrupted(ended)
    assert ended.error is not None
    assert ended.error.details["outcome"] == "unknown"
    back(both)
    again = both.carry_out(Kind.ENABLE, iccid=SECOND)
    assert result_of(again) == {"iccid": SECOND, "already": True}


def test_a_done_change_stays_done_if_the_port_vanishes_again(both: Lab) -> None:
    """A change that the card has carried out is done even if the port vanishes again: it waits once more."""
    both.stop()
    both.start(guarding.port(both, steps=[{"step": "wait", "seconds": 0.3}]))
    both.until(lambda: both.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
    change = gone(both, "enable", executed=True)
    both.modem.received.clear()
    both.modem.once("AT+CCID", vanish=True)
    back(both)
    both.submit(Kind.REFRESH)
    both.until_true(lambda: "AT+CCID" in both.modem.received)
    again = both.until(
        lambda: both.engine.change(change.id),
        lambda seen: seen.state.ended or (seen.pause is not None and seen.pause != change.pause),
    )
    assert again.state is State.WAITING, again
    back(both)
    both.carry_out(Kind.REFRESH)
    assert both.ended(change.id).state is State.DONE
