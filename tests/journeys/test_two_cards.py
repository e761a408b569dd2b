"""Two cards behind one daemon, one of them behind a modem that never answers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from journeys.gateway import CARD, PATIENCE, Gateway

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MUTE = "a-mute-one"
QUEUED = 30
"""The number of changes for the silent card; each takes as long as lpad waits for a modem to answer OK."""
BAUD = 38400
"""A speed of the modem's port at which closing a session takes longer than the end of a process."""


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """A gateway with two cards, of which the first is behind a silent modem."""
    ours, theirs = os.openpty()
    try:
        made = Gateway(baud=BAUD, settings={})
        ports = {MUTE: {"port": os.ttyname(theirs)}, CARD: {"port": str(made.folder / "port")}}
        made._settings["euiccs"] = ports
        with made:
            made.until(lambda: made.client.euicc(CARD).state == "ready")
            yield made
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_silent_modem_delays_no_other_card(gateway: Gateway, profile: Callable[[], bytes]) -> None:
    """While changes of the silent card wait, the other card's changes are carried out."""
    lpad = gateway.client
    stuck = [lpad.refresh(MUTE).id for _ in range(QUEUED)]
    assert [each.name for each in lpad.euiccs()] == [MUTE, CARD]
    assert lpad.euicc(MUTE).state == "starting"
    for _ in range(2):
        installed = gateway.download(gateway.order(profile()), enable=True).check()
        assert installed.result is not None
        lpad.disable(CARD, str(installed.result["iccid"]), accept_offline=True, wait=PATIENCE).check()
        lpad.delete(CARD, str(installed.result["iccid"]), wait=PATIENCE).check()
        lpad.deliver_notifications(CARD, wait=PATIENCE).check()
    assert lpad.profiles(CARD) == []
    assert not lpad.change(stuck[-1]).ended
    assert lpad.system().health.cards_ready == 1


def test_a_silent_modem_keeps_no_other_from_stopping_well(
    gateway: Gateway, profile: Callable[[], bytes]
) -> None:
    """Despite a silent modem, a stopping daemon closes the other card's channel, and keeps its question."""
    for _ in range(QUEUED):
        gateway.client.refresh(MUTE)
    change = gateway.download(gateway.order(profile()), confirm=True)
    assert change.question is not None
    assert gateway.card.open_channels != ()
    gateway.stop()
    assert gateway.card.open_channels == ()
    gateway.start()
    asked = gateway.client.change(change.id)
    assert (asked.state, asked.question and asked.question.kind) == ("waiting", "consent")
    gateway.client.cancel(change.id)
