"""If the daemon is killed at an irreversible step, the journal has it, and the result is true."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from journeys.gate import STORE_DATA, Gated, gated_gateway
from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.engine.journal import Journal
from lpad.engine.journal.notifications import Stage
from lpad.simulator.smdp.functions.faults import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


HANDLE, CLIENT, PACKAGE = "handleNotification", "authenticateClient", "getBoundProfilePackage"
DISABLE, DELETE, REMOVE = bytes.fromhex("BF32"), bytes.fromhex("BF33"), bytes.fromhex("BF30")
DELAY = 2
"""The seconds for which a server delays its answer, in which the daemon is killed."""


@pytest.fixture
def gated() -> Iterator[Gated]:
    """A ready gateway that retries downloads, with a gate between modem and card."""
    with gated_gateway(settings={"downloads": {"retry_for": 3600}}) as made:
        yield made


def asks(function: bytes) -> Callable[[bytes], bool]:
    """Return a function that recognises the APDU of an ES10 function."""
    return lambda apdu: apdu[1] == STORE_DATA and apdu[5:7] == function


def left(gateway: Gateway) -> Journal:
    """Open and return the journal of the daemon that was killed."""
    return Journal(gateway.folder / "state" / "journal.db")


def installed(gateway: Gateway, profile: bytes) -> str:
    iccid = str((gateway.download(gateway.order(profile)).check().result or {})["iccid"])
    gateway.until(lambda: gateway.card.notifications == ())
    return iccid


def settled(gateway: Gateway, change_id: int, step: str) -> str:
    """Check a change's step in the journal, start lpad, and return the state in which the change ended."""
    journal = left(gateway)
    assert journal.changes.get(change_id).step == step
    journal.close()
    gateway.start()
    gateway.ready()
    state = gateway.client.change(change_id, wait=PATIENCE).state
    gateway.until(lambda: gateway.card.open_channels == ())
    return state


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("function", [DISABLE, DELETE], ids=["disable", "delete"])
def test_disable_and_delete(
    profile: Callable[[], bytes], gated: Gated, function: bytes, *, after: bool
) -> None:
    """If the daemon is killed at a disable or delete, the journal has the step, and the change is done."""
    gateway, gate = gated.gateway, gated.gate
    iccid = installed(gateway, profile())
    if function == DISABLE:
        gateway.client.enable(CARD, iccid, wait=PATIENCE).check()
    gate.hold(asks(function), after=after)
    if function == DISABLE:
        change = gateway.client.disable(CARD, iccid, accept_offline=True)
    else:
        change = gateway.client.delete(CARD, iccid)
    assert gate.held.wait(PATIENCE)
    gateway.kill()
    gate.go_on()
    step = "disable-profile" if function == DISABLE else "delete-profile"
    state = settled(gateway, change.id, step)
    states = {str(each.iccid): each.enabled for each in gateway.card.profiles}
    # The delayed command still reaches the card, because only the daemon was killed, not the modem.
    assert state == "done"
    assert states == ({iccid: False} if function == DISABLE else {})
    gateway.until(lambda: gateway.card.notifications == ())


@pytest.mark.parametrize("function", [CLIENT, PACKAGE])
def test_the_order_and_the_package(profile: Callable[[], bytes], gated: Gated, function: str) -> None:
    """A download that is cut off after its first request continues with a new session, and is done."""
    gateway = gated.gateway
    code = gateway.order(profile())
    gateway.server.faults.add(Fault(function=function, kind=FaultKind.DELAY, value=DELAY))
    step = "authenticate-client" if function == CLIENT else "get-bound-profile-package"
    change = gateway.client.download(CARD, activation_code=code)
    gateway.until(lambda: step in [each.name for each in gateway.client.change(change.id).steps])
    gateway.kill()
    assert settled(gateway, change.id, step) == "done"
    assert len(gateway.card.profiles) == 1


def test_the_profile_on_its_way_into_the_card(profile: Callable[[], bytes], gated: Gated) -> None:
    """A download that was cut off during the load continues with a new session, and installs one profile."""
    gateway = gated.gateway
    code = gateway.order(profile())
    change = gated.kill_while_loading(code)
    assert settled(gateway, change.id, "load-bound-profile-package") == "done"
    assert len(gateway.card.profiles) == 1


def test_a_notification_on_its_way(profile: Callable[[], bytes], gated: Gated) -> None:
    """A notification in transit is marked as `sending`, and is sent again after a kill."""
    gateway = gated.gateway
    iccid = installed(gateway, profile())
    before = len(gateway.server.notifications)
    gateway.server.faults.add(Fault(function=HANDLE, kind=FaultKind.DELAY, value=DELAY))
    gateway.client.enable(CARD, iccid, wait=PATIENCE).check()
    gateway.until(lambda: any(each.state == "sending" for each in gateway.client.notifications(CARD)))
    gateway.kill()
    journal = left(gateway)
    assert [each.stage for each in journal.notifications.all()] == [Stage.SENDING]
    journal.close()
    gateway.start()
    gateway.ready()
    gateway.until(lambda: gateway.card.notifications == ())
    assert len(gateway.server.notifications) > before


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_notification_on_its_way_off_the_card(
    profile: Callable[[], bytes], gated: Gated, *, after: bool
) -> None:
    """A notification is marked before its removal; after a kill it is removed, and not sent again."""
    gateway, gate = gated.gateway, gated.gate
    iccid = installed(gateway, profile())
    gate.hold(asks(REMOVE), after=after)
    gateway.client.enable(CARD, iccid, wait=PATIENCE).check()
    assert gate.held.wait(PATIENCE)
    gateway.kill()
    sent = len(gateway.server.notifications)
    journal = left(gateway)
    assert [each.stage for each in journal.notifications.all()] == [Stage.REMOVING]
    journal.close()
    gate.go_on()
    gateway.start()
    gateway.ready()
    gateway.until(lambda: gateway.card.notifications == ())
    gateway.until(lambda: gateway.client.notifications(CARD) == [])
    assert len(gateway.server.notifications) == sent


def test_a_waiting_download_continues_after_a_power_cut(profile: Callable[[], bytes], gated: Gated) -> None:
    """A download that waits for its server is kept across a kill, and is done once the server works."""
    gateway = gated.gateway
    code = gateway.order(profile())
    gateway.server.faults.add(Fault(function="initiateAuthentication", kind=FaultKind.DROP_BEFORE, times=2))
    change = gateway.client.download(CARD, activation_code=code, when_online=True)
    gateway.until(lambda: gateway.client.change(change.id).pause is not None)
    gateway.kill()
    gateway.start()
    gateway.ready()
    done = gateway.client.change(change.id, wait=PATIENCE)
    assert done.state == "done"
    assert done.attempts >= 1
    assert len(gateway.card.profiles) == 1
