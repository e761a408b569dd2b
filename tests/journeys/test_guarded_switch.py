"""Guarded switches by a daemon that is killed, stopped or frozen at different steps."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.journal_file import sealed
from journeys.gate import Gate, enabling, gated_gateway
from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.base.identifiers import Iccid
from lpad.simulator.modem.personality import ModemPersonality
from lpad.simulator.profile_package.made_up_profile import made_up_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lpad.client import Change


class Trial:
    """A gateway with two profiles, the first enabled, and a gate between its modem and its card."""

    def __init__(self, gateway: Gateway, gate: Gate, profile: Callable[[], bytes]) -> None:
        self.gateway = gateway
        self.gate = gate
        gateway.ready()
        found = [gateway.download(gateway.order(profile())).check().result or {} for _ in range(2)]
        self.old, self.new = (str(each["iccid"]) for each in found)
        gateway.client.enable(CARD, self.old, wait=PATIENCE).check()

    def begin(self, *until: str, within: float) -> Change:
        """Request the switch to the second profile."""
        return self.gateway.client.enable(CARD, self.new, guard=until, within=within)

    def watched(self, change: Change) -> Change:
        """Return the change once lpad waits for its guard's conditions."""
        client = self.gateway.client
        self.gateway.until(
            lambda: getattr(client.change(change.id).guard, "phase", "") not in ("", "switching")
        )
        return client.change(change.id)

    def again(self) -> None:
        """Start lpad again after a kill."""
        self.gateway.start()
        self.gateway.ready()

    def ended(self, change: Change) -> Change:
        """Return the change once it has ended."""
        client = self.gateway.client
        self.gateway.until(lambda: client.change(change.id).ended)
        return client.change(change.id)

    def is_back(self, change: Change) -> dict[str, Any]:
        """Check that the change was rolled back to the old profile; return its error's details."""
        change = self.ended(change)
        assert change.error is not None, change
        assert change.error.kind == "switch-rolled-back", change.error
        assert change.error.details["enabled"] == self.old
        assert str(self.gateway.card.enabled_iccid) == self.old
        states = {each.iccid: each.state for each in self.gateway.client.profiles(CARD)}
        assert states == {self.old: "enabled", self.new: "disabled"}
        return change.error.details

    def is_kept(self, change: Change) -> None:
        """Check that the new profile is enabled, and that the change is done."""
        assert self.ended(change).check().state == "done"
        assert str(self.gateway.card.enabled_iccid) == self.new

    def limit_of(self, change: Change, **fields: Any) -> None:
        """Set fields of the guard's time limit in the journal; the daemon must not run meanwhile."""
        with sealed(self.gateway.folder / "state" / "journal.db") as journal:
            (private,) = journal.execute("SELECT private FROM changes WHERE id = ?", (change.id,)).fetchone()
            noted = msgspec.json.decode(private)
            noted["notes"]["limit"] |= fields
            journal.execute(
                "UPDATE changes SET private = ? WHERE id = ?", (msgspec.json.encode(noted), change.id)
            )


@pytest.fixture
def trial(profile: Callable[[], bytes]) -> Iterator[Trial]:
    """A trial whose modem needs a second to register."""
    with gated_gateway(personality=ModemPersonality(registers_after=1.0)) as gated:
        yield Trial(gated.gateway, gated.gate, profile)


def test_a_switch_that_registers_and_is_confirmed(trial: Trial) -> None:
    """A guarded switch that registers and is then confirmed is kept."""
    change = trial.begin("registered", "confirm", within=PATIENCE)
    trial.gateway.client.wait(change.id, seconds=PATIENCE)
    trial.gateway.client.confirm(change.id)
    trial.is_kept(change)


def test_a_switch_that_does_not_register(trial: Trial) -> None:
    """If the new profile does not register, lpad enables the previous one within the limit."""
    trial.gateway.modem.register(trial.new, 3)
    details = trial.is_back(trial.begin("registered", within=3))
    assert "denied" in details["seen"]


@pytest.mark.parametrize("after", [False, True], ids=["before the card enables", "after the card enabled"])
@pytest.mark.parametrize("late", [False, True], ids=["in time", "too late"])
def test_killed_while_enabling(trial: Trial, *, after: bool, late: bool) -> None:
    """After a kill during the enable, lpad continues the guarded switch from its stored step."""
    trial.gate.hold(enabling, after=after)
    change = trial.begin("registered", within=3 if late else PATIENCE)
    assert trial.gate.held.wait(PATIENCE)
    trial.gateway.kill()
    trial.gate.go_on()
    if late:
        time.sleep(3.2)
    trial.again()
    trial.is_kept(change)  # Once the gate is open, the held APDU is carried out in either case.


def test_the_power_fails_before_the_card_enables(trial: Trial) -> None:
    """If lpad is killed before the card gets the enable command, the old profile stays (cut-off)."""
    trial.gate.hold(enabling, after=False)
    change = trial.begin("registered", within=PATIENCE)
    assert trial.gate.held.wait(PATIENCE)
    trial.gateway.kill()
    trial.gate.lose()
    trial.again()
    assert trial.is_back(change)["reason"] == "cut-off"


@pytest.mark.parametrize("late", [False, True], ids=["in time", "too late"])
def test_killed_while_the_guard_is_awaited(trial: Trial, *, late: bool) -> None:
    """If lpad restarts within the limit, it waits for the remaining time; otherwise it rolls back."""
    change = trial.begin("confirm", within=4 if late else PATIENCE)
    trial.watched(change)
    trial.gateway.kill()
    if late:
        time.sleep(4.2)
    trial.again()
    if late:
        assert trial.is_back(change)["reason"] == "time-limit"
        return
    trial.gateway.until(lambda: trial.gateway.client.change(change.id).question is not None)
    trial.gateway.client.confirm(change.id)
    trial.is_kept(change)


@pytest.mark.parametrize("works", [True, False], ids=["it works", "it does not"])
def test_a_standstill_longer_than_the_limit(trial: Trial, *, works: bool) -> None:
    """If lpad was frozen for longer than the limit, it checks once more, and keeps a profile that works."""
    trial.gateway.modem.register(trial.new, 2)
    change = trial.begin("registered", within=5)
    trial.watched(change)
    assert trial.gateway.process is not None
    trial.gateway.process.send_signal(signal.SIGSTOP)
    time.sleep(6)
    trial.gateway.modem.register(trial.new, 1 if works else 3)
    trial.gateway.process.send_signal(signal.SIGCONT)
    if works:
        trial.is_kept(change)
    else:
        assert "denied" in trial.is_back(change)["seen"]


def test_killed_again_and_again_the_limit_stays_the_limit(trial: Trial) -> None:
    """A guard's time limit still ends the switch although lpad is killed and restarted twice."""
    change = trial.begin("confirm", within=6)
    trial.watched(change)
    began = time.monotonic()
    for _ in range(2):
        trial.gateway.kill()
        trial.again()
    assert trial.is_back(change)["reason"] == "time-limit"
    assert time.monotonic() - began < PATIENCE


def test_killed_right_after_the_confirmation(trial: Trial) -> None:
    """A confirmation counts even if lpad is killed right after it."""
    change = trial.begin("registered", "confirm", within=PATIENCE)
    trial.gateway.modem.register(trial.new, 2)
    trial.gateway.until(lambda: trial.gateway.client.change(change.id).question is not None)
    trial.gateway.client.confirm(change.id)
    trial.gateway.kill()
    trial.gateway.modem.register(trial.new, 1)
    trial.again()
    trial.is_kept(change)


@pytest.mark.parametrize("after", [False, True], ids=["before the card enables", "after the card enabled"])
def test_killed_on_the_way_back(trial: Trial, *, after: bool) -> None:
    """If lpad is killed while a rollback enables the old profile, it later completes this."""
    change = trial.begin("confirm", within=PATIENCE)
    trial.watched(change)
    trial.gate.hold(enabling, after=after)
    trial.gateway.client.answer(change.id, confirm=False)
    assert trial.gate.held.wait(PATIENCE)
    trial.gateway.kill()
    trial.gate.go_on()
    trial.again()
    assert trial.is_back(change)["reason"] == "refused"


def test_rebooted_with_a_clock_that_was_set_back(trial: Trial) -> None:
    """After a reboot with a clock set back, a guard's limit begins again; a second one rolls back."""
    change = trial.begin("confirm", within=30)
    trial.watched(change)
    trial.gateway.kill()
    trial.limit_of(change, boot_id="another", wall=time.time() + 3600)
    trial.again()
    trial.watched(change)
    trial.gateway.until(lambda: trial.gateway.client.change(change.id).question is not None)
    trial.gateway.kill()
    trial.limit_of(change, boot_id="yet another", wall=time.time() + 3600)
    trial.again()
    assert trial.is_back(change)["reason"] == "time-limit"


def test_rebooted_long_after_the_limit(trial: Trial) -> None:
    """If the wall clock shows after a reboot that the guard's limit has passed, lpad rolls back."""
    change = trial.begin("confirm", within=3600)
    trial.watched(change)
    trial.gateway.kill()
    trial.limit_of(change, boot_id="another", wall=time.time() - 7200)
    trial.again()
    assert trial.is_back(change)["reason"] == "time-limit"


def test_a_port_that_vanishes_during_the_rollback(trial: Trial) -> None:
    """If the port vanishes during a rollback, the rollback is completed once the port is back."""
    change = trial.begin("confirm", within=PATIENCE)
    trial.watched(change)
    trial.gateway.modem.vanish()
    trial.gateway.client.answer(change.id, confirm=False)
    trial.gateway.until(lambda: trial.gateway.client.euicc(CARD).state == "absent")
    other = trial.gateway.client.rename(CARD, trial.new, "later", wait=PATIENCE)
    assert other.error is not None
    assert other.error.kind == "card-unreachable"
    assert not trial.gateway.client.change(change.id).ended
    trial.gateway.modem.come_back()
    assert trial.is_back(change)["reason"] == "refused"


def test_stopped_as_systemd_does(trial: Trial) -> None:
    """After SIGTERM during a guarded switch, the next start continues to wait for the guard."""
    change = trial.begin("registered", "confirm", within=PATIENCE)
    trial.watched(change)
    trial.gateway.stop()
    trial.again()
    trial.gateway.until(lambda: trial.gateway.client.change(change.id).question is not None)
    trial.gateway.client.confirm(change.id)
    trial.is_kept(change)


def test_killed_while_a_download_is_on_trial(trial: Trial, profile: Callable[[], bytes]) -> None:
    """If lpad is killed while a downloaded profile is on trial, a later refusal still rolls back."""
    gateway = trial.gateway
    change = gateway.client.download(
        CARD, activation_code=gateway.order(profile()), enable=True, guard=["confirm"], within=PATIENCE
    )
    trial.watched(change)
    gateway.kill()
    trial.again()
    gateway.until(lambda: gateway.client.change(change.id).question is not None)
    gateway.client.answer(change.id, confirm=False)
    ended = trial.ended(change)
    assert ended.error is not None
    assert ended.error.kind == "switch-rolled-back"
    assert ended.error.details["enabled"] == trial.old
    assert str(gateway.card.enabled_iccid) == trial.old
    installed = [str(each.iccid) for each in gateway.card.profiles]
    assert len(installed) == 3
    assert ended.error.details["installed"] in set(installed) - {trial.old, trial.new}


def test_killed_in_the_middle_of_the_fallback_order() -> None:
    """If lpad is killed while it enables a fallback profile, it enables the profile after its restart."""
    iccids = ("8900101000000000017", "8900101000000000025", "8900101000000000033")
    with gated_gateway(euicc={"switching": {"fallback": [iccids[2]]}}) as gated:
        gateway, gate = gated.gateway, gated.gate
        for iccid in iccids:
            gateway.download(gateway.order(made_up_profile(Iccid.parse(iccid)))).check()
        gateway.client.enable(CARD, iccids[0], wait=PATIENCE).check()
        change = gateway.client.enable(CARD, iccids[1], guard=["confirm"], within=PATIENCE)
        gateway.client.wait(change.id, seconds=PATIENCE)
        gateway.card.faults.refuse(0xBF31, 3)  # disallowedByPolicy, for the previous profile
        gate.hold(lambda apdu: enabling(apdu) and bytes(Iccid.parse(iccids[2])) in apdu, after=False)
        gateway.client.answer(change.id, confirm=False)
        assert gate.held.wait(PATIENCE)
        gateway.kill()
        gate.lose()
        gateway.start()
        gateway.ready()
        gateway.until(lambda: gateway.client.change(change.id).ended)
        error = gateway.client.change(change.id).error
        assert error is not None
        assert error.kind == "switch-rolled-back"
        assert error.details["enabled"] == iccids[2] == str(gateway.card.enabled_iccid)
