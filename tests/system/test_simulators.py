"""The simulators on the Debian release's Python, in an environment of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from system.gateway import LPAD_SIM

if TYPE_CHECKING:
    from system.gateway import Gateway


def test_the_demo_plays_a_whole_life_cycle(gateway: Gateway) -> None:
    """A newcomer's first command runs a profile's whole life cycle."""
    shown = gateway.run(*LPAD_SIM.split()[:-1], "demo")
    for step in ("card found", "bytes", "profile enabled", "signature verified", "over the socket"):
        assert step in shown
