"""Discovery without a request while the device has no network, or an SM-DS fails."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from engine.clocks import TODAY, YEAR, Clocks
from engine.discovery.named_lab import OPERATORS, ROOT, NamedLab
from engine.lab import CARD, FIRST, result_of
from lpad.base.server_address import ServerAddress
from lpad.engine.change.change import DISCOVERY, PROVISION, Kind, State
from lpad.engine.policy.discovery import DiscoveryPolicy, Install
from lpad.engine.policy.provisioning import ProvisioningPolicy
from lpad.engine.unattended import first_profile
from lpad.engine.unattended.unattended_discovery import DiscoveryTime
from lpad.simulator.smdp.functions.faults import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.engine.change.change import Change
    from lpad.engine.running.card.card_with_open_link import CardPort
    from lpad.simulator.pki.pki import Pki

HOUR, DAY = 3600.0, 86_400.0


@pytest.fixture
def lab(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> Iterator[NamedLab]:
    """A device with its own simulated clock, and a card that names the root SM-DS."""
    monkeypatch.setattr(random, "uniform", lambda low, _high: low)
    with NamedLab(tmp_path, pki, root_ds_address=ROOT) as made:
        made.clocks = Clocks()
        yield made


def port(lab: NamedLab, *, every: float | None = None, servers: tuple[str, ...] = ()) -> CardPort:
    """Return the lab's port with discoveries: periodic ones, or by default for an empty card."""
    policy = DiscoveryPolicy(
        every=every, install=Install.ALLOWED, servers=tuple(map(ServerAddress.parse, servers))
    )
    empty = ProvisioningPolicy(on_empty=() if every else ("discovery",))
    return replace(lab.port, discovery=policy, provisioning=empty)


def asked(lab: NamedLab, number: int = 1) -> list[Change]:
    """Return the discoveries, oldest first, once the given number of them have ended."""

    def look() -> list[Change]:
        return [each for each in reversed(lab.engine.changes()) if each.kind is Kind.DISCOVER]

    return lab.until(look, lambda seen: sum(each.state.ended for each in seen) >= number)


def later(lab: NamedLab, seconds: float, **settings: Any) -> None:
    """Stop lpad, let the given seconds pass, and start lpad with the given settings."""
    assert lab.clocks is not None
    lab.stop()
    lab.clocks.pass_by(seconds)
    lab.start(port(lab, **settings))


def planned(lab: NamedLab) -> DiscoveryTime:
    """Stop lpad and return its plan for the next discovery, which counts the last discovery's result."""
    assert lab.carry_out(Kind.REFRESH).error is None
    lab.stop()
    journal = lab.journal()
    found = journal.memos.get(f"discovery {lab.card.eid.digits}", DiscoveryTime)
    journal.close()
    assert found is not None
    assert found.change is None
    return found


def test_an_empty_card_without_a_network_at_boot(lab: NamedLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first discovery without a network does not count, and is repeated once the network is back."""
    monkeypatch.setattr(first_profile, "_REST", 0.0)
    lab.event(ROOT, "EVENT-1")
    lab.network = False
    lab.start(port(lab))
    (change,) = asked(lab)
    assert (change.state, change.origin) == (State.FAILED, PROVISION)
    assert change.error is not None
    assert change.error.details == {"cause": "no-network"}
    lab.until_true(lambda: lab.engine.card(CARD).provisioning().change is None)  # type: ignore[union-attr]  # it is set
    state = lab.engine.card(CARD).provisioning()
    assert state is not None
    assert state.attempts == 0
    assert lab.engine.now().until(state.next_at, longest=DAY) <= 720
    lab.network = True
    lab.engine.network_is_back()
    lab.until_true(lambda: lab.enabled() == [FIRST])


def test_a_network_that_is_missing_for_hours(lab: NamedLab) -> None:
    """Without a network, discovery is repeated within 12 minutes, across restarts, until it succeeds."""
    lab.event(ROOT, "EVENT-1")
    lab.network = False
    lab.start(port(lab))
    for number in range(1, 6):
        asked(lab, number)
        lab.until_true(lambda: lab.engine.card(CARD).provisioning().change is None)  # type: ignore[union-attr]  # it is set
        lab.network = number == 5
        later(lab, 721)
    lab.until_true(lambda: lab.enabled() == [FIRST])
    assert len(asked(lab, 6)) == 6


def test_a_periodic_discovery_without_a_network(lab: NamedLab) -> None:
    """A periodic discovery without a network is not a failure, and is repeated within 12 minutes."""
    lab.network = False
    lab.start(port(lab, every=DAY))
    for number in range(1, 4):
        changes = asked(lab, number)
        assert [each.origin for each in changes] == [DISCOVERY] * number
        plan = planned(lab)
        assert plan.failures == 0
        assert plan.next_at - lab.journal_now() <= 720
        lab.network = number == 3
        later(lab, 721, every=DAY)
    (*_, last) = asked(lab, 4)
    assert last.state is State.DONE, last.error


def test_an_sm_ds_that_fails_is_left_out(lab: NamedLab) -> None:
    """An SM-DS that keeps failing is left out, even after a restart; the other one is still asked."""
    fault = Fault(kind=FaultKind.HTTP_STATUS, value=503, function="initiateAuthentication", times=0)
    lab.smds[ROOT].faults.add(fault)
    settings: dict[str, Any] = {"every": 6 * HOUR, "servers": (OPERATORS,)}
    lab.start(port(lab, **settings))
    (first,) = asked(lab)
    assert [each.get("kind") for each in result_of(first)["servers"]] == ["server-failed", None]
    for number, wait in ((2, 6 * HOUR), (3, 6 * HOUR), (4, 6 * HOUR)):
        later(lab, wait + 1, **settings)
        asked(lab, number)
    requests = lab.smds[ROOT].counters.requests["initiateAuthentication"]
    others = lab.smds[OPERATORS].counters.requests["initiateAuthentication"]
    assert (requests, others) == (4, 4)
    later(lab, 6 * HOUR + 1, **settings)
    (*_, fifth) = asked(lab, 5)
    assert [each["address"] for each in result_of(fifth)["servers"]] == [OPERATORS]
    assert lab.smds[ROOT].counters.requests["initiateAuthentication"] == requests


@pytest.mark.parametrize("wall", [100.0, TODAY + 2 * YEAR, TODAY - YEAR / 2])
def test_a_clock_that_jumps_moves_no_discovery(lab: NamedLab, wall: float) -> None:
    """A daily discovery is due after a day, in whichever direction the clock is set."""
    lab.start(port(lab, every=DAY))
    asked(lab)
    assert lab.clocks is not None
    lab.clocks.wall = wall
    later(lab, DAY - HOUR, every=DAY)
    assert lab.carry_out(Kind.REFRESH).error is None
    assert len(asked(lab)) == 1
    later(lab, HOUR + 1, every=DAY)
    assert len(asked(lab, 2)) == 2
