"""What the commands that play a part have in common: where they keep things, and until when they play."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

FOLDER = click.Path(path_type=Path, file_okay=False)
PKI = click.option(
    "--pki",
    "pki_folder",
    type=FOLDER,
    help="Folder of certificates, laid out like SGP.26; created if missing.  [default: pki next to FOLDER]",
)


def beside(folder: Path) -> Path:
    """Return the folder of the infrastructure that a card and a server beside each other share."""
    return folder.parent / "pki"


def stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set; set before anything is made, so that it is unmade."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
