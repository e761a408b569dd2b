"""The service after a change of its settings: it is restarted, and its cards are awaited."""

from __future__ import annotations

import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import click

from lpad.client import ApiError, Client, DaemonUnreachable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lpad.client import Euicc

UNIT = "lpad.service"
_RESTARTING = 60.0
_LOOKING = 0.5


def restart() -> None:
    """Restart the service through systemd.

    Raises:
        ClickException: there is no systemd, or the service does not start.
    """
    systemctl = shutil.which("systemctl")
    if systemctl is None:
        raise click.ClickException("systemctl was not found: restart lpad yourself with 'lpad serve'")
    try:
        done = subprocess.run(  # noqa: S603 - no word of the command line is from outside
            [systemctl, "restart", UNIT],
            capture_output=True,
            text=True,
            timeout=_RESTARTING,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise click.ClickException(f"{UNIT} did not start in one minute: see 'journalctl -u lpad'") from None
    if done.returncode != 0:
        told = done.stderr.strip().splitlines()
        raise click.ClickException(f"cannot restart {UNIT}: {told[0] if told else 'systemctl failed'}")


def await_cards(socket: Path, names: Sequence[str], *, seconds: float) -> list[Euicc]:
    """Wait until the daemon has read all given cards, or for `seconds`; return the cards and their states.

    Args:
        socket: the daemon's socket.
        names: the cards.
        seconds: the maximum number of seconds to wait.

    Raises:
        DaemonUnreachable: no daemon answers.
        ApiError: the daemon refuses.
    """
    end = time.monotonic() + seconds
    with Client(str(socket)) as client:
        while True:
            over = time.monotonic() >= end
            try:
                found = [each for each in client.euiccs() if each.name in names]
            except DaemonUnreachable:
                if over:
                    raise
                found = []
            ready = [each.name for each in found if each.state == "ready"]
            if over or sorted(ready) == sorted(names):
                return [_whole(client, each) for each in found]
            time.sleep(_LOOKING)


def _whole(client: Client, card: Euicc) -> Euicc:
    try:
        return client.euicc(card.name)
    except ApiError:
        return card
