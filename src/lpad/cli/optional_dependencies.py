"""Commands that need one of lpad's extras, whose libraries many gateways do not need."""

from __future__ import annotations

from importlib.util import find_spec
from typing import NoReturn

import click

_LIBRARIES = {"sim": ("asn1tools", "cryptography"), "platforms": ("httpx",)}
_EXTRA = {"demo": "sim", "sim": "sim", "platform": "platforms"}
"""The extra that a command needs; commands that are not listed need no extra."""
_NOT_PACKAGED = " (the Debian package does not contain the simulators' libraries)"


def lacking(command: str) -> str | None:
    """Return one sentence: a command's missing libraries, and how to install them; None if it lacks none."""
    extra = _EXTRA.get(command, "")
    missing = [name for name in _LIBRARIES.get(extra, ()) if find_spec(name) is None]
    if not missing:
        return None
    what = "the simulators need" if extra == "sim" else f"'lpad {command}' needs"
    return (
        f"{what} {' and '.join(missing)}: install lpad in a virtual environment with"
        f" \"pip install 'lpad[{extra}]'\"{_NOT_PACKAGED if extra == 'sim' else ''}"
    )


def unavailable(name: str, sentence: str) -> click.Command:
    """Return a command that ends with an error's sentence, regardless of its arguments."""

    def end(**_: object) -> NoReturn:
        raise click.ClickException(sentence)

    return click.Command(
        name,
        callback=end,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True},
        add_help_option=False,
        short_help=f"Not installed: needs pip install 'lpad[{_EXTRA[name]}]'.",
    )
