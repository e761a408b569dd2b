"""lpactl code: an activation code as a QR code."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

import click

from lpad.base.activation_code import ActivationCode
from lpad.base.errors import InvalidActivationCode
from lpad.cli.session.activation_code_input import code_options, read_code
from lpad.cli.session.lpactl_command_group import cli
from lpad.cli.terminal.output import Output
from lpad.cli.terminal.secret_argument_hiding import hide

if TYPE_CHECKING:
    from typing import Any, BinaryIO

_SCALE = 8
"""The width in pixels of each module of the code."""


@cli.group("code")
def code() -> None:
    """Work with activation codes; no daemon is needed."""


@code.command("show")
@code_options
@click.option(
    "--png", type=click.Path(dir_okay=False), help="Write the QR code to a PNG file; - is standard output."
)
@click.option(
    "--svg", type=click.Path(dir_okay=False), help="Write the QR code to an SVG file; - is standard output."
)
@click.option("--json", "as_json", is_flag=True, help="Print the fields of the code as JSON.")
def show(
    *,
    activation_code: str | None,
    code_file: BinaryIO | None,
    qr: BinaryIO | None,
    smdp: str | None,
    matching_id: str | None,
    png: str | None,
    svg: str | None,
    as_json: bool,
) -> None:
    """Draw an activation code as a QR code, in the terminal or into a file.

    Put ACTIVATION_CODE in single quotes, or the shell removes each $ and the word after it; with '-', lpactl
    reads the code from standard input. The QR code contains the secret that the operator issued: anyone who
    scans the QR code can use the secret.
    """
    hide(activation_code if activation_code != "-" else None, matching_id)
    text = read_code(
        None, argument=activation_code, code_file=code_file, qr=qr, smdp=smdp, matching_id=matching_id
    )
    try:
        parsed = ActivationCode.parse(text or "")
    except InvalidActivationCode as error:
        raise click.UsageError(error.sentence) from error
    if as_json:
        Output(as_json=True).json(
            {
                "activation_code": str(parsed),
                "address": str(parsed.address),
                "matching_id": parsed.matching_id,
                "smdp_oid": parsed.smdp_oid,
                "confirmation_code_required": parsed.confirmation_code_required,
            }
        )
        return
    drawn = _drawn(str(parsed))
    for path, kind in ((png, "png"), (svg, "svg")):
        if path is not None:
            picture = io.BytesIO()
            drawn.save(picture, kind=kind, scale=_SCALE)
            _write(path, picture.getvalue())
    if png is None and svg is None:
        lines = io.StringIO()
        drawn.terminal(lines, compact=True)
        for line in lines.getvalue().rstrip().splitlines():
            Output().line(line)


def _drawn(text: str) -> Any:
    try:
        import segno  # noqa: PLC0415 - an extra, needed for drawing only
    except ImportError:
        raise click.UsageError(
            "cannot draw a QR code without segno: install Debian's python3-segno, or pip install 'lpad[qr]'"
        ) from None
    return segno.make(text, error="q", micro=False)


def _write(path: str, data: bytes) -> None:
    """Write an image to a file that only its owner can read, or to standard output."""
    try:
        if path == "-":
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            return
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except OSError as error:
        raise click.UsageError(f"cannot write {path}: {error.strerror}") from error
