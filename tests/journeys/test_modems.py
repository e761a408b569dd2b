"""The whole life of a profile on every simulated modem, through the daemon's socket and pyserial on a pty."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.simulator.personality import find_personality, personality_names

if TYPE_CHECKING:
    from collections.abc import Callable


def downloaded(gateway: Gateway, code: str, *, breaks: bool) -> str:
    """Download; a modem that breaks in the middle does so once, and the same code works at the next try."""
    change = gateway.download(code)
    if breaks:
        assert change.state == "failed"
        assert change.error is not None
        assert change.error.kind == "card-unreachable"
        assert "load-bound-profile-package" in [step.name for step in change.steps]
        assert gateway.card.open_channels == ()
        change = gateway.download(code)
    result = change.check().result
    assert result is not None
    return str(result["iccid"])


@pytest.mark.parametrize("name", personality_names())
def test_a_profile_lives_on_every_modem(name: str, profile: Callable[[], bytes]) -> None:
    """Downloaded, enabled, switched, disabled, deleted, notifications delivered; no channel stays open."""
    personality = find_personality(name)
    modem = replace(personality.modem, answer_delay=min(personality.modem.answer_delay, 0.01))
    breaks = modem.cgla_breaks_at is not None
    with Gateway(personality=modem, behaviour=personality.card) as gateway:
        client = gateway.client
        gateway.ready()
        first, second = (
            downloaded(gateway, gateway.order(profile()), breaks=breaks and not index) for index in range(2)
        )
        client.enable(CARD, first, wait=PATIENCE).check()
        client.enable(CARD, second, wait=PATIENCE).check()
        assert {each.iccid: each.state for each in client.profiles(CARD)} == {
            first: "disabled",
            second: "enabled",
        }
        client.disable(CARD, second, wait=PATIENCE).check()
        client.delete(CARD, first, wait=PATIENCE).check()
        client.delete(CARD, second, wait=PATIENCE).check()
        assert gateway.card.profiles == ()
        gateway.until(lambda: not gateway.card.notifications)
        told = {(each.event, each.iccid) for each in gateway.server.notifications if each.verified}
        assert told >= {
            (event, iccid)
            for event in ("install", "enable", "disable", "delete")
            for iccid in (first, second)
        }
        gateway.until(lambda: gateway.card.open_channels == ())
        assert list((gateway.folder / "state" / "links").glob("*.open")) == []
