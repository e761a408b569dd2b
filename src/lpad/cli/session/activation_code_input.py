"""The sources of an activation code for lpactl: argument, file, standard input, picture, or parts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, BinaryIO

import click

from lpad.base.activation_code_extraction import LONGEST_TEXT
from lpad.cli.session.qr_code_reading import LARGEST_PICTURE, is_picture, text_of_picture

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from lpad.cli.session.command_session import Session

    _F = TypeVar("_F", bound=Callable[..., Any])


def code_options(function: _F) -> _F:
    """Add the argument and the options for the activation code to a command."""
    for decorate in reversed(
        (
            click.argument("activation_code", required=False),
            click.option(
                "-f",
                "--code-file",
                "--file",
                type=click.File("rb"),
                help="Read the activation code from a file; - is standard input.",
            ),
            click.option(
                "--qr",
                type=click.File("rb"),
                help="Read the activation code from a QR code (PNG or JPEG file); - is standard input.",
            ),
            click.option(
                "--smdp", metavar="HOST", help="SM-DP+ of the order, instead of an activation code."
            ),
            click.option("--matching-id", metavar="ID", help="Matching ID of the order at --smdp."),
        )
    ):
        function = decorate(function)
    return function


def read_code(
    session: Session | None,
    *,
    argument: str | None,
    code_file: BinaryIO | None,
    qr: BinaryIO | None,
    smdp: str | None,
    matching_id: str | None,
    from_default: bool = False,
) -> str | None:
    """Return the given activation code, or None for the default SM-DP+.

    Args:
        session: shows whether the user can be asked; None: never ask.
        argument: the code on the command line; "-" reads standard input.
        code_file: the file with the code.
        qr: the picture with the code.
        smdp: the server's address, instead of a code.
        matching_id: the matching ID for `smdp`; None: the server finds the order by the EID.
        from_default: whether the order waits at the card's default SM-DP+.

    Raises:
        UsageError: no source or more than one was given, or the file or the picture contains no code.
    """
    given = sum((argument is not None, code_file is not None, qr is not None, smdp is not None, from_default))
    if given > 1:
        raise click.UsageError("give only one of ACTIVATION_CODE, --code-file, --qr, --smdp and --default")
    if matching_id is not None and smdp is None:
        raise click.UsageError("--matching-id needs --smdp, the server that knows it")
    if from_default:
        return None
    if qr is not None:
        return text_of_picture(qr.read(LARGEST_PICTURE + 1))
    if smdp is not None:
        return f"LPA:1${smdp}${matching_id or ''}"
    if code_file is not None:
        return _text(code_file)
    if argument == "-":
        return _text(sys.stdin.buffer) if sys.stdin is not None else ""
    if argument is None:
        if session is None or not session.output.may_ask:
            raise click.UsageError("give an activation code, --code-file, --qr, --smdp or --default")
        argument = click.prompt("Activation code", err=True)
    return str(argument).strip()


def _text(file: BinaryIO) -> str:
    """Return the code in a file: one line if the file is a terminal, otherwise the whole content."""
    data = file.readline(LONGEST_TEXT + 1) if file.isatty() else file.read(LONGEST_TEXT + 1)
    if is_picture(data):
        raise click.UsageError("the file is a picture: read it with --qr")
    try:
        return data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise click.UsageError("the file is not text: it must contain the activation code") from None
