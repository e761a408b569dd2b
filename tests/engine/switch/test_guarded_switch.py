"""Guarded switches: kept if all conditions are met, otherwise rolled back."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from engine.guarding import (
    REGISTERED,
    THIRD,
    enabled,
    ended,
    guarded,
    guarding,
    listening,
    out_of_time,
    port,
    rolled_back,
    steps,
    told,
    unused_port,
)
from engine.lab import FIRST, SECOND, result_of
from engine.time_lapse import time_lapse
from lpad.base.errors import Conflict, InternalError, InvalidValue
from lpad.engine.change.change import Kind, QuestionKind, State, now
from lpad.engine.change.guard import TRANSITIONS, Guard, Phase, Turn
from lpad.engine.policy.install_policies_by_card import Policies
from lpad.engine.policy.switching import SwitchPolicy
from lpad.engine.running.change_question_answer import Answer
from lpad.engine.running.run import Run
from lpad.engine.switch import condition_watch
from lpad.engine.switch.guarded_switch import check_guard
from lpad.lpa.owner_install_policy import Asking, InstallPolicy
from lpad.simulator.euicc.chip.behaviour import CardBehaviour, RatRule
from lpad.simulator.modem.personality import Notices
from lpad.simulator.smdp.store.profile_metadata import Owner, ProfileMetadata, ProfilePolicyRule

if TYPE_CHECKING:
    from pathlib import Path

    from engine.lab import Lab
    from lpad.base.deadline import Deadline
    from lpad.simulator.pki.pki import Pki

ENABLE = 0xBF31
DISALLOWED = 3
PERMITS_PPR1 = CardBehaviour(rat=(RatRule(pprs=(1, 2), consent=False),))


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condition_watch, "STEADY", 0.3)
    monkeypatch.setattr(condition_watch, "FIRST_PAUSE", 0.1)


def install_locked(lab: Lab) -> None:
    """Install a profile whose policy rule (PPR1) forbids disabling it."""
    metadata = ProfileMetadata(
        iccid=THIRD, name="Third", rules=(ProfilePolicyRule.PPR1,), owner=Owner("00101")
    )
    lab.policies.become(Policies(InstallPolicy(confirm=Asking.CARD)))
    lab.install(iccid=THIRD, metadata=metadata)


@pytest.mark.parametrize("how", ["no", "taken back"])
def test_a_silent_server_does_not_delay_a_rollback(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """While a reachability check's socket waits, a no or a cancellation rolls the switch back immediately."""
    monkeypatch.setattr(condition_watch, "_REACHABILITY_CHECK", 1000.0)
    with socket.create_server(("127.0.0.1", 0)) as mute, guarding(tmp_path, pki) as lab:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/"
        change = guarded(lab, url, "confirm", within=1000)
        connection, _ = mute.accept()
        with connection:
            assert connection.recv(1024)
            if how == "no":
                lab.engine.answer(change.id, Answer(confirm=False))
            else:
                lab.engine.cancel(change.id)
            assert lab.ended(change.id).error is not None
        assert enabled(lab) == FIRST


def test_a_profile_that_registers_is_kept(tmp_path: Path, pki: Pki) -> None:
    """The profile is kept once the modem registers after a search; lpad listens, and rarely asks."""
    with guarding(tmp_path, pki, registers_after=1.0) as lab:
        change = ended(lab, REGISTERED)
        assert change.error is None, change.error
        result = result_of(change)
        assert result.pop("registration").startswith("CEREG 1 (registered at home)")
        assert result == {"iccid": SECOND, "already": False, "guard": "met", "previous": FIRST}
        assert steps(change) == ["ask-modem", "read-profiles", "enable-profile", "verify", "watch"]
        assert change.guard is not None
        assert change.guard.phase is Phase.KEPT
        assert enabled(lab) == SECOND
        asked = [line for line in lab.modem.received if line == "AT+CEREG?"]
        assert len(asked) <= 4


@pytest.mark.parametrize(("status", "word"), [(2, "searching"), (3, "denied")])
def test_a_profile_that_does_not_register_is_taken_back(
    tmp_path: Path, pki: Pki, status: int, word: str
) -> None:
    """After a rollback, card and modem agree on the previous profile; the error states what was seen."""
    with time_lapse() as pass_by, guarding(tmp_path, pki, registration={SECOND: status}) as lab:
        change = out_of_time(lab, pass_by, REGISTERED, seen=word)
        details = rolled_back(change)
        assert details["enabled"] == details["previous"] == FIRST
        assert details["reason"] == "time-limit"
        assert details["unmet"] == REGISTERED
        assert f"CEREG {status} ({word})" in str(details["seen"])
        assert enabled(lab) == FIRST
        assert steps(change)[-4:] == ["ask-modem", "read-profiles", "go-back", "verify"]
        assert change.guard is not None
        assert change.guard.phase is Phase.BACK
        assert [each.state for each in lab.engine.snapshot("modem").profiles] == ["enabled", "disabled"]


def test_a_query_cut_short_by_the_time_limit_hides_no_observation(tmp_path: Path, pki: Pki) -> None:
    """If the modem is silent when the time limit passes, the error states what was seen before."""
    with time_lapse() as pass_by, guarding(tmp_path, pki, registration={SECOND: 3}) as lab:
        change = guarded(lab, REGISTERED, within=600)
        told(lab, change, "denied")
        lab.modem.once("AT+CEREG?", instead=())
        asked = lab.modem.received.count("AT+CEREG?")
        lab.until_true(lambda: lab.modem.received.count("AT+CEREG?") > asked)
        pass_by(600)
        assert "CEREG 3 (denied)" in str(rolled_back(lab.ended(change.id))["seen"])


def test_without_a_previous_profile_the_rollback_enables_none(tmp_path: Path, pki: Pki) -> None:
    """The rollback leaves no profile enabled if none was enabled before."""
    with time_lapse() as pass_by, guarding(tmp_path, pki, registration={SECOND: 2}) as lab:
        lab.carry_out(Kind.DISABLE, iccid=FIRST)
        details = rolled_back(out_of_time(lab, pass_by, REGISTERED, seen="searching"))
        assert (details["enabled"], details["previous"]) == ("", "")
        assert enabled(lab) is None


def test_a_modem_that_keeps_the_old_state_is_helped_back_too(tmp_path: Path, pki: Pki) -> None:
    """The rollback may use each step of the modem's ladder, like the switch itself."""
    habits: dict[str, Any] = {"registration": {SECOND: 2}, "notices": Notices.RADIO_CYCLE}
    with time_lapse() as pass_by, guarding(tmp_path, pki, notice_in=0.3, **habits) as lab:
        change = out_of_time(lab, pass_by, REGISTERED, seen="searching")
        rolled_back(change)
        assert steps(change).count("radio-cycle") == 2
        assert lab.modem.powered


def test_a_switch_that_does_not_come_up_is_taken_back_immediately(tmp_path: Path, pki: Pki) -> None:
    """If the card reports success but is unchanged, lpad rolls back without waiting for the guard."""
    with guarding(tmp_path, pki, patience=2) as lab:
        lab.card.faults.refuse(ENABLE, 0)
        details = rolled_back(ended(lab, REGISTERED, within=300))
        assert details["reason"] == "not-enabled"
        assert enabled(lab) == FIRST


def test_less_than_a_second_is_not_damage(tmp_path: Path, pki: Pki) -> None:
    """A stored time limit below the shortest that callers may request is not replaced by a longer one."""
    with guarding(tmp_path, pki, registration={SECOND: 3}) as lab:
        change = ended(lab, REGISTERED, within=0.5)
        rolled_back(change)
        assert change.guard is not None
        assert (change.guard.until - change.created_at).total_seconds() < 100
        assert enabled(lab) == FIRST


def test_a_card_that_refuses_has_nothing_to_take_back(tmp_path: Path, pki: Pki) -> None:
    """If the card refuses the switch, the change fails with the card's own reason, as without a guard."""
    with guarding(tmp_path, pki, behaviour=PERMITS_PPR1) as lab:
        install_locked(lab)
        assert lab.carry_out(Kind.ENABLE, iccid=THIRD).error is None
        change = ended(lab, REGISTERED)
        assert change.error is not None
        assert change.error.kind == "card-refused"
        assert change.guard is not None
        assert change.guard.phase is Phase.BACK
        assert enabled(lab) == THIRD


def test_a_profile_without_a_way_back_takes_no_guard(tmp_path: Path, pki: Pki) -> None:
    """A guarded switch to a profile that may not be disabled is refused before a command is sent."""
    with guarding(tmp_path, pki, behaviour=PERMITS_PPR1) as lab:
        install_locked(lab)
        change = ended(lab, REGISTERED, iccid=THIRD)
        assert change.error is not None
        assert change.error.kind == "conflict"
        assert "rollback would be impossible" in change.error.sentence
        assert enabled(lab) == FIRST


def test_a_guard_of_the_enabled_profile_is_evaluated(tmp_path: Path, pki: Pki) -> None:
    """If the profile is already enabled, its guard is evaluated, and nothing is switched."""
    with guarding(tmp_path, pki) as lab:
        change = ended(lab, REGISTERED, iccid=FIRST)
        result = result_of(change)
        assert (result["already"], result["guard"], result["previous"]) == (True, "met", FIRST)
        assert change.guard is not None
        assert change.guard.phase is Phase.KEPT
        assert "enable-profile" not in steps(change)


def test_an_unmet_guard_of_the_enabled_profile_fails_and_switches_nothing(tmp_path: Path, pki: Pki) -> None:
    """If the profile was already enabled, an unmet guard fails the change and enables no other profile."""
    policy = SwitchPolicy(fallback=(SECOND,))
    with guarding(tmp_path, pki, registration={FIRST: 2}, policy=policy) as lab:
        change = ended(lab, REGISTERED, iccid=FIRST, within=2)
        assert change.error is not None
        assert change.error.kind == "switch-rolled-back"
        assert "already enabled, so lpad has switched nothing" in change.error.sentence
        assert "(searching)" in change.error.sentence
        details = change.error.details
        assert (details["enabled"], details["previous"], details["reason"]) == (FIRST, FIRST, "time-limit")
        assert (details["unmet"], details["layer"]) == ("registered", "registered")
        assert change.guard is not None
        assert change.guard.phase is Phase.BACK
        assert enabled(lab) == FIRST


def test_a_confirmation_of_the_enabled_profile_is_awaited(tmp_path: Path, pki: Pki) -> None:
    """Even for the enabled profile lpad asks for a confirmation; after a no, the profile stays enabled."""
    with guarding(tmp_path, pki) as lab:
        asked = guarded(lab, "confirm", iccid=FIRST)
        lab.asked(asked.id)
        lab.engine.answer(asked.id, Answer(confirm=False))
        change = lab.ended(asked.id)
        assert change.error is not None
        assert change.error.details["reason"] == "refused"
        assert enabled(lab) == FIRST


def test_a_modem_that_reports_no_registration_takes_no_such_guard(tmp_path: Path, pki: Pki) -> None:
    """If the modem reports no registration, a guard that requires it is refused before anything is sent."""
    with guarding(tmp_path, pki, registration_commands=()) as lab:
        change = ended(lab, REGISTERED)
        assert change.error is not None
        assert "supports none of AT+CEREG" in change.error.sentence
        assert enabled(lab) == FIRST


def test_a_modem_still_in_the_old_network_does_not_pass(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A modem may report the old registration for a moment after the switch; this does not meet the guard."""
    monkeypatch.setattr(condition_watch, "STEADY", 600.0)
    with time_lapse() as pass_by, guarding(tmp_path, pki) as lab:
        change = guarded(lab, REGISTERED, within=600)
        told(lab, change, "registered at home")
        lab.modem.register(SECOND, 2)
        told(lab, change, "searching")
        pass_by(600)
        assert "searching" in str(rolled_back(lab.ended(change.id))["seen"])


def test_a_card_without_a_modem_takes_no_guard_by_registration(tmp_path: Path, pki: Pki) -> None:
    """For a card in a reader, a guard by registration is refused before anything is sent."""
    with guarding(tmp_path, pki) as lab:
        lab.stop()
        lab.start(lab.port)  # It is a card without a modem, so only lpad reads it.
        change = ended(lab, REGISTERED)
        assert change.error is not None
        assert change.error.kind == "conflict"
        assert "lpad has no modem" in change.error.sentence
        assert enabled(lab) == FIRST
        change = lab.asked(guarded(lab, "confirm").id)
        lab.engine.answer(change.id, Answer(confirm=True))
        assert lab.ended(change.id).error is None


def test_a_reached_host_keeps_the_profile(tmp_path: Path, pki: Pki) -> None:
    """The profile is kept if a reachability check reaches its host through the named interface."""
    with guarding(tmp_path, pki) as lab, listening() as number:
        change = ended(lab, f"tcp:127.0.0.1:{number}@lo")
        assert change.error is None, change.error
        assert enabled(lab) == SECOND


def test_a_host_that_is_reached_late_keeps_the_profile(tmp_path: Path, pki: Pki) -> None:
    """A check that first fails is repeated until it reaches its host, and the profile is kept."""
    number = unused_port()
    with guarding(tmp_path, pki) as lab:
        change = guarded(lab, f"tcp:127.0.0.1:{number}")
        lab.until(
            lambda: lab.engine.change(change.id),
            lambda seen: seen.guard is not None and "refused" in seen.guard.told(),
        )
        with socket.create_server(("127.0.0.1", number)):
            assert lab.ended(change.id).error is None


def test_a_host_that_is_not_reached_takes_it_back(tmp_path: Path, pki: Pki) -> None:
    """The error of a switch whose host is never reached reports the check's last failure."""
    number = unused_port()
    with time_lapse() as pass_by, guarding(tmp_path, pki) as lab:
        change = out_of_time(lab, pass_by, f"tcp:127.0.0.1:{number}@lo", seen="refused")
        details = rolled_back(change)
        assert details["seen"] == f"tcp:127.0.0.1:{number}@lo: 127.0.0.1: connection refused"
        assert enabled(lab) == FIRST


def test_all_conditions_are_needed(tmp_path: Path, pki: Pki) -> None:
    """The error names the conditions that were not met, and omits the others."""
    number = unused_port()
    refused = f"tcp:127.0.0.1:{number}"
    with time_lapse() as pass_by, guarding(tmp_path, pki) as lab:
        details = rolled_back(out_of_time(lab, pass_by, REGISTERED, refused, "confirm", seen="refused"))
        assert details["unmet"] == f"tcp:127.0.0.1:{number}, confirm"


def test_a_confirmation_keeps_the_profile(tmp_path: Path, pki: Pki) -> None:
    """The change asks for a confirmation, with a question of its own kind; a yes keeps the profile."""
    with guarding(tmp_path, pki) as lab:
        change = lab.asked(guarded(lab, "confirm").id)
        assert change.state is State.WAITING
        assert change.question is not None
        assert change.question.kind is QuestionKind.CONFIRMATION
        assert enabled(lab) == SECOND
        lab.engine.answer(change.id, Answer(confirm=True))
        assert lab.ended(change.id).error is None


@pytest.mark.parametrize("confirm", [True, False])
def test_an_answer_that_comes_just_before_the_pause(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch, *, confirm: bool
) -> None:
    """An answer that arrives just before the pause between two checks ends that pause immediately."""
    answered: list[bool] = []
    paused = Run.pause

    def answer_first(run: Run, *, considered: Answer | None, deadline: Deadline) -> None:
        if not answered:
            answered.append(confirm)
            lab.engine.answer(run.change.id, Answer(confirm=confirm))
        paused(run, considered=considered, deadline=deadline)

    monkeypatch.setattr(Run, "pause", answer_first)
    with guarding(tmp_path, pki) as lab:
        ended = lab.ended(guarded(lab, "confirm", within=1000).id)
        assert answered == [confirm]
        assert (ended.error is None) == confirm


def test_a_confirmation_may_come_before_the_rest(tmp_path: Path, pki: Pki) -> None:
    """A program may confirm a switch before the guard's other conditions are met."""
    with guarding(tmp_path, pki, registers_after=1.5) as lab:
        change = lab.asked(guarded(lab, REGISTERED, "confirm").id)
        lab.engine.answer(change.id, Answer(confirm=True))
        assert lab.engine.change(change.id).state is State.RUNNING
        assert lab.ended(change.id).error is None


def test_a_no_takes_it_back_immediately(tmp_path: Path, pki: Pki) -> None:
    """If the answer is no, the rollback begins immediately, not at the end of the time limit."""
    with guarding(tmp_path, pki) as lab:
        change = lab.asked(guarded(lab, "confirm", within=600).id)
        lab.engine.answer(change.id, Answer(confirm=False))
        assert rolled_back(lab.ended(change.id))["reason"] == "refused"
        assert enabled(lab) == FIRST


def test_another_answer_does_not_fit(tmp_path: Path, pki: Pki) -> None:
    """The question of a guard accepts only a confirmation, not a decision on a profile."""
    with guarding(tmp_path, pki) as lab:
        change = lab.asked(guarded(lab, "confirm").id)
        with pytest.raises(Conflict, match="asks a different question: confirmation"):
            lab.engine.answer(change.id, Answer(decision="accept"))
        lab.engine.answer(change.id, Answer(confirm=True))
        lab.ended(change.id)


def test_taking_the_change_back_takes_the_switch_back(tmp_path: Path, pki: Pki) -> None:
    """Cancelling the change rolls the switch back: the previous profile is enabled."""
    with guarding(tmp_path, pki) as lab:
        change = lab.asked(guarded(lab, "confirm", within=600).id)
        lab.engine.cancel(change.id)
        change = lab.ended(change.id)
        assert change.state is State.CANCELLED
        assert change.error is not None
        assert change.error.details["enabled"] == FIRST
        assert enabled(lab) == FIRST


def test_other_changes_wait_and_reads_do_not(tmp_path: Path, pki: Pki) -> None:
    """While a profile is on trial, other changes wait, and reads return the last reading."""
    with guarding(tmp_path, pki) as lab:
        change = lab.asked(guarded(lab, "confirm").id)
        other = lab.submit(Kind.RENAME, iccid=FIRST, nickname="old")
        assert [each.state for each in lab.engine.snapshot("modem").profiles] == ["disabled", "enabled"]
        assert lab.engine.change(other.id).state is State.QUEUED
        lab.engine.answer(change.id, Answer(confirm=True))
        assert lab.ended(other.id).error is None


def test_if_the_previous_profile_does_not_enable_the_fallback_order_is_tried(
    tmp_path: Path, pki: Pki
) -> None:
    """If the previous profile cannot be enabled, those of the fallback order are tried, if on the card."""
    policy = SwitchPolicy(fallback=("8900101000000000041", SECOND, THIRD))
    with guarding(tmp_path, pki, policy=policy) as lab:
        lab.install(iccid=THIRD, name="Third")
        change = lab.asked(guarded(lab, "confirm", within=60).id)
        lab.card.faults.refuse(ENABLE, DISALLOWED)
        lab.engine.answer(change.id, Answer(confirm=False))
        change = lab.ended(change.id)
        details = rolled_back(change)
        assert details["enabled"] == THIRD
        assert details["previous"] == FIRST
        assert f"{FIRST}: " in str(details["failed"])
        assert "disallowedByPolicy" in str(details["failed"])
        assert steps(change).count("fall-back") == 1
        assert enabled(lab) == THIRD


def test_a_previous_profile_that_no_longer_registers_stays(tmp_path: Path, pki: Pki) -> None:
    """If the previous profile is enabled again but does not register, no fallback profile is tried."""
    policy = SwitchPolicy(fallback=(THIRD,))
    with guarding(tmp_path, pki, policy=policy) as lab:
        lab.install(iccid=THIRD, name="Third")
        change = lab.asked(guarded(lab, "confirm", within=60).id)
        lab.modem.register(FIRST, 2)
        lab.engine.answer(change.id, Answer(confirm=False))
        change = lab.ended(change.id)
        assert (rolled_back(change)["enabled"], rolled_back(change)["failed"]) == (FIRST, "")
        assert "fall-back" not in steps(change)
        lab.carry_out(Kind.REFRESH)
        assert lab.engine.card("modem").rescue() is None
        assert lab.engine.changes()[0].kind is Kind.REFRESH, "no switch follows"
        assert enabled(lab) == FIRST


def test_without_any_profile_to_go_back_to_the_new_one_stays(tmp_path: Path, pki: Pki) -> None:
    """If no other profile can be enabled, the new one stays, and the error states which one is enabled."""
    with guarding(tmp_path, pki) as lab:
        change = lab.asked(guarded(lab, "confirm", within=60).id)
        lab.card.faults.refuse(ENABLE, DISALLOWED, times=100)
        lab.engine.answer(change.id, Answer(confirm=False))
        change = lab.ended(change.id)
        assert change.error is not None
        assert change.error.kind == "switch-stuck"
        assert change.error.details["enabled"] == SECOND
        assert change.guard is not None
        assert change.guard.phase is Phase.STUCK


def test_a_card_that_must_have_a_profile_enabled_falls_back_instead_of_to_none(
    tmp_path: Path, pki: Pki
) -> None:
    """With `keep_enabled`, a rollback for which no profile was enabled before uses the fallback order."""
    with guarding(tmp_path, pki, policy=SwitchPolicy(fallback=(FIRST,))) as lab:
        lab.carry_out(Kind.DISABLE, iccid=FIRST)
        lab.stop()
        lab.start(port(lab, policy=SwitchPolicy(fallback=(FIRST,), keep_enabled=True)))
        change = lab.asked(guarded(lab, "confirm", within=60).id)
        lab.engine.answer(change.id, Answer(confirm=False))
        assert rolled_back(lab.ended(change.id))["enabled"] == FIRST


def test_cards_that_switch_only_with_refresh(tmp_path: Path, pki: Pki) -> None:
    """Switch and rollback work on a card that hides its profiles during a switch."""
    behaviour = CardBehaviour(profiles_hidden_during_switch=True)
    registration = {SECOND: 2}
    with (
        time_lapse() as pass_by,
        guarding(tmp_path, pki, behaviour=behaviour, registration=registration) as lab,
    ):
        rolled_back(out_of_time(lab, pass_by, REGISTERED, seen="searching"))
        assert enabled(lab) == FIRST


def test_the_events_report_how_far_the_guard_has_got(tmp_path: Path, pki: Pki) -> None:
    """Events report the start, each observation, the start of the rollback, and its end."""
    with time_lapse() as pass_by, guarding(tmp_path, pki, registration={SECOND: 3}) as lab:
        subscription = lab.engine.subscribe(lambda: None)
        change = out_of_time(lab, pass_by, REGISTERED, seen="denied")
        events = [event.data for event in subscription.take() if event.type == "guard"]
        assert {each["id"] for each in events} == {change.id}
        phases = list(dict.fromkeys(str(each["phase"]) for each in events))
        assert phases == ["switching", "watching", "going-back", "back"]
        subscription.close()


def test_the_table_has_a_way_out_of_each_phase() -> None:
    """Three phases lead on, three are ends, and a transition that the table lacks is an internal error."""
    going_on = {phase for phase, _ in TRANSITIONS}
    assert going_on == {Phase.SWITCHING, Phase.WATCHING, Phase.GOING_BACK}
    assert set(TRANSITIONS.values()) - going_on == {Phase.KEPT, Phase.BACK, Phase.STUCK}
    with pytest.raises(InternalError, match="cannot take the turn 'met'"):
        Guard(requirements=(), until=now(), previous=None).after(Turn.MET)


def test_a_guard_has_limits() -> None:
    """A guard has one to eight different conditions and a limit of a second to a day (docs/api.md)."""
    eight = [f"tcp:192.0.2.{number}:443" for number in range(1, 9)]
    assert check_guard(eight, 1) == tuple(eight)
    assert check_guard(["confirm"], 86_400) == ("confirm",)
    for until, within in (
        ([], 60),
        ([*eight, "confirm"], 60),
        (["confirm", "confirm"], 60),
        (["confirm"], 0.9),
        (["confirm"], 86_401),
    ):
        with pytest.raises(InvalidValue):
            check_guard(until, within)
