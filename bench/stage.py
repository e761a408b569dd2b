"""A simulated card and server in this process, and the daemon as a process of its own to be measured."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.ideal import Exchange
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.modem import PtyModem
from lpad.simulator.pki import Pki
from lpad.simulator.smdp.server import SmDp

if TYPE_CHECKING:
    from collections.abc import Iterator

CARD = "modem"
PATIENCE = 60.0


class RecordingCard:
    """A card that writes down what it was told, and how long it took itself."""

    def __init__(self, card: SoftCard) -> None:
        """Wrap a card."""
        self._card = card
        self.log: list[Exchange] = []

    def transmit(self, apdu: bytes) -> bytes:
        """Pass an APDU on."""
        start = time.perf_counter()
        response = self._card.transmit(apdu)
        self.log.append(Exchange(apdu, response, time.perf_counter() - start))
        return response

    def reset(self) -> bytes:
        """Pass a reset on."""
        return self._card.reset()


@dataclass(frozen=True, slots=True)
class Stage:
    """What takes part in a measurement."""

    card: RecordingCard
    modem: PtyModem
    server: SmDp
    daemon: subprocess.Popen[bytes]
    socket: Path
    ready_seconds: float
    """From the start of the process to READY=1."""


@contextmanager
def set_up(*, baud: int | None) -> Iterator[Stage]:
    """Start everything; all of it ends with the context."""
    with tempfile.TemporaryDirectory(prefix="lpad-bench-") as name:
        folder = Path(name)
        pki = Pki.open(folder / "pki")
        with (
            SoftCard(folder / "card", pki=pki) as soft,
            SmDp(folder / "smdp", pki=pki) as server,
        ):
            card = RecordingCard(soft)
            with PtyModem(card, path=folder / "modem", baud=baud) as modem:
                settings = {
                    "socket": str(folder / "lpad.sock"),
                    "state_folder": str(folder / "state"),
                    "log": "warning",
                    "euiccs": {CARD: {"port": modem.path, "baud": baud or 115200}},
                    "trust": {"extra_ca_files": sorted(map(str, (folder / "pki" / "ci").glob("*.der")))},
                }
                (folder / "lpad.yaml").write_text(json.dumps(settings), encoding="utf-8")
                with _daemon(folder) as (daemon, ready):
                    yield Stage(card, modem, server, daemon, folder / "lpad.sock", ready)


@contextmanager
def _daemon(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(folder / "notify"))
        notify.settimeout(PATIENCE)
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "lpad.cli.lpad", "serve", "--config", str(folder / "lpad.yaml")],
            env=os.environ | {"NOTIFY_SOCKET": str(folder / "notify")},
        )
        try:
            while not notify.recv(4096).startswith(b"READY=1"):
                pass
            yield process, time.perf_counter() - start
        finally:
            process.terminate()
            process.wait(PATIENCE)


def quiet(seconds: float) -> None:
    """Let time pass: the one thing that an idle daemon is measured by."""
    threading.Event().wait(seconds)
