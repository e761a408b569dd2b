"""Where the simulated card and server keep things: the options that name their folders."""

from __future__ import annotations

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
