"""The libraries that only the simulators need: the extra `sim`, which a gateway does not need."""

from __future__ import annotations

from importlib.util import find_spec
from typing import NoReturn

import click

_LIBRARIES = ("asn1tools", "cryptography")


def missing() -> str | None:
    """Return one sentence that names the missing libraries and how to install them; None if all are there."""
    lacking = [name for name in _LIBRARIES if find_spec(name) is None]
    if not lacking:
        return None
    return (
        f"the simulators need {' and '.join(lacking)}: install lpad in a virtual environment with"
        " \"pip install 'lpad[sim]'\" (the Debian package does not contain the simulators' libraries)"
    )


def unavailable(name: str, sentence: str) -> click.Command:
    """Return a command that ends with a sentence, whatever its arguments are.

    Args:
        name: the command's.
        sentence: the missing libraries and the remedy.
    """

    def end(**_: object) -> NoReturn:
        raise click.ClickException(sentence)

    return click.Command(
        name,
        callback=end,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True},
        add_help_option=False,
        short_help="Not installed: needs pip install 'lpad[sim]'.",
    )
