"""Switches on modems that report ICCIDs in other forms or falsely, or that need a PIN first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.lab import FIRST, SECOND, result_of
from engine.test_refresh import RADIO, RESET, SWITCHED, WAIT, bench, both, power, steps
from lpad.base.backoff import Backoff
from lpad.card import modem_power
from lpad.engine.change.change import Kind, State
from lpad.engine.unattended import rescue
from lpad.simulator.modem.commands import Reply
from lpad.simulator.modem.personality import Notices

if TYPE_CHECKING:
    from pathlib import Path

    from engine.lab import Lab
    from lpad.engine.change.change import Change
    from lpad.simulator.pki.pki import Pki


FORMS = {
    "swapped": ('{name}: "{swapped}"',),
    "groups and a slot": ("{name}: 1, {groups}",),
    "EID above": ("{name}: {eid}", "{swapped}"),
    "another name": ("+ICCID: {iccid},{eid}",),
}
"""Spellings of ICCIDs; tests/protocol/test_iccid_answer.py tests more of them."""
LIES = {
    "another card's": ("{name}: 8988211000000000011",),
    "a part of it": ("{name}: {iccid:.15}",),
    "garbage": ("{name}: ???",),
    "the EID alone": ("{name}: {eid}",),
}


def hint(change: Change) -> str:
    """Return the remark in a change's result, or an empty text."""
    return str(result_of(change).get("remark", ""))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_an_iccid_in_any_form_is_that_iccid(tmp_path: Path, pki: Pki, form: tuple[str, ...]) -> None:
    """A modem that spells ICCIDs in its own way does not count as reading another profile."""
    with bench(tmp_path, pki, iccid_commands=("+CCID",), iccid_answer=form) as lab:
        both(lab)
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert change.error is None, change.error
        assert steps(change) == SWITCHED
        assert power(lab) == []
        assert hint(change) == ""


def test_a_modem_that_reads_the_previous_profile_is_refreshed_whatever_its_spelling(
    tmp_path: Path, pki: Pki
) -> None:
    """A modem that still reports the previous profile is refreshed, even if it swaps the ICCID's digits."""
    habits: dict[str, Any] = {"iccid_commands": ("+CCID",), "iccid_answer": ("{name}: {swapped}",)}
    with bench(tmp_path, pki, notices=Notices.RADIO_CYCLE, **habits) as lab:
        both(lab)
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert change.error is None, change.error
        assert steps(change) == [*SWITCHED, "sim-power-cycle", "radio-cycle"]


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_no_modem_is_restarted_for_an_unknown_report(tmp_path: Path, pki: Pki, lie: tuple[str, ...]) -> None:
    """A modem's report of an ICCID that the card does not have proves nothing, so the card's list counts."""
    with bench(tmp_path, pki, iccid_commands=("+CCID",), iccid_answer=lie) as lab:
        both(lab)
        for wanted in (SECOND, FIRST, FIRST):
            change = lab.carry_out(Kind.ENABLE, iccid=wanted)
            assert change.error is None, change.error
        assert power(lab) == []


@pytest.mark.parametrize("line", ["+CCID: 8988211000000000011", "+CCID: ???"])
def test_a_modem_that_begins_to_lie_with_the_switch_is_not_restarted(
    tmp_path: Path, pki: Pki, line: str
) -> None:
    """If the modem reports only the new profile wrongly, lpad states this and does not restart it."""
    with bench(tmp_path, pki, iccid_commands=("+CCID",), quirks={"iccid_commands": ["AT+CCID"]}) as lab:
        both(lab)
        lab.modem.once("AT+CCID")  # the answer before the switch
        for _ in range(20):
            lab.modem.once("AT+CCID", instead=(line, "OK"))
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert change.error is None, change.error
        assert power(lab) == []
        assert "no profile of this card" in hint(change)


def test_the_next_command_is_asked_if_one_reports_garbage(tmp_path: Path, pki: Pki) -> None:
    """If a modem's +CCID returns the EID, lpad reads the ICCID by +CRSM, and acts on that."""
    habits: dict[str, Any] = {"iccid_commands": ("+CCID", "+CRSM"), "iccid_answer": ("{name}: {eid}",)}
    with bench(tmp_path, pki, notices=Notices.RADIO_CYCLE, **habits) as lab:
        both(lab)
        assert "radio-cycle" in steps(lab.carry_out(Kind.ENABLE, iccid=SECOND))


# A profile whose SIM PIN was not entered.


@pytest.mark.parametrize("hides", [True, False], ids=["ICCID hidden", "ICCID told"])
def test_a_locked_profile_is_switched_to_and_its_pin_is_reported(
    tmp_path: Path,
    pki: Pki,
    hides: bool,  # noqa: FBT001 - from parametrize
) -> None:
    """If the new profile's SIM is locked, the switch is done, and the result states which PIN to enter."""
    habits: dict[str, Any] = {"pin_locked": (SECOND,), "pin_hides_iccid": hides}
    with bench(tmp_path, pki, **habits) as lab:
        both(lab)
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert change.error is None, change.error
        assert power(lab) == []
        assert "SIM PIN" in hint(change)
        assert "AT+CPIN" in hint(change)
        back = lab.carry_out(Kind.ENABLE, iccid=FIRST)
        assert back.error is None, back.error
        assert hint(back) == ""
        assert power(lab) == []


def test_a_locked_profile_that_is_enabled_already_restarts_nothing(tmp_path: Path, pki: Pki) -> None:
    """A repeated request for an enabled profile with a locked SIM is done, and restarts no modem."""
    with bench(tmp_path, pki) as lab:
        both(lab)
        lab.modem.lock_sim(FIRST)
        for _ in range(3):
            change = lab.carry_out(Kind.ENABLE, iccid=FIRST)
            assert change.error is None, change.error
        assert power(lab) == []


def test_a_guard_names_the_pin_that_keeps_the_modem_from_its_network(tmp_path: Path, pki: Pki) -> None:
    """If a SIM PIN keeps the modem from registering, the guard's error names the PIN."""
    with bench(tmp_path, pki, pin_locked=(SECOND,)) as lab:
        both(lab)
        guard: dict[str, Any] = {"until": ["registered"], "within": 5.0}
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND, guard=guard)
        assert change.error is not None
        assert change.error.kind == "switch-rolled-back"
        assert "SIM PIN" in change.error.sentence
        assert str(lab.card.enabled_iccid) == FIRST
        assert power(lab) == []


def test_a_card_behind_a_pin_is_left_alone(tmp_path: Path, pki: Pki) -> None:
    """A modem that passes nothing to the card before the PIN is not restarted for that."""
    with bench(tmp_path, pki, quirks={"iccid_commands": ["AT+CCID"]}) as lab:
        both(lab)
        lab.modem.once("AT+CCID")
        for command in ("AT+CCID", "AT+CSIM", "AT+CCHO"):
            for _ in range(40):
                lab.modem.once(command, instead=("+CME ERROR: 11",), executed=False)
        change = lab.submit(Kind.ENABLE, iccid=SECOND)
        ended = lab.ended(change.id)
        lab.modem.forget_faults()
        assert ended.error is not None
        assert "SIM PIN" in ended.error.sentence
        assert power(lab) == []


# Restarts are limited.


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the wait for a port to disappear."""
    monkeypatch.setattr(modem_power, "_GOING", 0.2)


def climbs(lab: Lab) -> int:
    return sum(line == "AT+CFUN=1,1" for line in lab.modem.received)


@pytest.mark.usefixtures("quick")
def test_a_modem_that_never_notices_is_restarted_so_often_and_no_more(tmp_path: Path, pki: Pki) -> None:
    """After three restarts of a modem, lpad pauses, even across its own restarts; the error has the time."""
    with bench(
        tmp_path,
        pki,
        notices=Notices.NEVER,
        quirks={"refresh_ladder": [WAIT, RADIO, {**RESET, "seconds": 0.3}]},
    ) as lab:
        lab.install()
        for number in range(5):
            if number == 2:
                lab.stop()
            change = lab.carry_out(Kind.ENABLE, iccid=FIRST)
            assert change.state is State.FAILED
        assert climbs(lab) == 3
        assert change.error is not None
        assert "restarted the modem 3 times without success" in change.error.sentence
        assert "lpactl restart-modem" in change.error.sentence
        assert lab.modem.powered


@pytest.mark.usefixtures("quick")
def test_a_modem_that_each_switch_needs_a_restart_for_gets_it(tmp_path: Path, pki: Pki) -> None:
    """A restart after which the modem reads the new profile does not count towards the limit on restarts."""
    with bench(
        tmp_path, pki, notices=Notices.RESET, quirks={"refresh_ladder": [WAIT, {**RESET, "seconds": 0.5}]}
    ) as lab:
        both(lab)
        for wanted in (SECOND, FIRST, SECOND, FIRST, SECOND):
            change = lab.carry_out(Kind.ENABLE, iccid=wanted)
            assert change.error is None, change.error
        assert climbs(lab) == 5


@pytest.mark.usefixtures("quick")
def test_commands_after_a_switch_are_limited_too(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a quirk's command has lost the modem its card three times, lpad no longer sends it."""
    quirks = {"after_switch": ["AT+CFUN=1,1"], "refresh_ladder": [{**WAIT, "seconds": 0.3}]}
    with bench(tmp_path, pki, quirks=quirks) as lab:
        both(lab)
        commands = lab.modem._commands
        usual, restarted = commands.answer, [False]

        def answer(line: str) -> Reply | None:
            restarted[0] = restarted[0] or line == "AT+CFUN=1,1"
            if line.startswith("AT+CCID") and restarted[0]:
                return Reply(final="+CME ERROR: 13")
            return usual(line)

        monkeypatch.setattr(commands, "answer", answer)
        states = []
        for wanted in (SECOND, FIRST, SECOND, FIRST):
            restarted[0] = False
            states.append(lab.carry_out(Kind.ENABLE, iccid=wanted).state)
        assert states == [State.FAILED, State.FAILED, State.FAILED, State.DONE]
        assert climbs(lab) == 3


@pytest.mark.usefixtures("quick")
def test_rescue_does_not_restart_a_modem_forever(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After attempts without success lpad no longer restarts the modem, and rescue continues without it."""
    monkeypatch.setattr(rescue, "BACKOFF", Backoff((0.1,)))
    monkeypatch.setattr(rescue, "REST", 0.1)
    quirks = {"refresh_ladder": [WAIT, {**RESET, "seconds": 0.3}]}
    with bench(tmp_path, pki, notices=Notices.NEVER, quirks=quirks) as lab:
        both_stuck(lab)
        lab.until_true(lambda: attempts(lab) >= 6)
        assert climbs(lab) <= 3


def both_stuck(lab: Lab) -> None:
    """Install two profiles, and have a guarded switch to the second end stuck: the modem reads neither."""
    lab.install()
    lab.install(iccid=SECOND, name="Second")
    lab.carry_out(Kind.ENABLE, iccid=FIRST)
    guard: dict[str, Any] = {"until": ["registered"], "within": 30.0}
    change = lab.carry_out(Kind.ENABLE, iccid=SECOND, guard=guard)
    assert change.error is not None
    assert change.error.kind == "switch-stuck", change.error


def attempts(lab: Lab) -> int:
    state = lab.engine.card("modem").rescue()
    return 0 if state is None else state.attempts
