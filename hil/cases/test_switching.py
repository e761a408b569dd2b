"""Switching: its duration, what the modem needs to notice it, and the rollback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hil.place.place import Place

SWITCHES = 10
LADDER = {"wait", "sim-refresh", "sim-power-cycle", "radio-cycle", "modem-reset"}


def test_ten_switches(place: Place, pair: tuple[str, str]) -> None:
    """Switches in both directions are verified on the card, and their durations are recorded."""
    first, second = pair
    for turn in range(SWITCHES):
        wanted = (second, first)[turn % 2]
        change = place.enable(wanted).check()
        assert place.enabled() == wanted
        assert change.steps


@pytest.mark.needs("modem")
def test_refresh_ladder(place: Place, pair: tuple[str, str]) -> None:
    """The modem finally reads the new profile, and the change's steps show how lpad achieved this."""
    first, second = pair
    change = place.enable(second).check()
    steps = [step.name for step in change.steps]
    assert "enable-profile" in steps
    # The steps of the data connection follow, if there is an applier.
    switch = steps[: steps.index("apply-network")] if "apply-network" in steps else steps
    assert switch[-1] == "verify" or set(steps) & LADDER, steps
    place.until_ready()
    place.enable(first).check()


def test_guarded_switch_rolls_back(place: Place, pair: tuple[str, str]) -> None:
    """A switch whose confirmation is refused is rolled back to the previous profile."""
    first, second = pair
    change = place.enable(second, guard=["confirm"], within=60)
    if change.question is None:
        change = place.client.wait(change.id, seconds=60)
    assert change.question is not None
    assert place.enabled() == second
    place.client.answer(change.id, confirm=False)
    ended = place.client.wait(change.id, seconds=300)
    assert ended.error is not None
    assert ended.error.kind == "switch-rolled-back"
    assert place.enabled() == first


def test_guarded_switch_without_network_rolls_back(place: Place, pair: tuple[str, str]) -> None:
    """A switch whose reachability check fails is rolled back in time (192.0.2.1 has no host, RFC 5737)."""
    first, second = pair
    change = place.enable(second, guard=["tcp:192.0.2.1:9"], within=5)
    ended = change if change.ended else place.client.wait(change.id, seconds=300)
    assert ended.error is not None
    assert ended.error.kind == "switch-rolled-back"
    assert place.enabled() == first


@pytest.mark.needs("registers", "modem")
def test_guarded_switch_registers(place: Place, pair: tuple[str, str]) -> None:
    """The new profile is kept once the modem has registered with it."""
    first, second = pair
    place.enable(second).check()
    change = place.enable(first, guard=["registered"], within=180)
    ended = change if change.ended else place.client.wait(change.id, seconds=400)
    assert ended.check().state == "done"
    assert place.enabled() == first
