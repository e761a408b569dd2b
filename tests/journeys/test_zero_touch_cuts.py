"""Power cuts during zero touch: the daemon is killed at each call to the platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from journeys.gateway import CARD, PATIENCE
from journeys.test_zero_touch import provided

if TYPE_CHECKING:
    from lpad.simulator.platform.platform_base import Faulty
    from lpad.simulator.platform.request_and_answer import Answer, Request

CALLS = {"desk": ("find", "order", "look", "activate"), "kore": ("token", "order", "activate")}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("like", "call"), [(like, call) for like, calls in CALLS.items() for call in calls])
def test_a_cut_at_each_call(like: str, call: str, *, after: bool) -> None:
    """If the daemon is killed at any call to the platform, the card gets one profile with one order."""
    with provided(like, on_empty=["mine"]) as (gateway, platform):
        carry_out = platform.carry_out
        cut: list[str] = []

        def cutting(request: Request) -> tuple[Answer, Faulty]:
            found = platform.vendor.named(request)
            if cut or found is None or found[0] != call:
                return carry_out(request)
            cut.append(call)
            if after:
                carry_out(request)
            gateway.kill()
            raise ConnectionAbortedError  # No process waits for the answer.

        platform.carry_out = cutting  # type: ignore[method-assign]
        gateway.until(lambda: bool(cut))
        gateway.until(lambda: gateway.process is None or gateway.process.poll() is not None)
        gateway.start()
        gateway.ready()
        gateway.until(lambda: any(each.enabled for each in gateway.card.profiles))
        (change,) = [each for each in gateway.client.changes() if each.kind == "provision"]
        gateway.client.wait(change.id, seconds=PATIENCE).check()
        assert (platform.orders, len(gateway.card.profiles)) == (1, 1)
        assert gateway.client.euicc(CARD).wish is None
