"""The simulators, in their own environment with the Debian release's Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from system.gateway import LPAD_SIM

if TYPE_CHECKING:
    from system.gateway import Gateway


def test_the_demo_plays_a_whole_life_cycle(gateway: Gateway) -> None:
    """`lpad demo` prints the steps of a profile's life cycle."""
    shown = gateway.run(*LPAD_SIM.split()[:-1], "demo")
    for step in ("card found", "bytes", "profile enabled", "signature verified", "over the socket"):
        assert step in shown
