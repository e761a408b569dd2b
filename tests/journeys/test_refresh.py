"""Switches by a daemon on modems that read a new profile only after a radio cycle or a reset."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.simulator.modem.personality import ModemPersonality, Notices

if TYPE_CHECKING:
    from collections.abc import Callable

LADDER: list[dict[str, Any]] = [
    {"step": "wait", "seconds": 0.3},
    {"step": "radio-cycle", "down": ["AT+CFUN=0"], "up": ["AT+CFUN=1"], "seconds": 1},
    {"step": "modem-reset", "up": ["AT+CFUN=1,1"], "seconds": 10, "port_goes": True},
]


def gateway_with(**habits: Any) -> Gateway:
    return Gateway(personality=ModemPersonality(**habits), euicc={"quirks": {"refresh_ladder": LADDER}})


@pytest.mark.parametrize(
    ("notices", "needed"),
    [
        (Notices.RADIO_CYCLE, ["radio-cycle"]),
        (Notices.RESET, ["radio-cycle", "modem-reset"]),
    ],
)
def test_a_modem_that_notices_late(profile: Callable[[], bytes], notices: Notices, needed: list[str]) -> None:
    """A switch is done once the modem reads the profile; the change shows the refresh's steps."""
    with gateway_with(notices=notices, away_after_reset=1.0, comes_back_elsewhere=True) as gateway:
        gateway.ready()
        first, second = (
            str((gateway.download(gateway.order(profile())).check().result or {})["iccid"]) for _ in range(2)
        )
        gateway.client.enable(CARD, first, wait=PATIENCE).check()
        change = gateway.client.enable(CARD, second, wait=PATIENCE).check()
        assert [step.name for step in change.steps][-len(needed) :] == needed
        assert gateway.modem.powered
        assert str(gateway.card.enabled_iccid) == second
        gateway.ready()


def test_killed_between_power_down_and_power_up(profile: Callable[[], bytes]) -> None:
    """If lpad is killed while the radio is off, its next start first switches the radio on (VoCat#82)."""
    with gateway_with(notices=Notices.RADIO_CYCLE) as gateway:
        gateway.ready()
        iccid = str((gateway.download(gateway.order(profile())).check().result or {})["iccid"])
        gateway.modem.once("AT+CFUN=0", delay=PATIENCE / 10)
        gateway.client.enable(CARD, iccid)
        gateway.until(lambda: "AT+CFUN=0" in gateway.modem.received)
        gateway.kill()
        gateway.until(lambda: not gateway.modem.powered)
        gateway.start()
        gateway.ready()
        assert gateway.modem.powered
        assert list((gateway.folder / "state" / "links").glob("*.down")) == []


def test_killed_in_the_middle_of_the_ladder(profile: Callable[[], bytes]) -> None:
    """If lpad is killed during a modem refresh, it continues the refresh after its restart."""
    with gateway_with(notices=Notices.RESET) as gateway:
        gateway.ready()
        iccid = str((gateway.download(gateway.order(profile())).check().result or {})["iccid"])
        gateway.modem.once("AT+CFUN=0", delay=PATIENCE / 10)
        change = gateway.client.enable(CARD, iccid)
        gateway.until(lambda: "AT+CFUN=0" in gateway.modem.received)
        gateway.kill()
        gateway.until(lambda: not gateway.modem.powered)
        gateway.start()
        gateway.ready()
        ended = gateway.client.change(change.id, wait=PATIENCE).check()
        assert (ended.result or {})["settled"]
        steps = [step.name for step in ended.steps]
        assert steps[steps.index("enable-profile") + 1 :] == [
            "resume",
            "verify",
            "radio-cycle",
            "modem-reset",
        ]


def test_the_modem_is_restarted_on_request() -> None:
    """After `lpactl restart-modem` the card is ready, and the restart is not counted among lpad's own."""
    with gateway_with(away_after_reset=0.5) as gateway:
        gateway.ready()
        command = [str(Path(sys.executable).with_name("lpactl")), "--socket", str(gateway.socket)]
        done = subprocess.run([*command, "restart-modem"], capture_output=True, text=True, check=True)
        assert "the modem is restarted" in done.stdout
        assert [line for line in gateway.modem.received if line.startswith("AT+CFUN")] == ["AT+CFUN=1,1"]
        card = gateway.client.euicc(CARD)
        assert card.state == "ready"
        assert card.modem_restarts is None
        assert gateway.client.restart_modem(CARD, wait=PATIENCE).check().state == "done"
