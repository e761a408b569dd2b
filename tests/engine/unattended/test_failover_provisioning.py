"""When every profile of failover's order has failed, lpad asks a platform for another one."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from engine.guarding import REGISTERED, port
from engine.lab import CARD, FIRST, LONG, SECOND, result_of
from engine.operations.platform_lab import PLATFORM, PlatformLab
from lpad.base.backoff import Backoff
from lpad.base.guard_condition import Condition
from lpad.engine.change.change import FAILOVER, Kind, State
from lpad.engine.policy.health_rules import FailoverPolicy, HealthRule
from lpad.engine.policy.provisioning import ProvisioningPolicy
from lpad.engine.provisioning import query_times
from lpad.engine.provisioning.wish_record import KeptReservation, WishRecord
from lpad.engine.switch import condition_watch
from lpad.engine.unattended.failover import Standing
from lpad.simulator.modem.personality import ModemPersonality
from lpad.simulator.platform.faults import PlatformFault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.engine.change.change import Change
    from lpad.simulator.pki.pki import Pki

DENIED = 3


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    # The back-off is longer than a health check, for which a change releases the card.
    monkeypatch.setattr(query_times, "BACKOFF", Backoff((1.0,)))
    monkeypatch.setattr(query_times, "WIDEST", 0.01)
    monkeypatch.setattr(condition_watch, "STEADY", 0.1)
    monkeypatch.setattr(condition_watch, "FIRST_PAUSE", 0.1)


@contextmanager
def failing(folder: Path, pki: Pki, *, allowed: bool = True) -> Iterator[PlatformLab]:
    """A lab whose first profile is enabled and becomes unhealthy, and whose second never registers."""
    personality = ModemPersonality(registration={SECOND: DENIED})
    with PlatformLab(folder, pki, personality=personality) as lab:
        lab.start(port(lab))
        lab.install()
        lab.install(iccid=SECOND, name="Second")
        assert lab.carry_out(Kind.ENABLE, iccid=FIRST).error is None
        lab.stop()
        rules = [
            HealthRule(iccid=iccid, conditions=(Condition.parse(REGISTERED),), interval=0.2, lasting=0.3)
            for iccid in (FIRST, SECOND)
        ]
        wanted = ProvisioningPolicy(on_failover=PLATFORM, until=(REGISTERED,), within=LONG)
        order = FailoverPolicy(
            rules=tuple(rules), within=2, cooldown=0.5, provisioning=wanted if allowed else None
        )
        lab.start(replace(port(lab), failover=order, provisioning=wanted))
        lab.modem.register(FIRST, DENIED)
        yield lab


def requests(lab: PlatformLab) -> list[Change]:
    """Return failover's requests for another profile, newest first."""
    return [each for each in lab.engine.changes() if each.origin == FAILOVER and each.kind is Kind.PROVISION]


def switches(lab: PlatformLab) -> list[Change]:
    """Return failover's switches that have ended, newest first."""
    found = (each for each in lab.engine.changes() if each.origin == FAILOVER and each.kind is Kind.ENABLE)
    return [each for each in found if each.state.ended]


def test_the_wish_is_provisioned(tmp_path: Path, pki: Pki) -> None:
    """A third profile is ordered, downloaded and enabled after failover's switch to the second has failed."""
    with failing(tmp_path, pki) as lab:
        change = lab.ended(lab.until(lambda: requests(lab), bool)[-1].id)
        assert change.error is None, change.error
        assert lab.enabled == [result_of(change)["iccid"]]
        assert lab.enabled[0] not in (FIRST, SECOND)
        assert lab.platform.orders == 1
        assert min(each.id for each in switches(lab)) < change.id


def test_without_leave_nothing_is_ordered(tmp_path: Path, pki: Pki) -> None:
    """Without `provisioning.on_failover` failover starts its order again, and requests no profile."""
    with failing(tmp_path, pki, allowed=False) as lab:
        lab.until(lambda: switches(lab), lambda found: len(found) >= 2)
        assert requests(lab) == []
        assert lab.platform.orders == 0


def test_the_one_open_wish_is_resumed(tmp_path: Path, pki: Pki) -> None:
    """While the platform is not ready, each round of failover resumes the same change."""
    with failing(tmp_path, pki) as lab:
        lab.platform.faults.add(PlatformFault.NEVER_AVAILABLE, call="order")
        lab.until(lambda: switches(lab), lambda found: len(found) >= 3)
        assert len(requests(lab)) == 1
        assert lab.platform.orders == 1


def test_an_earlier_wish_is_resumed(tmp_path: Path, pki: Pki) -> None:
    """Failover resumes an earlier wish that has a reservation, instead of placing another order."""
    with failing(tmp_path, pki) as lab:
        made = lab.platform.stock.order(eid=str(lab.card.eid), reference="lpad-earlier")
        kept = KeptReservation(id=made.reference, profile="pending")
        wish = WishRecord(platform=PLATFORM, reservation=kept, ordered_at=(1.0,))
        lab.engine._wishes.put(str(lab.card.eid), wish)
        change = lab.ended(lab.until(lambda: requests(lab), bool)[-1].id)
        assert change.error is None, change.error
        assert (lab.platform.orders, lab.platform.calls["order"]) == (1, 0)


def test_a_recovery_withdraws_the_request(tmp_path: Path, pki: Pki) -> None:
    """If the enabled profile works again before anything is ordered, failover cancels its request."""
    with failing(tmp_path, pki) as lab:
        lab.platform.faults.add(PlatformFault.BUSY, call="order", times=0)
        lab.platform.faults.add(PlatformFault.BUSY, call="find", times=0)
        change = lab.until(lambda: requests(lab), bool)[-1]
        lab.modem.register(FIRST, 1)
        assert lab.ended(change.id).state is State.CANCELLED
        lab.until(
            lambda: lab.engine.card(CARD).failover(),
            lambda seen: seen is not None and seen.standing is Standing.WELL,
        )
        assert (lab.platform.orders, lab.engine.card(CARD).wish()) == (0, None)
