"""Lpad reads QR codes from pictures with zxing-cpp or zbarimg; segno draws the codes for these tests."""

from __future__ import annotations

import builtins
import io
import shutil
from typing import TYPE_CHECKING, Any

import click
import pytest
import segno
from PIL import Image, ImageFilter

from lpad.cli.session import qr_code_reading

if TYPE_CHECKING:
    from collections.abc import Callable

CODE = "LPA:1$smdp.example.com$ABCD-1234-EFGH$1.3.6.1$1"
READERS = ("zxing-cpp", pytest.param("zbarimg", marks=pytest.mark.programs("zbarimg")))


def drawn(text: str = CODE) -> Image.Image:
    """Return the picture of a QR code, with a margin."""
    data = io.BytesIO()
    segno.make(text, error="q").save(data, kind="png", scale=8, border=8)
    return Image.open(data).convert("L")


def file_of(picture: Image.Image, kind: str = "PNG") -> bytes:
    data = io.BytesIO()
    picture.save(data, kind)
    return data.getvalue()


@pytest.fixture(params=READERS)
def read(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], str]:
    """Return a function that reads a picture by one of the two programs."""
    if request.param == "zbarimg":
        monkeypatch.setattr(builtins, "__import__", without("zxingcpp"))
    return qr_code_reading.text_of_picture


def without(*names: str) -> Callable[..., Any]:
    """Return an import function for a machine that lacks some libraries."""
    importing = builtins.__import__

    def importing_all_but(name: str, *more: Any, **rest: Any) -> Any:
        if name in names:
            raise ImportError(name)
        return importing(name, *more, **rest)

    return importing_all_but


def page_with(picture: Image.Image) -> Image.Image:
    page = Image.new("L", (900, 1200), 230)
    page.paste(picture, (300, 500))
    return page


DISTORTIONS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "as drawn": lambda picture: picture,
    "upside down": lambda picture: picture.rotate(180),
    "held askew": lambda picture: picture.rotate(17, expand=True, fillcolor=255),
    "out of focus": lambda picture: picture.filter(ImageFilter.GaussianBlur(2)),
    "small": lambda picture: picture.resize((picture.width // 3, picture.height // 3)),
    "dark": lambda picture: picture.point(lambda value: 40 + value // 3),
    "seen from the side": lambda picture: picture.transform(
        picture.size,
        Image.Transform.QUAD,
        (-20, -10, 0, picture.height, picture.width, picture.height + 20, picture.width + 30, 10),
        fillcolor=255,
    ),
    "within a page": page_with,
}


@pytest.mark.parametrize("distortion", DISTORTIONS)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_is_read(read: Callable[[bytes], str], distortion: str, kind: str) -> None:
    """A code is read from a drawing, and from one that is distorted as in a photograph."""
    assert read(file_of(DISTORTIONS[distortion](drawn()), kind)) == CODE


def test_a_set_up_link_is_a_code(read: Callable[[bytes], str]) -> None:
    """A QR code may contain a set-up link instead of the code."""
    link = "https://esimsetup.apple.com/esim_qrcode_provisioning?carddata=LPA:1$smdp.example.com$ABCD"
    assert read(file_of(drawn(link))) == link


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"LPA:1$smdp.example.com$ABCD", "not a PNG or JPEG"),
        (b"", "not a PNG or JPEG"),
        (file_of(Image.new("L", (200, 200), 255)), "no QR code was found"),
        (
            file_of(drawn("https://example.com/offers")),
            "the QR code in the picture is not a valid activation code",
        ),
        (file_of(page_with(drawn()))[:200], "damaged|no QR code was found"),
        (b"\x89PNG\r\n\x1a\n" + bytes(qr_code_reading.LARGEST_PICTURE), "larger than 20 MB"),
    ],
    ids=["text", "empty", "white", "another code", "cut", "huge"],
)
def test_a_picture_without_a_code_is_refused(read: Callable[[bytes], str], data: bytes, said: str) -> None:
    """A picture without an activation code is refused, with the remedy."""
    with pytest.raises(click.UsageError, match=said):
        read(data)


def test_two_codes_in_a_picture_are_refused(read: Callable[[bytes], str]) -> None:
    """A picture with two activation codes is refused, because either may be meant."""
    page = page_with(drawn())
    page.paste(drawn("LPA:1$smdp.example.com$OTHER"), (10, 10))
    with pytest.raises(click.UsageError, match="several activation codes"):
        read(file_of(page))


def test_two_invalid_codes_in_a_picture_are_refused(read: Callable[[bytes], str]) -> None:
    """If none of several QR codes is an activation code, the error gives their number and a code's form."""
    page = page_with(drawn("https://example.com/offers"))
    page.paste(drawn("https://example.com"), (10, 10))
    with pytest.raises(click.UsageError, match=r"none of the 2 QR codes .* should look like LPA:1\$"):
        read(file_of(page))


def test_a_picture_with_endless_pixels_is_refused() -> None:
    """A small file is refused if its picture has so many pixels that it would fill the memory."""
    with pytest.raises(click.UsageError, match=r"too many pixels|damaged"):
        qr_code_reading.text_of_picture(file_of(Image.new("1", (20_000, 20_000))))


def test_without_a_reader_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any program that reads QR codes, the error names those that can be installed."""
    monkeypatch.setattr(builtins, "__import__", without("zxingcpp"))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(click.UsageError, match=r"zbar-tools, or pip install 'lpad\[qr\]'"):
        qr_code_reading.text_of_picture(file_of(drawn()))
