"""The options for the folders of the simulated card and server."""

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
    """Return the default certificate folder, next to the folder of a card or server."""
    return folder.parent / "pki"
