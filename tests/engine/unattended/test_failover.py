"""Failover: a profile that is unhealthy for long is replaced by the next one."""

from __future__ import annotations

import socket
import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import msgspec
import pytest
from msgspec.structs import replace

from engine.clocks import TODAY, Clocks
from engine.guarding import REGISTERED, THIRD, enabled, listening, port, unused_port
from engine.holding import silent
from engine.lab import CARD, FIRST, LONG, SECOND, Lab
from lpad.base.deadline import Deadline
from lpad.base.guard_condition import Condition
from lpad.engine.change.change import FAILOVER, Kind, now
from lpad.engine.change.params import EnableParams, GuardParams
from lpad.engine.policy.health_rules import FailoverPolicy, HealthRule
from lpad.engine.policy.network_policy import NetworkPolicy
from lpad.engine.running.change_question_answer import Answer
from lpad.engine.snapshot.profile import Profile
from lpad.engine.snapshot.profile_list import ProfileList
from lpad.engine.switch import condition_watch
from lpad.engine.unattended import failover
from lpad.engine.unattended.failover import TRANSITIONS, FailoverStatus, Sign, Standing
from lpad.network.at_applier import AtApplier
from lpad.network.no_applier import NO_APPLIER
from lpad.simulator.modem.pdp_contexts import Subscription
from lpad.simulator.modem.personality import ModemPersonality

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.base.guard_condition import ConditionKind
    from lpad.engine.change.change import Change, Json
    from lpad.engine.change.event_subscriptions import Event
    from lpad.engine.engine import Engine
    from lpad.engine.running.card.card_with_open_link import CardPort
    from lpad.simulator.pki.pki import Pki

INTERVAL = 0.2


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condition_watch, "STEADY", 0.1)
    monkeypatch.setattr(condition_watch, "FIRST_PAUSE", 0.1)


def rule(iccid: str, *conditions: str, lasting: float = 0.5) -> HealthRule:
    return HealthRule(
        iccid=iccid,
        conditions=tuple(map(Condition.parse, conditions or (REGISTERED,))),
        interval=INTERVAL,
        lasting=lasting,
    )


def policy(*rules: HealthRule, within: float = LONG, cooldown: float = 0.5) -> FailoverPolicy:
    return FailoverPolicy(rules=rules, within=within, cooldown=cooldown)


BOTH = policy(rule(FIRST), rule(SECOND))


CONNECTED = policy(rule(FIRST, "bearer", "address"), rule(SECOND, "bearer", "address"))


class WatchedLab(Lab):
    """A lab that records each standing (the state of failover), even a brief one on a slow machine."""

    def start(self, *ports: CardPort) -> Engine:
        engine = super().start(*ports)
        self._told = engine.subscribe(self._news.set)
        self._standings.clear()
        return engine

    def __init__(self, folder: Path, pki: Pki, *, personality: ModemPersonality) -> None:
        super().__init__(folder, pki, personality=personality)
        self._news = threading.Event()
        self._standings: deque[FailoverStatus] = deque()
        self.all_told: list[Event] = []

    def stands(self, standing: Standing) -> FailoverStatus:
        """Return failover's status once it has this standing; standings since the last call count, too."""
        deadline = Deadline.after(LONG)
        while True:
            self._news.clear()
            found = status(self)
            news = self._told.take()
            self.all_told.extend(news)
            self._standings.extend(
                msgspec.convert(event.data, FailoverStatus) for event in news if event.type == "failover"
            )
            while self._standings:
                told = self._standings.popleft()
                if told.standing is standing:
                    return told
            if found.standing is standing:
                return found
            assert self._news.wait(deadline.remaining()), f"nothing more happened: {found}"


@contextmanager
def bench(folder: Path, pki: Pki, order: FailoverPolicy, **habits: object) -> Iterator[WatchedLab]:
    """Make a lab with two profiles, the first enabled, and start its failover."""
    personality = ModemPersonality(**habits)  # type: ignore[arg-type]  # passed on
    with WatchedLab(folder, pki, personality=personality) as lab:
        lab.start(port(lab))
        lab.install()
        lab.install(iccid=SECOND, name="Second")
        assert lab.carry_out(Kind.ENABLE, iccid=FIRST).error is None
        lab.stop()
        applier = AtApplier() if order is CONNECTED else NO_APPLIER
        lab.start(replace(port(lab), failover=order, network=NetworkPolicy(applier=applier)))
        yield lab


def status(lab: Lab) -> FailoverStatus:
    found = lab.engine.card(CARD).failover()
    assert found is not None
    return found


def asked_for(lab: Lab) -> list[Change]:
    """Return the changes that failover requested, newest first."""
    return [change for change in lab.engine.changes() if change.origin == FAILOVER]


def test_a_profile_that_is_well_is_left_alone(tmp_path: Path, pki: Pki) -> None:
    """While the profile is healthy, failover's checks change nothing."""
    with bench(tmp_path, pki, BOTH) as lab:
        assert lab.stands(Standing.WELL).profile == FIRST
        threading.Event().wait(5 * INTERVAL)
        assert status(lab).standing is Standing.WELL
        assert asked_for(lab) == []


def test_a_profile_that_is_ill_for_long_gives_way(tmp_path: Path, pki: Pki) -> None:
    """After a long illness, failover enables the next profile, guarded by that profile's health rule."""
    with bench(tmp_path, pki, BOTH) as lab:
        lab.stands(Standing.WELL)
        lab.modem.register(FIRST, 3)
        ailing = lab.stands(Standing.AILING)
        assert ailing.seen is not None
        assert "CEREG 3 (denied)" in ailing.seen
        assert ailing.since is not None
        assert ailing.until is not None
        lab.stands(Standing.RESTING)
        (change,) = asked_for(lab)
        assert change.error is None
        assert change.params_of(EnableParams).guard == GuardParams(until=(REGISTERED,), within=LONG)
        assert enabled(lab) == SECOND
        assert lab.stands(Standing.WELL).profile == SECOND


def test_a_lost_bearer_is_an_illness(tmp_path: Path, pki: Pki) -> None:
    """If the network no longer opens a profile's bearer, failover enables the next profile."""
    with bench(tmp_path, pki, CONNECTED) as lab:
        lab.stands(Standing.WELL)
        lab.modem.subscribe(FIRST, Subscription(apns=("another",)))
        lab.modem.attach_anew()
        ill = lab.stands(Standing.AILING)
        assert ill.seen is not None
        assert "ESM cause 27" in ill.seen
        lab.until_true(lambda: enabled(lab) == SECOND)


def test_a_short_illness_changes_nothing(tmp_path: Path, pki: Pki) -> None:
    """A profile that is unhealthy for a short time is not replaced."""
    with bench(tmp_path, pki, policy(rule(FIRST, lasting=60), rule(SECOND))) as lab:
        lab.stands(Standing.WELL)
        lab.modem.register(FIRST, 2)
        lab.stands(Standing.AILING)
        lab.modem.register(FIRST, 1)
        lab.stands(Standing.WELL)
        assert asked_for(lab) == []


def test_a_registered_profile_without_reachable_server_is_unhealthy(tmp_path: Path, pki: Pki) -> None:
    """A registered profile that reaches no server is unhealthy."""
    nobody = unused_port()
    with listening() as somebody:
        order = policy(
            rule(FIRST, REGISTERED, f"tcp:127.0.0.1:{nobody}@lo"),
            rule(SECOND, f"tcp:127.0.0.1:{somebody}@lo"),
        )
        with bench(tmp_path, pki, order) as lab:
            lab.stands(Standing.RESTING)
            assert enabled(lab) == SECOND


def test_an_unevaluated_condition_does_not_hide_a_dead_network(tmp_path: Path, pki: Pki) -> None:
    """A condition that lpad cannot evaluate does not hide a network over which no host is reached."""
    unknown = Condition(kind=cast("ConditionKind", "ping"), text="ping:example.com")
    first = replace(rule(FIRST, f"tcp:127.0.0.1:{unused_port()}@lo"), lasting=60)
    first = replace(first, conditions=(unknown, *first.conditions))
    with bench(tmp_path, pki, policy(first, rule(SECOND))) as lab:
        assert "tcp:" in str(lab.stands(Standing.AILING).seen)


def test_an_unevaluated_condition_makes_no_profile_healthy(tmp_path: Path, pki: Pki) -> None:
    """A condition that lpad cannot evaluate makes a profile neither healthy nor unhealthy."""
    unknown = Condition(kind=cast("ConditionKind", "ping"), text="ping:example.com")
    first = replace(rule(FIRST, lasting=0), conditions=(unknown, Condition.parse(REGISTERED)))
    with bench(tmp_path, pki, policy(first, rule(SECOND))) as lab:
        lab.until_true(lambda: any("REG" in line for line in lab.modem.received))
        threading.Event().wait(5 * INTERVAL)
        assert status(lab).standing is Standing.UNWATCHED
        assert asked_for(lab) == []


def test_if_the_next_one_is_not_better_the_one_after_it_is_tried(tmp_path: Path, pki: Pki) -> None:
    """If the next profile also fails, it is rolled back; after the cool-down the third is tried."""
    in_vain = policy(rule(FIRST), rule(SECOND), rule(THIRD), within=1, cooldown=3600)
    with bench(tmp_path, pki, in_vain, registration={SECOND: 3}) as lab:
        lab.install(iccid=THIRD, name="Third")
        lab.modem.register(FIRST, 3)
        lab.stands(Standing.RESTING)
        (taken_back,) = asked_for(lab)
        assert taken_back.error is not None
        assert enabled(lab) == FIRST
        lab.stop()
        lab.start(replace(port(lab), failover=replace(in_vain, within=LONG, cooldown=0.0)))
        lab.until(lambda: asked_for(lab), lambda found: len(found) == 2 and found[0].state.ended)
        tried = [change.params_of(EnableParams).iccid for change in reversed(asked_for(lab))]
        assert tried == [SECOND, THIRD]
        assert enabled(lab) == THIRD


def test_the_cool_down_is_kept(tmp_path: Path, pki: Pki) -> None:
    """The cool-down is kept even if the new profile fails immediately, and across a restart of lpad."""
    order = policy(rule(FIRST), rule(SECOND), cooldown=3600)
    with bench(tmp_path, pki, order) as lab:
        lab.modem.register(FIRST, 3)
        resting = lab.stands(Standing.RESTING)
        assert resting.until is not None
        lab.modem.register(SECOND, 3)
        threading.Event().wait(5 * INTERVAL)
        lab.stop()
        lab.start(replace(port(lab), failover=order))
        lab.stands(Standing.RESTING)
        threading.Event().wait(5 * INTERVAL)
        assert len(asked_for(lab)) == 1


def test_the_cool_down_continues_over_boots_that_all_begin_in_1970(tmp_path: Path, pki: Pki) -> None:
    """Over boots that begin in 1970, the remaining cool-down decreases; setting the clock does not end it."""
    order = policy(rule(FIRST), rule(SECOND), cooldown=3600)
    with bench(tmp_path, pki, order) as lab:
        lab.modem.register(FIRST, 3)
        lab.stands(Standing.RESTING)
        lab.stop()
        clocks = lab.clocks = Clocks(wall=100.0)
        left = []
        for _ in range(3):
            lab.start(replace(port(lab), failover=order))
            status = lab.stands(Standing.RESTING)
            assert status.until is not None
            left.append((status.until - now()).total_seconds())
            clocks.pass_by(600)
            lab.stop()
            clocks.reboot(wall=100.0)
        assert left == pytest.approx([3500, 2880, 2260], abs=100)
        clocks.wall = TODAY
        lab.start(replace(port(lab), failover=order))
        lab.stands(Standing.RESTING)


def test_without_another_profile_nothing_is_done(tmp_path: Path, pki: Pki) -> None:
    """If the card has no other profile of the order, failover requests no switch."""
    with bench(tmp_path, pki, policy(rule(FIRST), rule(THIRD), cooldown=60)) as lab:
        lab.modem.register(FIRST, 3)
        lab.stands(Standing.RESTING)
        assert asked_for(lab) == []
        assert enabled(lab) == FIRST


def test_a_profile_without_rule_is_not_watched(tmp_path: Path, pki: Pki) -> None:
    """For a profile without a health rule, failover does nothing, and does not even query the modem."""
    with bench(tmp_path, pki, policy(rule(SECOND), rule(THIRD)), registration={FIRST: 3}) as lab:
        lab.until(lambda: lab.engine.snapshot(CARD), lambda card: card.state == "ready")
        lab.modem.received.clear()
        threading.Event().wait(5 * INTERVAL)
        assert status(lab).standing is Standing.UNWATCHED
        assert not [line for line in lab.modem.received if "REG" in line]
        assert lab.carry_out(Kind.ENABLE, iccid=SECOND).error is None
        lab.stands(Standing.WELL)


def test_a_switch_on_trial_is_left_to_its_own_guard(tmp_path: Path, pki: Pki) -> None:
    """While a user's guarded switch waits, failover requests no switch."""
    with bench(tmp_path, pki, BOTH, registration={SECOND: 3}) as lab:
        lab.stands(Standing.WELL)
        change = lab.submit(Kind.ENABLE, iccid=SECOND, guard={"until": ["confirm"], "within": 60})
        lab.asked(change.id)
        threading.Event().wait(8 * INTERVAL)
        assert asked_for(lab) == []
        lab.engine.answer(change.id, Answer(confirm=False))
        lab.ended(change.id)


def test_a_download_that_waits_is_not_a_switch(tmp_path: Path, pki: Pki) -> None:
    """While a download waits for a user's answer, failover checks the enabled profile, and may switch."""
    with bench(tmp_path, pki, BOTH) as lab:
        lab.stands(Standing.WELL)
        order = lab.order(iccid="8900101000000000033", confirmation_code="1234")
        asked = lab.asked(lab.submit(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)}).id)
        assert asked.question is not None
        lab.modem.register(FIRST, 3)
        lab.stands(Standing.RESTING)
        assert enabled(lab) == SECOND
        assert lab.engine.change(asked.id).question == asked.question


def test_a_download_whose_server_is_silent_is_overtaken(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A download from a silent server is interrupted for failover's check and for its switch."""
    monkeypatch.setattr(failover, "BLIND", 0.5)
    with bench(tmp_path, pki, BOTH) as lab:
        lab.stands(Standing.WELL)
        code = lab.code(lab.order(iccid=THIRD))
        with silent(lab, "initiateAuthentication", times=10) as asked:
            download = lab.submit(Kind.DOWNLOAD, secrets={"activation_code": code})
            assert asked.acquire(timeout=LONG)
            lab.modem.register(FIRST, 3)
            lab.stands(Standing.RESTING)
            assert enabled(lab) == SECOND
            assert lab.engine.change(download.id).overtaken > 0


def test_no_download_makes_way_for_a_check_that_would_be_without_success(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A download is not interrupted for a check if the modem reported no registration while lpad was idle."""
    monkeypatch.setattr(failover, "BLIND", 0.1)
    with bench(tmp_path, pki, BOTH) as lab:
        lab.stands(Standing.WELL)
        query = lab.engine._workers.of(CARD).registration_query
        tries: list[bool] = []
        monkeypatch.setattr(query, "_registrations", lambda: tries.append(True))
        lab.until_true(lambda: bool(tries))
        code = lab.code(lab.order(iccid=THIRD))
        with silent(lab, "initiateAuthentication") as asked:
            download = lab.submit(Kind.DOWNLOAD, secrets={"activation_code": code})
            assert asked.acquire(timeout=LONG)
            refused = threading.Semaphore(0)
            monkeypatch.setattr(query, "_refused", refused.release)
            for _ in range(8):
                assert refused.acquire(timeout=LONG)
            assert lab.engine.change(download.id).overtaken == 0
            lab.engine.cancel(download.id)


def test_killed_on_trial_it_is_taken_up_and_rests_afterwards(tmp_path: Path, pki: Pki) -> None:
    """If lpad stops during failover's switch, it later continues the switch, then the cool-down."""
    order = policy(rule(FIRST), rule(SECOND), within=30, cooldown=3600)
    with bench(tmp_path, pki, order, registration={SECOND: 2}) as lab:
        lab.modem.register(FIRST, 3)
        lab.stands(Standing.SWITCHING)
        lab.until(lambda: asked_for(lab), lambda found: bool(found) and found[0].guard is not None)
        lab.stop()
        lab.start(replace(port(lab), failover=order))
        lab.stands(Standing.SWITCHING)
        lab.modem.register(SECOND, 1)
        lab.stands(Standing.RESTING)
        assert enabled(lab) == SECOND


def test_a_stop_in_the_very_moment_is_not_missed(tmp_path: Path, pki: Pki) -> None:
    """A stop that comes between failover's check for a stop and its wait still ends the thread."""
    with bench(tmp_path, pki, policy(rule(SECOND))) as lab:
        lab.stands(Standing.UNWATCHED)
        (failover,) = lab.engine._failovers._failovers.values()

        class Late(threading.Event):
            def clear(self) -> None:
                failover.stop()
                super().clear()

        before, failover._news = failover._news, Late()
        before.set()
        failover.join(deadline=Deadline.after(LONG))
        assert not failover.alive


def test_a_look_at_a_silent_place_ends_with_the_daemon(tmp_path: Path, pki: Pki) -> None:
    """When failover is stopped, it does not wait for the reachability check of a silent host."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/"
        with bench(tmp_path, pki, policy(rule(FIRST, url), rule(SECOND))) as lab:
            connection, _ = mute.accept()
            with connection:
                assert connection.recv(1024)
                failover = lab.engine._failovers._failovers[CARD]
                failover.stop()
                failover.join(deadline=Deadline.after(10))
                assert not failover.alive
                assert failover.status.standing is Standing.UNWATCHED


def test_off_it_has_neither_thread_nor_status(tmp_path: Path, pki: Pki) -> None:
    """By default failover is off, and has neither a thread nor a status."""
    with Lab(tmp_path, pki) as lab:
        assert lab.engine.card(CARD).failover() is None
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("failover")]


def test_each_standing_is_one_event(tmp_path: Path, pki: Pki) -> None:
    """Each change of failover's standing is one event; a check without a change is not an event."""
    with bench(tmp_path, pki, policy(rule(FIRST), rule(SECOND), cooldown=60)) as lab:
        subscription = lab.engine.subscribe(lambda: None)
        lab.stands(Standing.WELL)
        lab.modem.register(FIRST, 3)
        told: list[Json] = []

        def all_told() -> bool:
            told.extend(event.data["standing"] for event in subscription.take() if event.type == "failover")
            return "resting" in told

        lab.until_true(all_told)
        # The status changes before its event is published, so the event "well" may follow the subscription.
        assert told[told.index("ailing") :] == ["ailing", "switching", "resting"]
        assert told[: told.index("ailing")] in ([], ["well"])
        subscription.close()


def test_a_changed_observation_of_the_health_is_an_event(tmp_path: Path, pki: Pki) -> None:
    """If failover's check finds that a layer has changed, an event reports this."""
    with listening() as there:
        order = policy(rule(FIRST, REGISTERED, f"tcp:127.0.0.1:{there}", lasting=LONG))
        with bench(tmp_path, pki, order) as lab:
            lab.stands(Standing.WELL)
            lab.modem.register(FIRST, 3)
            lab.stands(Standing.AILING)
            threading.Event().wait(5 * INTERVAL)
            lab.modem.register(FIRST, 1)
            lab.stands(Standing.WELL)
            told = [each.data for each in lab.all_told if each.type == "layer"]
            assert [(each["layer"], each["up"], each["iccid"]) for each in told] == [
                ("registered", True, FIRST),
                ("path", True, FIRST),
                ("registered", False, FIRST),
                ("registered", True, FIRST),
            ]


def test_every_standing_can_be_left() -> None:
    """Failover's table has transitions from each standing, to each standing, and for each sign."""
    assert {before for before, _ in TRANSITIONS} == set(Standing)
    assert set(TRANSITIONS.values()) == set(Standing)
    assert {sign for _, sign in TRANSITIONS} == set(Sign)


@pytest.mark.parametrize(
    ("tried", "installed", "following"),
    [
        (FIRST, {FIRST, SECOND, THIRD}, SECOND),
        (SECOND, {FIRST, SECOND, THIRD}, THIRD),
        (THIRD, {FIRST, SECOND, THIRD}, SECOND),
        (FIRST, {FIRST, THIRD}, THIRD),
        (FIRST, {FIRST}, None),
    ],
)
def test_the_order_goes_round(tried: str, installed: set[str], following: str | None) -> None:
    """Failover's order wraps around, and skips the enabled profile and profiles that the card lacks."""
    order = policy(rule(FIRST), rule(SECOND), rule(THIRD))
    listed = ProfileList(tuple(Profile(iccid=iccid, state="disabled") for iccid in sorted(installed)))
    found = order.following(tried, listed=listed, enabled=FIRST)
    assert (found.iccid if found else None) == following
