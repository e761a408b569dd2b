"""Modems that refuse all commands for their card until lpad restarts them, with or without a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.guarding import THIRD
from engine.lab import CARD, FIRST, SECOND, result_of
from engine.test_refresh import RADIO, WAIT, bench, both, power
from lpad.base.errors import Conflict
from lpad.card import modem_power
from lpad.card.at.at_link import open_at_link
from lpad.engine.change.change import Kind, State
from lpad.engine.running.card.card_with_open_link import CardPort
from lpad.engine.snapshot.snapshot import CardState
from lpad.engine.worker import hung_modem_restart, presence
from lpad.simulator.modem.personality import Notices

if TYPE_CHECKING:
    from pathlib import Path

    from engine.lab import Lab
    from lpad.simulator.pki.pki import Pki

QUIRKS: dict[str, Any] = {"refresh_ladder": [WAIT, {**RADIO, "seconds": 0.2}]}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have lpad check an absent card often, and not wait long for a port to disappear."""
    monkeypatch.setattr(presence, "REOPENING", (0.05,))
    monkeypatch.setattr(modem_power, "_GOING", 0.2)


def ready(lab: Lab) -> bool:
    return lab.engine.snapshot(CARD).state is CardState.READY


def hang(lab: Lab, *, times: int = 500, error: str = "+CME ERROR: 0") -> None:
    """Make the modem refuse commands for the card many times, even after a restart of the modem."""
    for command in ("AT+CSIM", "AT+CCHO"):
        for _ in range(times):
            lab.modem.once(command, instead=(error,), executed=False)


def test_a_modem_that_hangs_after_a_hot_swap_gets_its_radio_cycled(tmp_path: Path, pki: Pki) -> None:
    """After a few refused checks, lpad switches the modem's radio off and on, and the card becomes ready."""
    with bench(tmp_path, pki, quirks=QUIRKS, hot_swap_hangs=True) as lab:
        both(lab)
        lab.modem.swap_card(lab.card)
        change = lab.carry_out(Kind.REFRESH)
        assert change.error is not None
        lab.until_true(lambda: ready(lab))
        assert power(lab) == ["AT+CFUN=0", "AT+CFUN=1"]
        assert lab.carry_out(Kind.ENABLE, iccid=SECOND).error is None


def test_a_modem_that_hangs_forever_is_not_restarted_forever(tmp_path: Path, pki: Pki) -> None:
    """Lpad restarts the modem three times, then pauses; a restart of lpad does not change this count."""
    with bench(tmp_path, pki, quirks=QUIRKS) as lab:
        both(lab)
        hang(lab)
        lab.carry_out(Kind.REFRESH)
        lab.until_true(lambda: lab.engine.card(CARD).modem_restarts().times == 3)
        seen = len(lab.modem.received)
        lab.until_true(lambda: len(lab.modem.received) > seen + 30)
        assert power(lab).count("AT+CFUN=0") == 3
        assert lab.modem.powered
        state = lab.engine.card(CARD).modem_restarts()
        assert not state.exhausted
        lab.stop()
        assert lab.engine.card(CARD).modem_restarts() == state, "a restart of lpad has changed the state"


def test_restarts_count_until_the_modem_stays_healthy(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a modem hangs repeatedly, its restarts are counted; after a healthy time, the count starts again."""
    with bench(tmp_path, pki, quirks=QUIRKS, hot_swap_hangs=True) as lab:
        both(lab)
        for steady, times in ((600.0, 1), (600.0, 2), (0.0, 0)):
            monkeypatch.setattr(hung_modem_restart, "STEADY", steady)
            lab.modem.swap_card(lab.card)
            lab.carry_out(Kind.REFRESH)
            lab.until_true(lambda: ready(lab))
            assert lab.carry_out(Kind.REFRESH).error is None
            assert lab.engine.card(CARD).modem_restarts().times == times


@pytest.mark.parametrize("error", ["+CME ERROR: 10", "+CME ERROR: 11", "ERROR", "+CME ERROR: 3"])
def test_no_modem_is_restarted_for_another_refusal(tmp_path: Path, pki: Pki, error: str) -> None:
    """Lpad restarts no modem for a missing SIM, a required PIN or an unknown command."""
    with bench(tmp_path, pki, quirks=QUIRKS) as lab:
        both(lab)
        hang(lab, error=error)
        lab.carry_out(Kind.REFRESH)
        seen = len(lab.modem.received)
        lab.until_true(lambda: len(lab.modem.received) > seen + 30)
        assert power(lab) == []


# Restarts on request.


def test_a_person_has_the_modem_restarted(tmp_path: Path, pki: Pki) -> None:
    """A user's restart makes a modem read the new profile, and resets the count of lpad's own restarts."""
    with bench(tmp_path, pki, quirks={"refresh_ladder": [WAIT]}, notices=Notices.RADIO_CYCLE) as lab:
        both_behind(lab)
        lab.stop()
        lab.start(*lab_ports(lab, QUIRKS))
        change = lab.carry_out(Kind.RESTART_MODEM)
        assert change.error is None, change.error
        assert [step.name for step in change.steps] == ["ask-modem", "restart-modem", "radio-cycle"]
        assert power(lab) == ["AT+CFUN=0", "AT+CFUN=1"]
        assert lab.engine.card(CARD).modem_restarts().times == 0
        assert result_of(lab.carry_out(Kind.ENABLE, iccid=SECOND)) == {"iccid": SECOND, "already": True}


def both_behind(lab: Lab) -> None:
    lab.install()
    lab.install(iccid=SECOND, name="Second")
    for iccid in (FIRST, SECOND):
        lab.carry_out(Kind.ENABLE, iccid=iccid)
    lab.modem.received.clear()


def lab_ports(lab: Lab, quirks: dict[str, Any]) -> list[Any]:
    path = str(lab.folder / "tty")
    opened = lambda _deadline: open_at_link(path, overrides=quirks)  # noqa: E731
    return [CardPort(name=CARD, transport="AT", open_link=opened)]


def test_a_hanging_modem_is_restarted_on_request_although_its_card_is_absent(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user can have a hanging modem restarted although its card is absent."""
    monkeypatch.setattr(hung_modem_restart, "LOOKS", 10_000)
    with bench(tmp_path, pki, quirks=QUIRKS, hot_swap_hangs=True) as lab:
        both(lab)
        lab.modem.swap_card(lab.card)
        assert lab.carry_out(Kind.REFRESH).error is not None
        change = lab.carry_out(Kind.RESTART_MODEM)
        assert change.error is None, change.error
        assert ready(lab)


def test_a_card_that_stays_away_after_the_restart_fails_it(tmp_path: Path, pki: Pki) -> None:
    """If the card stays away after a restart, the change fails with this reason."""
    with bench(tmp_path, pki, quirks=QUIRKS) as lab:
        both(lab)
        hang(lab)
        change = lab.carry_out(Kind.RESTART_MODEM)
        assert change.error is not None
        assert "the modem was restarted, but its card cannot be read" in change.error.sentence


def test_a_restart_is_refused_while_a_change_runs(tmp_path: Path, pki: Pki) -> None:
    """While a change runs, a restart is refused as a conflict that gives the running change's number."""
    with bench(tmp_path, pki, quirks=QUIRKS) as lab:
        both(lab)
        guard: dict[str, Any] = {"until": ["confirm"], "within": 60.0}
        change = lab.submit(Kind.ENABLE, iccid=SECOND, guard=guard)
        lab.asked(change.id)
        with pytest.raises(Conflict, match=f"change {change.id} "):
            lab.submit(Kind.RESTART_MODEM)
        lab.engine.cancel(change.id)
        lab.ended(change.id)
        assert lab.carry_out(Kind.RESTART_MODEM).error is None


def test_a_restart_goes_before_queued_downloads(tmp_path: Path, pki: Pki) -> None:
    """A user's restart of the modem is carried out before a download that was queued earlier."""
    with bench(tmp_path, pki, quirks=QUIRKS) as lab:
        both(lab)
        lab.stop()
        lab.modem.once("ATE0", delay=2.0)  # Until this answer, lpad opens the card and runs no change.
        lab.start()
        code = lab.code(lab.order(iccid=THIRD, name="Third"))
        download = lab.submit(Kind.DOWNLOAD, secrets={"activation_code": code})
        restart = lab.submit(Kind.RESTART_MODEM)
        begun = [lab.ended(change.id).started_at for change in (restart, download)]
        assert None not in begun
        assert begun == sorted(begun, key=str)


def test_a_ladder_without_a_restart_leaves_nothing_to_order(tmp_path: Path, pki: Pki) -> None:
    """If the refresh ladder has no step that restarts the modem, a request for a restart fails."""
    with bench(tmp_path, pki, quirks={"refresh_ladder": [WAIT]}) as lab:
        both(lab)
        change = lab.carry_out(Kind.RESTART_MODEM)
        assert change.state is State.FAILED
        assert change.error is not None
        assert change.error.kind == "conflict"
        assert power(lab) == []
