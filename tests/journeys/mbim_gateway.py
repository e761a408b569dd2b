"""A gateway whose daemon reaches the card through the modem's MBIM port."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from journeys.gateway import Gateway
from journeys.hourly_daemon import hourly_daemon
from lpad.simulator.mbim.behaviour import MbimBehaviour
from lpad.simulator.mbim.control_port import MbimModem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.simulator.modem.personality import ModemPersonality

HURRIED_LADDER = [
    {"step": "wait", "seconds": 0.5},
    {"step": "radio-cycle", "down": ["MBIM radio off"], "up": ["MBIM radio on"], "seconds": 0.5},
    {"step": "modem-reset", "up": ["MBIM reset"], "seconds": 20, "port_goes": True},
]
"""The refresh ladder of MBIM modems, with a shorter time for most steps."""


@contextmanager
def mbim_gateway(
    *,
    personality: ModemPersonality | None = None,
    ladder: list[dict[str, Any]] | None = None,
    settings: dict[str, Any] | None = None,
    hourly: bool = False,
    **habits: Any,
) -> Iterator[tuple[Gateway, MbimModem]]:
    """Start a gateway on an MBIM port, which leads to the same card as its AT port, and yield both.

    Args:
        personality: the modem's habits.
        ladder: the steps of a modem refresh, or None for those of the modem's family.
        settings: additions to the daemon's settings.
        hourly: whether the daemon checks for an absent card only once an hour.
        habits: the control port's habits.
    """
    euicc: dict[str, Any] = {"quirks": {} if ladder is None else {"refresh_ladder": ladder}}
    gateway = Gateway(personality=personality, euicc=euicc, settings=settings)
    if hourly:
        gateway._daemon = hourly_daemon(gateway.folder / "lpad.yaml")
    path = gateway.folder / "cdc-wdm0"
    euicc["port"] = str(path)
    made = MbimBehaviour(**habits)
    with MbimModem(gateway.card, path=path, personality=personality, behaviour=made) as modem, gateway:
        yield gateway, modem
        assert modem.received, "the daemon has not used the MBIM port"
        assert not gateway.modem.received, "the daemon has used the AT port"
