"""Messages of a download over a modem's MBIM or QMI port, compared with the APDUs that the card receives."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from bench.figure_with_goal import Figure, at_most
from bench.recording_card import RecordingCard
from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.base.identifiers import Iccid
from lpad.simulator.mbim.control_port import MbimModem
from lpad.simulator.profile_package.made_up_profile import made_up_profile
from lpad.simulator.qmi.control_port import QmiModem

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 11_800
"""Bytes of the profile package."""
QUIET = 2.0
"""Seconds without a message after which a change and its notifications are complete."""


def control_messages() -> list[Figure]:
    """Measure the messages per APDU of a download over an MBIM port and over a QMI port."""
    return [
        at_most("MBIM messages of a download, per APDU", _per_apdu("wwan0mbim0", MbimModem), 1, "messages"),
        at_most("QMI messages of a download, per APDU", _per_apdu("wwan0qmi0", QmiModem), 1, "messages"),
    ]


def _per_apdu(port: str, kind: Callable[..., MbimModem | QmiModem]) -> float:
    euicc: dict[str, Any] = {"quirks": {}}
    gateway = Gateway(euicc=euicc, settings={"log": "warning"})
    path = gateway.folder / port
    euicc["port"] = str(path)
    card = RecordingCard(gateway.card)
    with kind(card, path=path) as modem, gateway:
        gateway.client.refresh(CARD, wait=PATIENCE).check()
        _wait_until_quiet(modem)
        modem.received.clear()
        card.log.clear()
        gateway.download(
            gateway.order(made_up_profile(Iccid.parse("8944000000000000001"), size=SIZE))
        ).check()
        _wait_until_quiet(modem)
        return len(modem.received) / len(card.log)


def _wait_until_quiet(modem: MbimModem | QmiModem) -> None:
    """Wait until the modem has received no message for `QUIET` seconds."""
    messages, since = -1, time.monotonic()
    while time.monotonic() - since < QUIET:
        if len(modem.received) != messages:
            messages, since = len(modem.received), time.monotonic()
        threading.Event().wait(0.1)
