"""If daemon, port or card fails in the middle of a change, the card's state decides the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from journeys.gate import STORE_DATA, Gated, enabling, gated_gateway, loading
from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.simulator.euicc.chip.faults import CardFaults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECOND_SEGMENT = 'AT+CSIM=66,"81E291001CA01A'
"""The beginning of the AT command that follows ES8+.InitialiseSecureChannel."""


@pytest.fixture
def gated() -> Iterator[Gated]:
    """A ready gateway for one test, with a gate between its modem and its card."""
    with gated_gateway() as made:
        yield made


@pytest.mark.parametrize("after", [False, True], ids=["before the card enables", "after the card enabled"])
def test_killed_while_enabling(profile: Callable[[], bytes], gated: Gated, *, after: bool) -> None:
    """If the daemon is killed during a switch that the card carries out, the switch ends as done."""
    gateway, gate = gated.gateway, gated.gate
    iccid = str((gateway.download(gateway.order(profile())).check().result or {})["iccid"])
    gate.hold(enabling, after=after)
    change = gateway.client.enable(CARD, iccid)
    assert gate.held.wait(PATIENCE)
    gateway.kill()
    gate.go_on()
    gateway.start()
    gateway.ready()
    settled = gateway.client.change(change.id, wait=PATIENCE)
    assert settled.state == "done"
    assert [each.state for each in gateway.client.profiles(CARD)] == ["enabled"]
    gateway.until(lambda: any(each.event == "enable" for each in gateway.server.notifications))


def test_killed_while_loading(profile: Callable[[], bytes], gated: Gated) -> None:
    """If the daemon is killed during a load, the change fails without a profile; the code still works."""
    gateway = gated.gateway
    code = gateway.order(profile())
    change = gated.kill_while_loading(code)
    gateway.start()
    gateway.ready()
    settled = gateway.client.change(change.id, wait=PATIENCE)
    assert settled.state == "failed"
    assert settled.error is not None
    assert settled.error.retryable
    assert gateway.card.profiles == ()
    gateway.download(code).check()
    gateway.until(lambda: not gateway.card.notifications)


def test_killed_before_it_began(profile: Callable[[], bytes], gated: Gated) -> None:
    """A change that was still queued when the daemon was killed is carried out after the restart."""
    gateway, gate = gated.gateway, gated.gate
    iccid = str((gateway.download(gateway.order(profile())).check().result or {})["iccid"])
    gate.hold(enabling, after=False)
    gateway.client.enable(CARD, iccid)
    assert gate.held.wait(PATIENCE)
    queued = gateway.client.rename(CARD, iccid, "queued")
    assert queued.state == "queued"
    gateway.kill()
    gate.go_on()
    gateway.start()
    assert gateway.client.change(queued.id, wait=PATIENCE).check().state == "done"
    assert [each.nickname for each in gateway.client.profiles(CARD)] == ["queued"]


def test_port_vanishes_while_loading(profile: Callable[[], bytes], gated: Gated) -> None:
    """If the port vanishes during a load, the change fails once it is back, and the code still works."""
    gateway, gate = gated.gateway, gated.gate
    code = gateway.order(profile())
    gate.hold(loading, after=False)
    change = gateway.client.download(CARD, activation_code=code)
    assert gate.held.wait(PATIENCE)
    gateway.modem.vanish(wait=False)
    gate.go_on()
    gateway.until(lambda: gateway.client.change(change.id).pause is not None)
    assert gateway.client.euicc(CARD).state == "absent"
    gateway.card.reset()
    gateway.modem.come_back()
    gateway.client.refresh(CARD, wait=PATIENCE).check()
    failed = gateway.client.change(change.id, wait=PATIENCE)
    assert failed.error is not None
    assert (failed.state, failed.error.kind) == ("failed", "card-refused")
    assert failed.error.details["reason"] == "installFailedDueToInterruption"
    gateway.download(code).check()
    assert len(gateway.card.profiles) == 1


@pytest.mark.parametrize("executed", [True, False], ids=["after the card deleted", "before the card deletes"])
@pytest.mark.parametrize("killed", [False, True], ids=["alive", "killed meanwhile"])
def test_port_vanishes_while_deleting(profile: Callable[[], bytes], *, executed: bool, killed: bool) -> None:
    """A deletion whose answer is lost waits for the card, and ends by the card's state."""
    with Gateway(settings={"deadlines": {"switch": 2}}) as gateway:
        gateway.ready()
        iccid = str((gateway.download(gateway.order(profile())).check().result or {})["iccid"])
        gateway.until(lambda: gateway.card.open_channels == ())
        gateway.modem.once('AT+CSIM=40,"81E291000FBF33', executed=executed, vanish=True)
        change = gateway.client.delete(CARD, iccid)
        gateway.until(lambda: gateway.client.change(change.id).pause is not None)
        waiting = gateway.client.change(change.id, wait=0.2)
        assert waiting.pause is not None
        assert (waiting.state, waiting.pause.reason) == ("waiting", "card")
        if killed:
            gateway.kill()
            gateway.start()
        gateway.card.reset()
        gateway.modem.come_back()
        gateway.client.refresh(CARD, wait=PATIENCE)
        ended = gateway.client.change(change.id, wait=PATIENCE)
        assert ended.state == ("done" if executed else "failed")
        assert [each.iccid for each in gateway.client.profiles(CARD)] == ([] if executed else [iccid])
        assert gateway.client.delete(CARD, iccid, missing_ok=True, wait=PATIENCE).check().state == "done"
        gateway.until(lambda: any(each.event == "delete" for each in gateway.server.notifications))


def test_card_loses_power_while_loading(profile: Callable[[], bytes]) -> None:
    """If a card loses power during a load, the server later gets the failed installation result."""
    faults = CardFaults()
    with Gateway(card_faults=faults) as gateway:
        gateway.ready()
        code = gateway.order(profile())
        gateway.modem.received.clear()
        gateway.modem.once(SECOND_SEGMENT, delay=1.0)
        change = gateway.client.download(CARD, activation_code=code)
        gateway.until(lambda: any(each.startswith(SECOND_SEGMENT) for each in gateway.modem.received))
        faults.lose_power_after(5)  # This is in the middle of the profile's elements.
        gateway.until(lambda: gateway.client.change(change.id).pause is not None)
        gateway.card.reset()
        gateway.client.refresh(CARD, wait=PATIENCE).check()
        assert gateway.client.change(change.id, wait=PATIENCE).state == "failed"
        gateway.until(lambda: any(each.installed is False for each in gateway.server.notifications))
        gateway.download(code).check()


def test_cancelled_while_loading(profile: Callable[[], bytes], gated: Gated) -> None:
    """A download that is cancelled during a load ends as cancelled, and the next download works."""
    gateway, gate = gated.gateway, gated.gate
    code = gateway.order(profile())
    gate.hold(loading, after=False)
    change = gateway.client.download(CARD, activation_code=code)
    assert gate.held.wait(PATIENCE)
    gateway.client.cancel(change.id)
    gate.go_on()
    assert gateway.client.change(change.id, wait=PATIENCE).state == "cancelled"
    assert gateway.card.profiles == ()
    gateway.until(lambda: gateway.card.open_channels == ())
    gateway.download(code).check()


def test_stopped_in_the_middle(own_gateway: Gateway, profile: Callable[[], bytes]) -> None:
    """SIGTERM during a download ends the daemon without leaving a channel open."""
    change = own_gateway.client.download(CARD, activation_code=own_gateway.order(profile()))
    for event in own_gateway.client.follow(change.id):
        if event.type == "progress":
            own_gateway.stop()
            break
    assert own_gateway.card.open_channels == ()
    own_gateway.start()
    own_gateway.ready()
    assert own_gateway.client.change(change.id).state in ("cancelled", "failed", "done")


def test_channels_left_by_a_killed_daemon_do_not_add_up(profile: Callable[[], bytes], gated: Gated) -> None:
    """A daemon that is killed five times with an open channel finds a free one each time."""
    gateway, gate = gated.gateway, gated.gate
    iccid = str((gateway.download(gateway.order(profile())).check().result or {})["iccid"])
    for number in range(5):
        gate.hold(lambda apdu: apdu[1] == STORE_DATA and apdu[5:7] == b"\xbf\x29", after=False)
        gateway.client.rename(CARD, iccid, f"again {number}")
        assert gate.held.wait(PATIENCE)
        gateway.kill()
        gate.go_on()
        gateway.start()
        gateway.ready()
    assert len(gateway.card.open_channels) <= 3
