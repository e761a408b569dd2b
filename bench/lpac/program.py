"""The program lpac: its commands, its settings, and the result that it prints."""

from __future__ import annotations

import json
import os
import subprocess
import tty
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_PATIENCE = 60.0


class Lpac:
    """lpac with one card; each command runs in a separate process."""

    def __init__(self, program: Path, *, port: Path | None = None, reader: str | None = None) -> None:
        """Choose the program, and the port or the reader that has the card.

        Args:
            program: the executable file of lpac.
            port: an AT port, which lpac uses with +CCHO and +CGLA.
            reader: the name of a PC/SC reader.
        """
        self._program = program
        self._port = port
        self._environment = os.environ | {"LPAC_HTTP": "curl"}
        if port is not None:
            # Both names of the variable with the port are set, because lpac renamed it.
            self._environment |= {"LPAC_APDU": "at", "AT_DEVICE": str(port), "LPAC_APDU_AT_DEVICE": str(port)}
        if reader is not None:
            self._environment |= {"LPAC_APDU": "pcsc", "LPAC_APDU_PCSC_DRV_NAME": reader}

    def prepare(self) -> None:
        """Prepare the AT port, if there is one; required each time after another program has used it."""
        if self._port is not None:
            _as_after_power_on(self._port)

    def download(self, activation_code: str) -> None:
        """Download a profile, without delivering its notification.

        Raises:
            RuntimeError: lpac has failed.
        """
        self._run("profile", "download", "-a", activation_code)

    def deliver(self) -> None:
        """Send all notifications of the card to their servers, and remove them from the card.

        Raises:
            RuntimeError: lpac has failed.
        """
        self._run("notification", "process", "-a", "-r")

    def _run(self, *words: str) -> None:
        done = subprocess.run(
            [str(self._program), *words],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        failed = failure(done.stdout)
        if failed is not None:
            raise RuntimeError(f"'lpac {' '.join(words)}' failed: {failed}; {done.stderr.strip()}")


def _as_after_power_on(port: Path) -> None:
    """Undo two settings by lpad: reads of the port wait again, and the modem refuses with a bare ERROR."""
    terminal = os.open(port, os.O_RDWR | os.O_NOCTTY)
    try:
        tty.setraw(terminal)
        os.write(terminal, b"AT+CMEE=0\r")
        answer = b""
        while not answer.endswith(b"OK\r\n"):
            answer += os.read(terminal, 1024)
    finally:
        os.close(terminal)


def failure(printed: str) -> str | None:
    """Return the reason why a command of lpac failed; None if the command succeeded.

    Args:
        printed: the command's output: one JSON object in each line; the last one of type "lpa" is the result.
    """
    results: list[dict[str, Any]] = [
        line["payload"] for line in map(json.loads, printed.splitlines()) if line["type"] == "lpa"
    ]
    if not results:
        return "it printed no result"
    result = results[-1]
    return None if result["code"] == 0 else f"{result['message']} ({result.get('data')})"
