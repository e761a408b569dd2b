"""Switches and cancellations while a platform or an SM-DS is silent, or a user is asked."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from engine.discovery.discovery_lab import DiscoveryLab
from engine.lab import LONG, SECOND
from engine.operations.platform_lab import PlatformLab, hurry
from engine.operations.test_line_control import with_profile
from lpad.engine.change.change import Kind, State
from lpad.engine.policy.provisioning import ProvisioningPolicy
from lpad.engine.running.change_question_answer import Answer
from lpad.simulator.platform.faults import PlatformFault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.lab import Lab
    from lpad.engine.change.change import Change
    from lpad.simulator.pki.pki import Pki
    from lpad.simulator.platform.platform_base import Faulty
    from lpad.simulator.platform.request_and_answer import Answer as PlatformAnswer
    from lpad.simulator.platform.request_and_answer import Request
    from lpad.simulator.platform.server import SimulatedPlatform
    from lpad.simulator.smdp.functions.faults import ActiveFaults
    from lpad.simulator.smdp.functions.function_table import HttpAnswer
    from lpad.simulator.smdp.server import SmDp

AT_ONCE = 15.0
"""The seconds within which, even on a busy machine, a switch is done and a cancellation takes effect."""
CALLS = ("find", "order", "look")


@contextmanager
def mute_platform(platform: SimulatedPlatform, call: str) -> Iterator[threading.Semaphore]:
    """Make a platform hold back one answer to a call until the end; yield a semaphore for the call."""
    asked, end, left = threading.Semaphore(0), threading.Event(), [1]
    whole = platform.carry_out

    def hold(request: Request) -> tuple[PlatformAnswer, Faulty]:
        answer, faults = whole(request)
        if answer.call == call and left and left.pop():
            asked.release()
            end.wait(2 * LONG)
        return answer, faults

    with patch.object(platform, "carry_out", hold):
        try:
            yield asked
        finally:
            end.set()


@contextmanager
def mute_server(server: SmDp, function: str) -> Iterator[threading.Semaphore]:
    """Make an SM-DS hold back one answer to a function until the end; yield a semaphore for it."""
    asked, end, left = threading.Semaphore(0), threading.Event(), [1]
    whole = server.carry_out

    def hold(name: str, body: bytes, faults: ActiveFaults) -> HttpAnswer:
        answer = whole(name, body, faults)
        if name == function and left and left.pop():
            asked.release()
            end.wait(2 * LONG)
        return answer

    with patch.object(server, "carry_out", hold):
        try:
            yield asked
        finally:
            end.set()


def switched_at_once(lab: Lab, iccid: str) -> None:
    began = time.monotonic()
    switch = lab.carry_out(Kind.ENABLE, iccid=iccid)
    assert switch.error is None, switch.error
    assert time.monotonic() - began < AT_ONCE


def cancelled_at_once(lab: Lab, change: Change) -> None:
    began = time.monotonic()
    lab.engine.cancel(change.id)
    assert lab.ended(change.id).state is State.CANCELLED
    assert time.monotonic() - began < AT_ONCE


@pytest.fixture
def desk(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlatformLab]:
    """A platform, and a card with a profile that is not enabled."""
    hurry(monkeypatch)
    with PlatformLab(tmp_path, pki) as made:
        made.install(iccid=SECOND)
        yield made


@pytest.fixture
def discovery(tmp_path: Path, pki: Pki) -> Iterator[DiscoveryLab]:
    """Two SM-DSs, and a card with a profile that is not enabled."""
    with DiscoveryLab(tmp_path, pki) as made:
        made.start(made.policy())
        made.install(iccid=SECOND)
        yield made


@pytest.mark.parametrize("call", CALLS)
def test_a_switch_overtakes_a_wish(desk: PlatformLab, call: str) -> None:
    """The switch is done while the platform does not answer; then the wish continues, with one order."""
    with mute_platform(desk.platform, call) as asked:
        change = desk.provision()
        assert asked.acquire(timeout=LONG)
        switched_at_once(desk, SECOND)
    ended = desk.ended(change.id)
    assert ended.error is None, ended.error
    assert desk.platform.orders == 1


@pytest.mark.parametrize("call", CALLS)
def test_a_wish_is_cancelled_while_its_platform_is_silent(desk: PlatformLab, call: str) -> None:
    """A wish can be cancelled while its platform is silent, and the card is free for a switch."""
    with mute_platform(desk.platform, call) as asked:
        change = desk.provision()
        assert asked.acquire(timeout=LONG)
        cancelled_at_once(desk, change)
        switched_at_once(desk, SECOND)


def test_a_switch_overtakes_a_request_about_a_line(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A switch overtakes a request about a line, which is repeated afterwards."""
    with with_profile(tmp_path, pki, monkeypatch, "desk") as lab:
        own = lab.enabled[0]
        lab.install(iccid=SECOND)
        with mute_platform(lab.platform, "line") as asked:
            change = lab.submit(Kind.LINE, iccid=own, action="show")
            assert asked.acquire(timeout=LONG)
            switched_at_once(lab, SECOND)
        ended = lab.ended(change.id)
        assert ended.error is None, ended.error


@pytest.mark.parametrize("function", ["initiateAuthentication", "authenticateClient"])
def test_a_switch_overtakes_a_discovery(discovery: DiscoveryLab, function: str) -> None:
    """A switch overtakes a discovery whose SM-DS is silent; the discovery is then done."""
    discovery.event()
    with mute_server(discovery.root, function) as asked:
        change = discovery.submit(Kind.DISCOVER)
        assert asked.acquire(timeout=LONG)
        switched_at_once(discovery, SECOND)
    ended = discovery.ended(change.id)
    assert ended.error is None, ended.error
    assert [str(each.iccid) for each in discovery.card.profiles if each.enabled] == [SECOND]


@pytest.mark.parametrize("function", ["initiateAuthentication", "authenticateClient"])
def test_a_discovery_is_cancelled_while_its_server_is_silent(discovery: DiscoveryLab, function: str) -> None:
    """A discovery can be cancelled while its server is silent; the card is free immediately."""
    with mute_server(discovery.root, function) as asked:
        change = discovery.submit(Kind.DISCOVER)
        assert asked.acquire(timeout=LONG)
        cancelled_at_once(discovery, change)
        switched_at_once(discovery, SECOND)


def test_a_question_about_money_holds_no_card(desk: PlatformLab) -> None:
    """While a user decides on a second order, a switch is done; then the user's answer is accepted."""
    desk.provisioning = ProvisioningPolicy(most_orders=2)
    desk.stop()
    desk.start(desk.port)
    desk.platform.faults.add(PlatformFault.FAILS, call="order")
    change = desk.asked(desk.provision().id)
    assert change.question is not None
    switched_at_once(desk, SECOND)
    assert desk.engine.change(change.id).question is not None
    desk.engine.answer(change.id, Answer(confirm=True))
    ended = desk.ended(change.id)
    assert ended.error is None, ended.error
    assert desk.platform.orders == 2
