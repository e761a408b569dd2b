"""Several events, whose profiles are enabled under a guard: the next one only if the guard was not met."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from engine import guarding
from engine.discovery.discovery_lab import DiscoveryLab
from engine.guarding import REGISTERED, THIRD
from engine.lab import FIRST, SECOND, result_of
from lpad.base.server_address import ServerAddress
from lpad.engine.change.change import DISCOVERY, Kind, State
from lpad.engine.policy.discovery import DiscoveryPolicy, Install
from lpad.engine.policy.provisioning import ProvisioningPolicy
from lpad.engine.running.change_question_answer import Answer
from lpad.engine.switch import condition_watch
from lpad.simulator.modem.personality import ModemPersonality

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.engine.change.change import Change
    from lpad.simulator.pki.pki import Pki

DENIED = 3
"""The status in +CEREG of a modem that the network denies."""
LATER = "8900101000000000041"


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condition_watch, "STEADY", 0.3)
    monkeypatch.setattr(condition_watch, "FIRST_PAUSE", 0.1)
    monkeypatch.setattr(random, "uniform", lambda *_: 0.0)


class GuardedLab(DiscoveryLab):
    """A modem that registers with some profiles only."""

    def __init__(self, folder: Path, pki: Pki, *denied: str) -> None:
        registration = dict.fromkeys(denied, DENIED)
        super().__init__(folder, pki, personality=ModemPersonality(registration=registration))

    def begin(self, *, unasked: bool, on_empty: bool = False) -> None:
        """Have lpad discover events, without a request or on request, and install their profiles."""
        policy = DiscoveryPolicy(
            servers=(ServerAddress.parse(self.root.address),),
            every=86_400.0 if unasked and not on_empty else None,
            install=Install.ALLOWED,
        )
        until = ProvisioningPolicy(
            on_empty=("discovery",) if on_empty else (), until=(REGISTERED,), within=3.0
        )
        self.start(replace(guarding.port(self), discovery=policy, provisioning=until))
        if not unasked:
            assert self.discover(install=True).error is None


def outcome(change: Change) -> tuple[State, Any]:
    """Return the state, and whether the profile was enabled, or the kind of the error."""
    return change.state, change.error.kind if change.error is not None else result_of(change)["enabled"]


FAILED = (State.FAILED, "switch-rolled-back")


@pytest.mark.parametrize("unasked", [False, True])
def test_the_next_is_enabled_after_a_failed_guard(tmp_path: Path, pki: Pki, *, unasked: bool) -> None:
    """If the first profile's guard is not met, the second is enabled, and the third only installed."""
    with GuardedLab(tmp_path, pki, FIRST) as lab:
        lab.install(iccid=LATER, name="Previous")
        assert lab.carry_out(Kind.ENABLE, iccid=LATER).error is None
        lab.stop()
        for number, iccid in enumerate((FIRST, SECOND, THIRD), 1):
            lab.event(iccid, f"EVENT-{number}")
        lab.begin(unasked=unasked)
        _, *downloads = lab.downloads(4)
        assert [each.origin for each in downloads] == [DISCOVERY] * 3
        assert list(map(outcome, downloads)) == [FAILED, (State.DONE, True), (State.DONE, False)]
        first, second, _ = downloads
        assert first.error is not None
        assert (first.error.details["installed"], first.error.details["enabled"]) == (FIRST, LATER)
        assert (result_of(second)["guard"], result_of(second)["previous"]) == ("met", LATER)
        assert lab.enabled() == [SECOND]
        assert lab.installed() == [LATER, FIRST, SECOND, THIRD]
        found = result_of(lab.discover())["events"]
        assert {each["event_id"]: each["state"] for each in found} == {
            f"EVENT-{number}": "installed" for number in (1, 2, 3)
        }


@pytest.mark.parametrize("unasked", [False, True])
def test_the_first_that_registers_stays(tmp_path: Path, pki: Pki, *, unasked: bool) -> None:
    """If the first profile meets its guard, the others are installed but not enabled."""
    with GuardedLab(tmp_path, pki) as lab:
        lab.event(FIRST, "EVENT-1")
        lab.event(SECOND, "EVENT-2")
        lab.begin(unasked=unasked)
        assert list(map(outcome, lab.downloads(2))) == [(State.DONE, True), (State.DONE, False)]
        assert lab.enabled() == [FIRST]


def test_no_profile_registers(tmp_path: Path, pki: Pki) -> None:
    """If no profile registers, each is tried once, and the device keeps its previous profile."""
    with GuardedLab(tmp_path, pki, FIRST, SECOND) as lab:
        lab.install(iccid=LATER, name="Previous")
        assert lab.carry_out(Kind.ENABLE, iccid=LATER).error is None
        lab.stop()
        lab.event(FIRST, "EVENT-1")
        lab.event(SECOND, "EVENT-2")
        lab.begin(unasked=True)
        _, *downloads = lab.downloads(3)
        assert list(map(outcome, downloads)) == [FAILED, FAILED]
        assert lab.enabled() == [LATER]
        assert lab.discover(install=True).error is None
        assert len(lab.downloads(3)) == 3


def test_an_empty_card_whose_first_event_does_not_register(tmp_path: Path, pki: Pki) -> None:
    """If an empty card's first event does not bring the device online, the second event's profile does."""
    with GuardedLab(tmp_path, pki, FIRST) as lab:
        lab.event(FIRST, "EVENT-1")
        lab.event(SECOND, "EVENT-2")
        lab.begin(unasked=True, on_empty=True)
        first, second = lab.downloads(2)
        assert first.state is State.FAILED
        assert outcome(second) == (State.DONE, True)
        assert lab.enabled() == [SECOND]


@pytest.mark.parametrize("requested", [False, True])
def test_no_discovery_begins_under_a_guard(tmp_path: Path, pki: Pki, *, requested: bool) -> None:
    """A discovery that is due, or requested, while a guard waits begins after the guard has ended."""
    with GuardedLab(tmp_path, pki) as lab:
        lab.start(guarding.port(lab))
        lab.install(iccid=LATER, name="Previous")
        lab.install(iccid=FIRST)
        assert lab.carry_out(Kind.ENABLE, iccid=LATER).error is None
        guarded = lab.asked(guarding.guarded(lab, "confirm", within=60, iccid=FIRST).id)
        if requested:
            lab.submit(Kind.DISCOVER, servers=[lab.root.address])
        else:
            lab.stop()
            lab.begin(unasked=True)
            lab.asked(guarded.id)
        threading.Event().wait(0.5)  # Without the guard, the discovery would begin within this time.
        lab.engine.answer(guarded.id, Answer(confirm=True))
        guarded = lab.ended(guarded.id)
        (discovery,) = lab.until(
            lambda: [each for each in lab.engine.changes() if each.kind is Kind.DISCOVER],
            lambda seen: bool(seen) and seen[0].state.ended,
        )
        assert guarded.ended_at is not None
        assert discovery.started_at is not None
        assert discovery.started_at >= guarded.ended_at


def test_a_cut_under_the_first_guard(tmp_path: Path, pki: Pki) -> None:
    """After a restart the first guard continues, and only its failure leads to the next profile."""
    with GuardedLab(tmp_path, pki, FIRST) as lab:
        lab.event(FIRST, "EVENT-1")
        lab.event(SECOND, "EVENT-2")
        lab.begin(unasked=False)
        lab.until(
            lambda: [each for each in lab.engine.changes() if each.kind is Kind.DOWNLOAD],
            lambda seen: bool(seen) and seen[0].guard is not None,
        )
        lab.stop()
        lab.start()
        first, second = lab.downloads(2)
        assert first.state is State.FAILED
        assert outcome(second) == (State.DONE, True)
        assert lab.enabled() == [SECOND]
