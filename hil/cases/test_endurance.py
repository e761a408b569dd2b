"""Repeated switches and downloads, in as many cycles as the bench file requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hil.place.place import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from hil.orders.order import Order
    from hil.place.place import Place

pytestmark = pytest.mark.endurance


def test_switching(place: Place, pair: tuple[str, str]) -> None:
    """Many switches and readings neither fail nor use up the card's channels."""
    for _ in range(place.cycles):
        for wanted in reversed(pair):
            place.enable(wanted).check()
            place.client.refresh(place.name, wait=PATIENCE).check()
            assert place.enabled() == wanted
    place.deliver(*pair)


@pytest.mark.needs("server")
def test_installing(place: Place, lease: Callable[..., Order]) -> None:
    """After many downloads and deletions, the memory is free again, and no notification remains."""
    room, installed = [], []
    for _ in range(place.cycles):
        done = place.client.download_leased(place.name, lease(), wait=PATIENCE).check()
        installed.append(str((done.result or {})["iccid"]))
        place.client.delete(place.name, installed[-1], wait=PATIENCE).check()
        info = place.until_ready().info
        assert info is not None
        room.append(info.memory.free_non_volatile or 0)
    assert room[-1] >= room[0] - room[0] // 100, "a deletion frees the profile's memory"
    place.deliver(*installed)  # lpad soon removes accepted notifications from the card
