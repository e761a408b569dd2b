"""A modem whose serial line lpad sets to a higher speed while it uses the port."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.simulator.modem.personality import ModemPersonality

if TYPE_CHECKING:
    from collections.abc import Iterator

USUAL, FAST = 115_200, 921_600


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """A gateway whose modem offers a higher line speed, and keeps the speed across power cuts."""
    personality = ModemPersonality(line_rates=(USUAL, FAST), keeps_line_rate=True)
    with Gateway(personality=personality, euicc={"fast_baud": FAST}) as made:
        made.ready()
        yield made


def test_a_stopped_daemon_leaves_the_usual_speed(gateway: Gateway) -> None:
    """A profile is downloaded at the higher speed, and a stopping daemon restores the usual speed."""
    iccid = gateway.install_profile(enable=True)
    assert gateway.modem.line_rate == FAST
    gateway.stop()
    assert gateway.modem.line_rate == USUAL
    gateway.start()
    gateway.ready()
    assert [(each.iccid, each.state) for each in gateway.client.profiles(CARD)] == [(iccid, "enabled")]


def test_a_killed_daemon_finds_its_modem(gateway: Gateway) -> None:
    """If the daemon is killed, the modem stays at the higher speed, and the restarted daemon reaches it."""
    first, second = (gateway.install_profile() for _ in range(2))
    gateway.client.enable(CARD, first, wait=PATIENCE).check()
    gateway.kill()
    gateway.modem.cut_power()
    assert gateway.modem.line_rate == FAST
    gateway.start()
    gateway.ready()
    gateway.client.enable(CARD, second, wait=PATIENCE).check()
    gateway.stop()
    assert gateway.modem.line_rate == USUAL


def test_a_reload_without_the_setting_restores_the_speed(gateway: Gateway) -> None:
    """If a reload removes the higher speed from a card's settings, lpad restores the usual speed."""
    gateway._euicc = {}
    gateway.write_settings()
    process = gateway.process
    assert process is not None
    process.send_signal(signal.SIGHUP)
    gateway.until(lambda: gateway.modem.line_rate == USUAL)
    gateway.ready()
    gateway.install_profile()
    assert gateway.modem.line_rate == USUAL
