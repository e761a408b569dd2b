"""lpad-mqtt between a running daemon and Debian's mosquitto."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import pytest

from lpad.testing.simulated_gateway import Gateway
from mqtt.listener import Listener
from mqtt.mosquitto import Mosquitto
from secret_hunt import HUNT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

PATIENCE = 120.0


class Bridge:
    """lpad-mqtt in a process of its own, which can be killed and started again."""

    def __init__(self, folder: Path, to: Mosquitto, socket: Path, **settings: Any) -> None:
        folder.mkdir(exist_ok=True)
        self.config = folder / "mqtt.yaml"
        self._log = folder / "mqtt.log"
        self.state = folder / "mqtt-state"
        content = {
            "broker": f"mqtt://127.0.0.1:{to.port}",
            "client_id": "lpad-test",
            "topics": {"prefix": "lpad/gw"},
            "socket": str(socket),
            "state_folder": str(self.state),
            **settings,
        }
        self.config.write_text(json.dumps(content))
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start lpad-mqtt."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "lpad.mqtt.main", "--config", str(self.config)], stdout=log, stderr=log
            )

    def stop(self, number: int = signal.SIGTERM) -> int | None:
        """End lpad-mqtt with a signal, and return its exit code."""
        if self.process is None:
            return None
        os.kill(self.process.pid, number)
        code = self.process.wait(PATIENCE)
        HUNT.hear(self.log)
        self.process = None
        return code

    @contextmanager
    def held(self) -> Iterator[None]:
        """Suspend lpad-mqtt's process until the block ends."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)

    @property
    def log(self) -> str:
        """Return lpad-mqtt's log."""
        return self._log.read_text()

    @property
    def position(self) -> int:
        """Return the event number in lpad-mqtt's position file, or 0 if there is no such file."""
        path = self.state / "position"
        return int(path.read_text()) if path.exists() else 0

    def until_logged(self, text: str) -> None:
        """Wait until lpad-mqtt's log contains the text."""
        end = time.monotonic() + PATIENCE
        while text not in self.log:
            assert time.monotonic() < end, self.log
            time.sleep(0.1)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as made:
        made.ready()
        yield made


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as made:
        yield made


@pytest.fixture(scope="module")
def gateway_for_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Listener]]:
    """A gateway whose lpad-mqtt allows all commands, and a backend, shared by all tests of a file."""
    folder = tmp_path_factory.mktemp("all")
    commands = ["discover", "download", "enable", "provision", "refresh"]
    with (
        Gateway() as gateway,
        Mosquitto(folder / "broker") as broker,
        Listener(broker.port) as backend,
        Bridge(folder / "b", broker, gateway.socket, commands=commands),
    ):
        gateway.ready()
        yield gateway, backend
