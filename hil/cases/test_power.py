"""Hot-plug, and power cuts during irreversible steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hil.place.place import PATIENCE
from hil.place.place_states import Stand

if TYPE_CHECKING:
    from collections.abc import Callable

    from hil.orders.order import Order
    from hil.place.place import Place

pytestmark = pytest.mark.needs("power")


def back(place: Place) -> None:
    """Turn the power on again, and check that the place has the right card."""
    place.give_power()
    place.strategy.to(Stand.KNOWN_CARD)


def test_hot_plug(place: Place) -> None:
    """A card without power is absent, and lpad finds it again when the power is back."""
    profiles = {(each.iccid, each.state) for each in place.client.profiles(place.name)}
    place.cut_power()
    try:
        gone = place.client.refresh(place.name, wait=PATIENCE)
        assert gone.error is not None
        assert gone.error.kind == "card-unreachable"
        assert gone.error.retryable
        assert place.client.euicc(place.name).state == "absent"
    finally:
        back(place)
    assert {(each.iccid, each.state) for each in place.client.profiles(place.name)} == profiles


@pytest.mark.needs("codes", "network")
def test_power_cut_while_loading(place: Place, lease: Callable[..., Order]) -> None:
    """After a power cut during LoadBPP, the download ends as the card shows, and the next one works."""
    order = lease()
    before = {profile.iccid for profile in place.client.profiles(place.name)}
    change = place.client.download_leased(place.name, order, retry_for=0)
    for event in place.client.follow(change.id):
        if event.type == "progress" and event.data["sent"] * 3 >= event.data["total"]:
            break
    place.cut_power()
    back(place)
    ended = place.client.settle_leased(change.id, order, seconds=PATIENCE)
    there = {profile.iccid for profile in place.client.profiles(place.name)} - before
    if ended.state == "done":
        assert there == {str((ended.result or {})["iccid"])}, "the profile was loaded before the cut"
    else:
        assert ended.error is not None
        assert ended.error.kind.startswith(("card-", "server-")), ended.error
        assert there == set(), "a partly loaded profile does not count as installed"
    following = lease()
    done = place.client.download_leased(place.name, following, wait=PATIENCE).check()
    if following.expendable:
        place.client.delete(place.name, str((done.result or {})["iccid"]), wait=PATIENCE).check()


def test_power_cut_while_enabling(place: Place, pair: tuple[str, str]) -> None:
    """After a power cut during a switch, one of the two profiles is enabled, and lpad reports which one."""
    first, second = pair
    change = place.client.enable(place.name, second)
    for event in place.client.follow(change.id):
        if event.type == "change" and "enable-profile" in [step.name for step in event.change.steps]:
            break
    place.cut_power()
    back(place)
    ended = place.client.wait(change.id, seconds=PATIENCE)
    assert ended.ended
    enabled = place.enabled()
    assert enabled in pair
    if ended.state == "done":
        assert enabled == second
    place.enable(first).check()
    assert place.enabled() == first
