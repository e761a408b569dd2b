"""A place's strategy: it changes the state step by step, and takes no further step after a failure."""

from __future__ import annotations

import pytest

from hil.place.place_states import PlaceBroken, Stand, Strategy


class Steps:
    """Records the transitions, and fails at the chosen one."""

    def __init__(self, fails: str = "") -> None:
        self.done: list[str] = []
        self._fails = fails

    def _do(self, what: str) -> None:
        self.done.append(what)
        if what == self._fails:
            raise OSError("no such device")

    def power_on(self) -> None:
        self._do("power on")

    def start_daemon(self) -> None:
        self._do("start daemon")

    def know_card(self) -> None:
        self._do("know card")

    def stop_daemon(self) -> None:
        self._do("stop daemon")

    def power_off(self) -> None:
        self._do("power off")


def test_up_and_down() -> None:
    """Each state is reached through the states in between, and no step is repeated."""
    steps = Steps()
    strategy = Strategy(steps)
    strategy.to(Stand.KNOWN_CARD)
    strategy.to(Stand.KNOWN_CARD)
    assert steps.done == ["power on", "start daemon", "know card"]
    strategy.to(Stand.OFF)
    assert steps.done[3:] == ["stop daemon", "power off"]
    assert [told for told, _ in strategy.transitions][:2] == ["off to powered", "powered to daemon up"]


def test_a_failed_transition() -> None:
    """After a failed transition no other transition is tried, and a further call repeats the reason."""
    steps = Steps(fails="start daemon")
    strategy = Strategy(steps)
    with pytest.raises(OSError, match="no such device"):
        strategy.to(Stand.KNOWN_CARD)
    with pytest.raises(PlaceBroken, match="powered to daemon up failed: no such device"):
        strategy.to(Stand.KNOWN_CARD)
    assert steps.done == ["power on", "start daemon"]


def test_a_card_that_was_lost() -> None:
    """After a power cut the card is identified again; the daemon keeps running."""
    steps = Steps()
    strategy = Strategy(steps)
    strategy.to(Stand.KNOWN_CARD)
    strategy.lost()
    strategy.to(Stand.KNOWN_CARD)
    assert steps.done == ["power on", "start daemon", "know card", "know card"]
