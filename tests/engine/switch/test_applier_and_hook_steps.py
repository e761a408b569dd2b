"""The network settings within a switch: the modem's APN, and the result of each layer."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from engine.guarding import (
    REGISTERED,
    deleted_by_another_program,
    enabled,
    ended,
    guarded,
    guarding,
    rolled_back,
    steps,
    watched,
)
from engine.lab import CARD, FIRST, SECOND, result_of
from engine.networking import NO, PATTERNS, Spy, apn, networking
from lpad.engine.change.change import Kind, State
from lpad.engine.change.results import NetworkResult, SwitchResult
from lpad.engine.network_settings.pending_switch import PendingSwitches
from lpad.engine.policy.network_policy import OnFailure
from lpad.engine.running.change_question_answer import Answer
from lpad.engine.switch import condition_watch
from lpad.network.applier_interface import Connection, Failed, Sight, TryAgain
from lpad.network.applier_interface import State as Seen
from lpad.network.connection_layer_names import Layer
from lpad.network.network_settings import IpType, NetworkSettings
from lpad.network.owner_hooks import Hooks
from lpad.network.reject_cause import Cause, Procedure
from lpad.simulator.modem.pdp_contexts import Subscription
from lpad.simulator.smdp.functions.faults import Fault, FaultKind
from network.runner_bench import runner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.lab import Lab
    from lpad.base.deadline import Deadline
    from lpad.engine.change.change import Change
    from lpad.network.applier_interface import Outcome, Wanted
    from lpad.simulator.pki.pki import Pki


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condition_watch, "STEADY", 0.3)
    monkeypatch.setattr(condition_watch, "FIRST_PAUSE", 0.1)


def switched(change: Change) -> SwitchResult:
    assert isinstance(change.result, SwitchResult), change
    return change.result


def network_of(change: Change) -> NetworkResult:
    network = switched(change).network
    assert network is not None
    return network


def test_a_plain_enable_brings_its_apn(tmp_path: Path, pki: Pki) -> None:
    """The modem has the new profile's APN when the change is done, and each step is shown."""
    with networking(tmp_path, pki) as lab:
        assert apn(lab) == "first.example"
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert change.error is None
        assert apn(lab) == "second.example"
        assert [each for each in steps(change) if "network" in each] == [
            "prepare-network",
            "apply-network",
            "connect-network",
        ]
        assert all(each.seconds is not None for each in change.steps)
        network = network_of(change)
        assert network.applier == "at"
        assert network.given_by == "pattern"
        assert (network.bearer, network.address) == ("up", "up")
        assert network.addresses == ("10.64.0.2", "2001:db8::2")


def test_an_enabled_profile_gets_settings_that_were_set_later(tmp_path: Path, pki: Pki) -> None:
    """Enabling an enabled profile applies the network settings that were stored in the meantime."""
    with networking(tmp_path, pki) as lab:
        lab.engine.set_network(CARD, FIRST, NetworkSettings(apn="later.example"))
        change = lab.carry_out(Kind.ENABLE, iccid=FIRST)
        assert switched(change).already
        assert apn(lab) == "later.example"


def test_without_settings_the_modem_gets_the_networks_default(tmp_path: Path, pki: Pki) -> None:
    """For a profile without settings, the modem gets an empty APN, not that of the previous operator."""
    with networking(tmp_path, pki, patterns=PATTERNS[:1]) as lab:
        lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert apn(lab) == ""


def test_a_guarded_switch_is_kept_with_its_apn(tmp_path: Path, pki: Pki) -> None:
    """The network accepts the new profile only with its own APN, which is set before the guard checks."""
    subscriptions = {SECOND: Subscription(apns=("second.example",))}
    with networking(tmp_path, pki, subscriptions=subscriptions) as lab:
        change = ended(lab, REGISTERED, "bearer", "address")
        assert change.error is None, change.error
        assert apn(lab) == "second.example"
        assert [each.met for each in change.guard.requirements] == [True] * 3 if change.guard else False
        assert lab.engine.card(CARD).pending() is None


@pytest.mark.parametrize(
    ("subscription", "layer", "cause"),
    [
        (Subscription(emm_cause=11), "registered", "EMM cause 11, PLMN not allowed"),
        (Subscription(apns=("other",)), "registered", "ESM cause 27, missing or unknown APN"),
        (Subscription(credentials=("a", "b")), "registered", "ESM cause 29, user authentication failed"),
        (Subscription(addresses=False), "address", ""),
    ],
)
def test_the_failed_layer_is_named(
    tmp_path: Path, pki: Pki, subscription: Subscription, layer: str, cause: str
) -> None:
    """If a guard is not met, the error has the lowest failed layer and its cause; the old APN is restored."""
    with networking(tmp_path, pki, subscriptions={SECOND: subscription}) as lab:
        change = ended(lab, REGISTERED, "bearer", "address", within=6)
        details = rolled_back(change)
        assert (details["layer"], details["cause"]) == (layer, cause)
        assert change.guard is not None
        assert change.guard.layer == layer
        assert (enabled(lab), apn(lab)) == (FIRST, "first.example")
        assert steps(change)[-4:] == ["go-back", "verify", "apply-network", "connect-network"]
        assert "undo-network" in steps(change)
        assert lab.engine.card(CARD).pending() is None


def test_an_unknown_path_is_a_layer_too(tmp_path: Path, pki: Pki) -> None:
    """If a reachability check gets no answer, the error names the layer `path`."""
    with networking(tmp_path, pki) as lab:
        change = ended(lab, REGISTERED, "tcp:127.0.0.1:1", within=3)
        assert rolled_back(change)["layer"] == "path"


@pytest.mark.parametrize(
    ("subscription", "context", "worked"),
    [
        (Subscription(apns=("",)), ("IPV4V6", ""), "the network's default APN"),
        (Subscription(apns=("",), unknown_cause=33), ("IPV4V6", ""), "the network's default APN"),
        (Subscription(types=("IP",)), ("IP", "second.example"), "IP type ipv4"),
        (Subscription(types=("IPV6",)), ("IPV6", "second.example"), "IP type ipv6"),
    ],
)
def test_wrong_settings_are_not_a_dead_profile(
    tmp_path: Path, pki: Pki, subscription: Subscription, context: tuple[str, str], worked: str
) -> None:
    """Lpad tries the empty APN and the other IP type once each, and reports the combination that worked."""
    with networking(tmp_path, pki, subscriptions={SECOND: subscription}) as lab:
        change = ended(lab, REGISTERED, "bearer", within=15)
        assert change.error is None, change.error
        assert lab.modem.contexts[1] == context
        assert network_of(change).worked == worked
        assert lab.engine.card(CARD).network(SECOND).settings.apn == "second.example"


def test_a_cut_while_the_guard_is_awaited_ends_with_the_right_settings(tmp_path: Path, pki: Pki) -> None:
    """After a restart during the guard, the profile that is finally enabled has its own APN."""
    for confirm, iccid, wanted in ((True, SECOND, "second.example"), (False, FIRST, "first.example")):
        folder = tmp_path / iccid
        folder.mkdir()
        with networking(folder, pki) as lab:
            change = watched(lab, guarded(lab, "confirm", within=60).id)
            lab.stop()
            lab.start()
            lab.asked(change.id)
            lab.engine.answer(change.id, Answer(confirm=confirm))
            lab.ended(change.id)
            assert (enabled(lab), apn(lab)) == (iccid, wanted)
            assert lab.engine.card(CARD).pending() is None


def test_a_failure_before_an_ordinary_enable_stops_it(tmp_path: Path, pki: Pki) -> None:
    """If the applier fails before an unguarded switch, lpad switches nothing and undoes the preparations."""
    spy = Spy(answers={"prepare": [NO]})
    with networking(tmp_path, pki, spy) as lab:
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert change.error is not None
        assert (change.error.kind, change.error.details["layer"]) == ("network-failed", "modem")
        assert "on_failure" in change.error.sentence
        assert enabled(lab) == FIRST
        assert spy.asked == [("prepare", SECOND), ("undo", SECOND)]
        assert lab.engine.card(CARD).pending() is None


def test_the_settings_can_have_it_ignored(tmp_path: Path, pki: Pki) -> None:
    """With on_failure ignore the switch continues, and the result reports the failure."""
    spy = Spy(answers={"prepare": [NO]})
    with networking(tmp_path, pki, spy, on_failure=OnFailure.IGNORE) as lab:
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert change.error is None
        (failure,) = network_of(change).failures
        assert (failure.step, failure.told) == ("prepare-network", "no")


@pytest.mark.parametrize("step", ["apply", "connect"])
def test_a_failure_after_the_switch_is_reported(tmp_path: Path, pki: Pki, step: str) -> None:
    """After the card's switch, an applier's failure is only reported; without a guard, the switch is done."""
    spy = Spy(answers={step: [Failed(layer=Layer.BEARER, told="no bearer")]})
    with networking(tmp_path, pki, spy) as lab:
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert change.state is State.DONE
        (failure,) = network_of(change).failures
        assert failure.layer == "bearer"


def test_a_failing_applier_never_stops_the_way_back(tmp_path: Path, pki: Pki) -> None:
    """Even if the applier's undo, apply and connect fail, the previous profile is enabled."""
    spy = Spy(answers={"undo": [NO] * 9, "apply": [NO] * 9, "connect": [NO] * 9})
    with networking(tmp_path, pki, spy) as lab:
        change = lab.asked(guarded(lab, "confirm", within=60).id)
        lab.engine.answer(change.id, Answer(confirm=False))
        change = lab.ended(change.id)
        rolled_back(change)
        assert change.error is not None
        assert "settings are not in force (apply-network: no; connect-network: no)" in change.error.sentence
        assert enabled(lab) == FIRST
        # Undoing restores the previous profile, for which no settings are stored.
        assert ("undo", SECOND) in spy.asked


def test_a_mistake_in_an_applier_ends_nothing(tmp_path: Path, pki: Pki) -> None:
    """An unexpected exception in an applier counts as a failure of the applier."""

    class Broken(Spy):
        def apply(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
            raise RuntimeError

    with networking(tmp_path, pki, Broken()) as lab:
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert change.state is State.DONE
        assert "fault in lpad" in network_of(change).failures[0].told


def test_a_modem_that_is_away_is_awaited_within_the_limit(tmp_path: Path, pki: Pki) -> None:
    """If the modem's port is away, the applier's step waits for the port within the step's limit."""
    later = TryAgain(layer=Layer.MODEM, told="not yet", after=0.05)
    spy = Spy(answers={"connect": [later, later]})
    with networking(tmp_path, pki, spy) as lab:
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert [step for step, _ in spy.asked].count("connect") == 3
        assert not network_of(change).failures


def test_settings_of_an_absent_port_are_applied_once_it_is_back(tmp_path: Path, pki: Pki) -> None:
    """If the port is away until the step's time has passed, the settings are applied once it is back."""
    away = TryAgain(layer=Layer.MODEM, told="the port is away", after=3600)
    spy = Spy(answers={"apply": [away]})
    with networking(tmp_path, pki, spy) as lab:
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert [each.step for each in network_of(change).failures] == ["apply-network"]
        lab.until_true(lambda: lab.engine.card(CARD).pending() is None)
        assert [wanted for step, wanted in spy.asked if step == "apply"] == [SECOND, SECOND]


def test_a_switch_that_the_card_refuses_is_undone(tmp_path: Path, pki: Pki) -> None:
    """If the card refuses a switch, its preparations are undone, and the enabled profile has its settings."""
    spy = Spy()
    with networking(tmp_path, pki, spy) as lab:
        lab.card.faults.refuse(0xBF31, 3, times=100)
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert change.state is State.FAILED
        lab.until_true(lambda: lab.engine.card(CARD).pending() is None)
        assert spy.asked[:2] == [("prepare", SECOND), ("undo", SECOND)]
        assert ("apply", FIRST) not in spy.asked or spy.asked.index(("apply", FIRST)) > 1


def test_a_deleted_profile_is_forgotten(tmp_path: Path, pki: Pki) -> None:
    """The applier's data for a profile are deleted with it, by a deletion or by a reset."""
    spy = Spy()
    with networking(tmp_path, pki, spy) as lab:
        assert lab.carry_out(Kind.DELETE, iccid=SECOND).error is None
        assert spy.asked == [("forget", SECOND)]
        spy.asked.clear()
        change = lab.carry_out(Kind.RESET, operational_profiles=True, accept_offline=True)
        assert change.error is None
        assert spy.asked == [("forget", FIRST)]


def test_a_download_brings_its_apn_before_the_first_enable(tmp_path: Path, pki: Pki) -> None:
    """The settings of a download's order are in the modem when the profile is first enabled."""
    third = "8900101000000000033"
    with networking(tmp_path, pki) as lab:
        code = lab.code(lab.order(iccid=third, name="Third"))
        shown: dict[str, object] = {"apn": "order.example", "ip": IpType.IPV4.value}
        change = lab.carry_out(
            Kind.DOWNLOAD, secrets={"activation_code": code}, confirm=False, enable=True, network=shown
        )
        assert change.error is None, change.error
        assert lab.modem.contexts[1] == ("IP", "order.example")


def test_the_orders_settings_are_there_before_the_profile(tmp_path: Path, pki: Pki) -> None:
    """Settings are stored when the card begins to load, so that no cut leaves a profile without them."""
    third = "8900101000000000033"
    with networking(tmp_path, pki) as lab:
        code = lab.code(lab.order(iccid=third, name="Third"))
        seen: list[str] = []
        put = lab.card.transmit

        def transmit(apdu: bytes) -> bytes:
            if b"\xbf\x36" in apdu:
                seen.append(lab.engine.card(CARD).network(third).settings.apn)
            return put(apdu)

        lab.card.transmit = transmit  # type: ignore[method-assign]
        change = lab.carry_out(
            Kind.DOWNLOAD, secrets={"activation_code": code}, confirm=False, network={"apn": "order.example"}
        )
        assert change.error is None, change.error
        assert set(seen) == {"order.example"}


def test_an_order_that_fails_leaves_no_settings_behind(tmp_path: Path, pki: Pki) -> None:
    """If the card refuses a profile, the settings of its order are deleted, and the owner's settings stay."""
    third = "8900101000000000033"
    with networking(tmp_path, pki) as lab:
        for owned in (False, True):
            if owned:
                lab.engine.set_network(CARD, third, NetworkSettings(apn="owner.example"))
            lab.server.faults.add(
                Fault(function="getBoundProfilePackage", kind=FaultKind.BPP_BIT_FLIP, value=3)
            )
            code = {"activation_code": lab.code(lab.order(iccid=third, name="Third"))}
            change = lab.carry_out(Kind.DOWNLOAD, secrets=code, network={"apn": "order.example"})
            assert change.error is not None
            lab.until_true(lambda: lab.engine._networks.get(third).order is None)
        assert lab.engine.card(CARD).network(third).settings.apn == "owner.example"


def test_a_deleted_profile_is_forgotten_later(tmp_path: Path, pki: Pki) -> None:
    """If the applier's service is away at a deletion, lpad notifies it later, even after a restart."""
    spy = Spy(answers={"forget": [NO] * 2})
    with networking(tmp_path, pki, spy) as lab:
        change = lab.carry_out(Kind.DELETE, iccid=SECOND)
        assert change.error is None
        assert "still to be removed: no; lpad tries again" in result_of(change)["remark"]
        (left,) = lab.engine.card(CARD).unforgotten()
        assert (left.iccid, left.applier, left.told) == (SECOND, "at", "no")
        lab.stop()
        lab.start()
        lab.until_true(lambda: spy.asked == [("forget", SECOND)] * 2)
        assert lab.engine.card(CARD).unforgotten()
        lab.stop()
        lab.start()
        lab.until_true(lambda: lab.engine.card(CARD).unforgotten() == ())
        assert spy.asked == [("forget", SECOND)] * 3


def test_a_profile_that_another_program_deleted_is_forgotten(tmp_path: Path, pki: Pki) -> None:
    """If another program deletes a profile, the applier is notified as soon as lpad sees this."""
    spy = Spy()
    with networking(tmp_path, pki, spy) as lab:
        lab.carry_out(Kind.REFRESH)  # lpad has seen the profile
        deleted_by_another_program(lab, SECOND)
        lab.carry_out(Kind.REFRESH)
        lab.until_true(lambda: spy.asked == [("forget", SECOND)])
        assert lab.engine.card(CARD).unforgotten() == ()


def test_a_profile_that_is_back_is_not_forgotten(tmp_path: Path, pki: Pki) -> None:
    """If a deleted profile is installed again, lpad no longer has the applier remove the profile's data."""
    spy = Spy(answers={"forget": [NO]})
    with networking(tmp_path, pki, spy) as lab:
        lab.carry_out(Kind.DELETE, iccid=SECOND)
        lab.install(iccid=SECOND, name="Second")
        lab.stop()
        lab.start()
        lab.until_true(lambda: lab.engine.card(CARD).unforgotten() == ())
        assert spy.asked == [("forget", SECOND)]


def test_a_bearer_cannot_be_a_condition_if_nothing_sees_it(tmp_path: Path, pki: Pki) -> None:
    """Without an applier that sees connections, a guard by bearer is refused before anything is done."""
    with guarding(tmp_path, pki) as lab:
        change = ended(lab, "bearer")
        assert change.error is not None
        assert change.error.kind == "conflict"
        assert "network.applier" in change.error.sentence
        assert enabled(lab) == FIRST


TELLS = 'echo "$LPAD_EVENT $LPAD_ICCID $LPAD_APN" >> {}'


def test_hooks_are_notified_of_the_end(tmp_path: Path, pki: Pki) -> None:
    """Hooks are notified that a switch is kept, or rolled back, with the profile that is then enabled."""
    (tmp_path / "runner").mkdir()
    out = tmp_path / "out"
    with runner(tmp_path / "runner") as serving:
        serving.script(serving.hooks / "10-tells", TELLS.format(out))
        with networking(tmp_path, pki, Spy(), hooks=Hooks(serving.client)) as lab:
            for confirm in (False, True):
                change = lab.asked(guarded(lab, "confirm", within=60).id)
                lab.engine.answer(change.id, Answer(confirm=confirm))
                lab.ended(change.id)
    assert out.read_text(encoding="utf-8").splitlines() == [
        f"pre-switch {SECOND} second.example",
        f"post-switch {SECOND} second.example",
        f"post-switch {FIRST} first.example",
        f"rolled-back {FIRST} first.example",
        f"pre-switch {SECOND} second.example",
        f"post-switch {SECOND} second.example",
        f"confirmed {SECOND} second.example",
    ]


def test_the_time_of_a_hook_is_part_of_the_guards(tmp_path: Path, pki: Pki) -> None:
    """A hook that hangs after the switch gets no more time than the guard has."""
    with hanging(tmp_path, pki, "post-switch") as (lab, _spy, _started):
        details = rolled_back(ended(lab, REGISTERED, "confirm", within=4))
        assert details["reason"] == "time-limit"
        assert enabled(lab) == FIRST


def test_the_time_of_other_settings_is_part_of_the_guards(tmp_path: Path, pki: Pki) -> None:
    """Attempts with the empty APN and the other IP type get no more than the guard's remaining time."""
    spy = Rejected()
    with networking(tmp_path, pki, spy, limit=600) as lab:
        change = ended(lab, "bearer", within=4)
        assert rolled_back(change)["reason"] == "time-limit"
        assert [each for each in steps(change) if each.startswith("try-")] == [
            "try-default-apn",
            "try-other-ip-type",
        ]
        attempts = [left for iccid, left in spy.left if iccid == SECOND]
        assert len(attempts) == 3
        assert max(attempts) <= 4
        assert [left > 4 for iccid, left in spy.left if iccid == FIRST] == [True], "the way back has its own"


@dataclass
class Rejected(Spy):
    """An applier whose connection the network rejects because of its APN, and the time that it was given."""

    left: list[tuple[str, float]] = field(default_factory=list)

    def apply(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        self.left.append((wanted.iccid, deadline.remaining()))
        return super().apply(wanted, deadline=deadline)

    def look(self, wanted: Wanted, *, deadline: Deadline) -> Connection:
        return Connection(bearer=Sight(state=Seen.DOWN, cause=Cause(Procedure.ESM, 27)))


HANGS = 'case "$LPAD_EVENT $LPAD_ICCID" in "{event} {iccid}") touch "$0.started"; sleep 600 ;; esac'


@contextmanager
def hanging(folder: Path, pki: Pki, event: str) -> Iterator[tuple[Lab, Spy, Path]]:
    """Yield a lab whose hook hangs at an event, its applier, and the file that shows that the hook runs."""
    (folder / "runner").mkdir()
    spy = Spy()
    with runner(folder / "runner") as serving:
        hook = serving.script(serving.hooks / "10-hangs", HANGS.format(event=event, iccid=SECOND))
        with networking(folder, pki, spy, hooks=Hooks(serving.client), limit=600) as lab:
            yield lab, spy, hook.with_name("10-hangs.started")


def test_a_hanging_hook_can_be_cancelled(tmp_path: Path, pki: Pki) -> None:
    """While a hook hangs before a switch, a cancellation ends the wait; an unused applier undoes nothing."""
    with hanging(tmp_path, pki, "pre-switch") as (lab, spy, started):
        change = lab.submit(Kind.ENABLE, iccid=SECOND)
        lab.until_true(started.exists)
        lab.engine.cancel(change.id)
        assert lab.ended(change.id).state is State.CANCELLED
        assert (enabled(lab), spy.asked) == (FIRST, [])
        assert lab.engine.card(CARD).pending() is None


def test_a_refusing_hook_leaves_nothing_to_undo(tmp_path: Path, pki: Pki) -> None:
    """A pre-switch hook that fails stops the enable; the applier was not asked, and undoes nothing."""
    (tmp_path / "runner").mkdir()
    spy = Spy()
    with runner(tmp_path / "runner") as serving:
        serving.script(serving.hooks / "10-no", "exit 1")
        with networking(tmp_path, pki, spy, hooks=Hooks(serving.client)) as lab:
            change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
            assert change.error is not None
            assert (change.error.kind, change.error.details["layer"]) == ("network-failed", "hook")
            assert (enabled(lab), spy.asked) == (FIRST, [])
            assert lab.engine.card(CARD).pending() is None


def test_a_cut_during_a_hook_leaves_nothing_to_undo(tmp_path: Path, pki: Pki) -> None:
    """If lpad ends while a pre-switch hook runs, the next start undoes nothing at the applier."""
    with hanging(tmp_path, pki, "pre-switch") as (lab, spy, started):
        change = lab.submit(Kind.ENABLE, iccid=SECOND)
        lab.until_true(started.exists)
        cut_off = lab.engine.card(CARD).pending()
        assert cut_off is not None
        lab.engine.cancel(change.id)
        lab.ended(change.id)
        lab.stop()
        journal = lab.journal()
        PendingSwitches(journal.memos).begin(CARD, cut_off)
        journal.close()
        lab.start()
        lab.until_true(lambda: lab.engine.card(CARD).pending() is None)
        assert (enabled(lab), spy.asked) == (FIRST, [("apply", FIRST), ("connect", FIRST)])


def test_lpad_stops_though_a_hook_hangs(tmp_path: Path, pki: Pki) -> None:
    """If a hook hangs when lpad stops, the wait ends; the next start settles the network settings."""
    with hanging(tmp_path, pki, "post-switch") as (lab, spy, started):
        change = lab.submit(Kind.ENABLE, iccid=SECOND)
        lab.until_true(started.exists)
        lab.stop()
        started.with_name("10-hangs").unlink()
        spy.asked.clear()
        lab.start()
        assert lab.ended(change.id).state is State.DONE
        lab.until_true(lambda: lab.engine.card(CARD).pending() is None)
        assert enabled(lab) == SECOND
        assert spy.asked == [("apply", SECOND), ("connect", SECOND)]
