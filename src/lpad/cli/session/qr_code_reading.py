"""Activation codes read from a picture with a QR code."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import click

from lpad.base.activation_code import ActivationCode
from lpad.base.errors import InvalidActivationCode

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_PICTURE = 20_000_000
"""The maximum number of bytes of a picture."""
_MOST_PIXELS = 50_000_000
_SEARCHING = 30
"""Seconds that zbarimg may take to find a QR code."""
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")


def is_picture(data: bytes) -> bool:
    """Return whether bytes begin like a PNG or JPEG file."""
    return data.startswith(_SIGNATURES)


def text_of_picture(data: bytes) -> str:
    """Return the activation code in a picture.

    Args:
        data: a PNG or JPEG file, at most 20,000,000 bytes.

    Raises:
        UsageError: the file is not PNG or JPEG, is damaged or too large, contains no valid code or several,
            or no program is installed that reads QR codes.
    """
    if len(data) > LARGEST_PICTURE:
        raise click.UsageError("the picture is larger than 20 MB: crop the picture to the QR code")
    if not is_picture(data):
        raise click.UsageError("the file given to --qr is not a PNG or JPEG picture; --code-file reads text")
    texts = list(dict.fromkeys(_read(data)))
    faults = {text: _fault(text) for text in texts}
    codes = [text for text, fault in faults.items() if fault is None]
    if len(codes) > 1:
        raise click.UsageError("the picture contains several activation codes: crop it to one QR code")
    if codes:
        return codes[0]
    if len(texts) > 1:
        raise click.UsageError(
            f"none of the {len(texts)} QR codes in the picture is a valid activation code, which should look"
            " like LPA:1$smdp.example.com$MATCHING-ID"
        )
    if texts:
        why = faults[texts[0]]
        raise click.UsageError(f"the QR code in the picture is not a valid activation code: {why}")
    raise click.UsageError("no QR code was found in the picture: try a sharper or closer picture")


def _fault(text: str) -> str | None:
    """Return why a text is not a valid activation code; None: it is valid."""
    try:
        ActivationCode.parse(text)
    except InvalidActivationCode as error:
        return error.sentence
    return None


def _read(data: bytes) -> Iterator[str]:
    """Yield the text of each QR code, read by zxing-cpp, or else by zbarimg."""
    try:
        import zxingcpp  # noqa: PLC0415 - an extra, needed for pictures only
        from PIL import Image  # noqa: PLC0415 - an extra, needed for pictures only
    except ImportError:
        yield from _read_by_zbarimg(data)
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=("PNG", "JPEG"))
            if picture.width * picture.height > _MOST_PIXELS:
                raise click.UsageError("the picture has too many pixels: crop the picture to the QR code")
            grey = picture.convert("L")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise click.UsageError("the picture is damaged and cannot be read") from None
    for found in zxingcpp.read_barcodes(grey):
        yield found.text


def _read_by_zbarimg(data: bytes) -> Iterator[str]:
    import shutil  # noqa: PLC0415 - each command of lpactl loads this module, and few start a program
    import subprocess  # noqa: PLC0415 - few commands start a program

    program = shutil.which("zbarimg")
    if program is None:
        raise click.UsageError(
            "no program that reads QR codes is installed: apt install zbar-tools, or pip install 'lpad[qr]'"
        )
    try:
        done = subprocess.run(  # noqa: S603 - no word of the command line is from outside
            [program, "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", "-"],
            input=data,
            capture_output=True,
            timeout=_SEARCHING,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise click.UsageError(
            "zbarimg did not finish within 30 seconds: crop the picture to the QR code"
        ) from None
    yield from done.stdout.decode("utf-8", errors="replace").splitlines()
