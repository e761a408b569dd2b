"""Activation codes in the forms that people have, on each way into lpad: argument, file, picture and API."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
import segno
from click.testing import CliRunner

from api.gateway import Gateway
from engine.lab import CARD, Lab
from lpad.cli.lpactl import cli

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki

HOST = "smdp.invalid"
ID = "AB-12"
APPLE = "https://esimsetup.apple.com/esim_qrcode_provisioning?carddata="
ANDROID = "https://esimsetup.android.com/esim_qrcode_provisioning?carddata="

ACCEPTED: tuple[tuple[str, str], ...] = (
    (f"LPA:1${HOST}${ID}", ID),
    (f"lpa:1${HOST}${ID}", ID),
    (f"Lpa:1${HOST.upper()}${ID}", ID),
    (f"1${HOST}${ID}", ID),
    (f"LPA:1${HOST}${ID}$1.3.6.1.4.1.31746", ID),
    (f"LPA:1${HOST}${ID}$1.3.6.1.4.1.31746$1", ID),
    (f"LPA:1${HOST}${ID}$$1", ID),
    (f"LPA:1${HOST}${ID}$", ID),
    (f"LPA:1${HOST}${ID}$$", ID),
    (f"LPA:1${HOST}$", ""),
    (f"1${HOST}$", ""),
    (f"LPA:1${HOST}$$1.3.6.1", ""),
    (f"LPA:1${HOST}${ID}$$$F54172BD", ID),
    (f"LPA:1${HOST}${ID}$$1$F54172BD$x", ID),
    (f"LPA:1${HOST}${ID}$$$$$", ID),
    (f"LPA:1${HOST}$+49-AB", "+49-AB"),
    (f"LPA:1${HOST}$A_B.c", "A_B.c"),
    (f"LPA:1${HOST}$aBcD", "aBcD"),
    (f"{APPLE}LPA:1${HOST}${ID}", ID),
    (f"{APPLE}LPA%3A1%24{HOST}%24{ID}", ID),
    (f"{APPLE}lpa%3a1%24{HOST}%24{ID}", ID),
    (f"{APPLE}LPA:1${HOST}$+a%2Bb", "+a+b"),
    (f"{ANDROID}LPA:1${HOST}${ID}", ID),
    (f"{ANDROID}1%24{HOST}%24{ID}", ID),
    (f"{ANDROID}LPA%3A1%24{HOST}%24{ID}%24%241", ID),
    (f"HTTPS://ESIMSETUP.APPLE.COM:443/esim_qrcode_provisioning?x=1&carddata=1${HOST}${ID}#top", ID),
    (f"LPA%3A1%24{HOST}%24{ID}", ID),
    (f"  LPA:1${HOST}${ID}\n", ID),
    (f"LPA: 1$ {HOST} ${ID}", ID),
    (f"LPA:1$smdp.\n  invalid${ID}", ID),
    (f"LPA:1${HOST}\r\n${ID}\r\n", ID),
    (f"LPA:1${HOST}\u00a0${ID}", ID),
    (f"\ufeffLPA:1${HOST}${ID}", ID),
    (f"LPA:1$smdp.\u200binvalid$\u2060{ID}", ID),
    (f"LPA:1${HOST}${ID}\u00ad\u200d", ID),
    (f"'LPA:1${HOST}${ID}'", ID),
    (f'"LPA:1${HOST}${ID}"', ID),
    (f"\u201eLPA:1${HOST}${ID}\u201c", ID),
    (f"\u00abLPA:1${HOST}${ID}\u00bb", ID),
    (f"`1${HOST}${ID}`", ID),
    (f'"{APPLE}\n LPA:1${HOST}${ID}"', ID),
)
"""A text, and the matching ID in it."""
REFUSED: tuple[tuple[str, str], ...] = (
    ("LPA:1", "single quotes"),
    ("LPA:1.example.com", "single quotes"),
    ("1", "single quotes"),
    ("https://sandbox.airalo.com/qr?expires=1&signature=0a1b", "copy the text that begins with LPA:1$"),
    (
        f"https://example.com/esim_qrcode_provisioning?carddata=LPA:1${HOST}${ID}",
        "contains no activation code",
    ),
    (f"http://esimsetup.apple.com/esim_qrcode_provisioning?carddata=LPA:1${HOST}${ID}", "contains no"),
    (
        f"https://esimsetup.apple.com.example/esim_qrcode_provisioning?carddata=LPA:1${HOST}${ID}",
        "contains no",
    ),
    (f"https://esimsetup.apple.com/other?carddata=LPA:1${HOST}${ID}", "contains no"),
    ("https://esimsetup.apple.com/esim_qrcode_provisioning", "contains no"),
    (f"LPA:2${HOST}${ID}", "not an activation code of format 1"),
    (f"LPA:1$${ID}", "names no server"),
    (f"LPA:1${HOST}", "ends before its matching ID"),
    ("hello", "not an activation code"),
)
"""A text, and a part of the error's sentence."""


def by_argument(text: str, _folder: Path) -> Any:
    return CliRunner().invoke(cli, ["code", "show", "--json", "--", text])


def by_file(text: str, folder: Path) -> Any:
    (folder / "code.txt").write_bytes(text.encode())
    return CliRunner().invoke(cli, ["code", "show", "--json", "--code-file", str(folder / "code.txt")])


def by_standard_input(text: str, _folder: Path) -> Any:
    return CliRunner().invoke(cli, ["code", "show", "--json", "--code-file", "-"], input=text.encode())


def by_picture(text: str, folder: Path) -> Any:
    picture = io.BytesIO()
    segno.make(text, error="m", micro=False).save(picture, kind="png", scale=4)
    (folder / "code.png").write_bytes(picture.getvalue())
    return CliRunner().invoke(cli, ["code", "show", "--json", "--qr", str(folder / "code.png")])


WAYS = {"argument": by_argument, "file": by_file, "standard input": by_standard_input, "picture": by_picture}


@pytest.mark.parametrize("way", WAYS)
def test_every_form_on_each_way_of_lpactl(tmp_path: Path, way: str) -> None:
    """Each form leads to the same server and matching ID; the error for a refused text states what to do."""
    for text, matching_id in ACCEPTED:
        done = WAYS[way](text, tmp_path)
        assert done.exit_code == 0, (text, done.output)
        shown = json.loads(done.output)
        assert (shown["address"], shown["matching_id"]) == (HOST, matching_id), text
    for text, told in REFUSED:
        done = WAYS[way](text, tmp_path)
        assert done.exit_code == 2, text
        assert told in done.output, text


@pytest.fixture
def gateway(tmp_path: Path, pki: Pki) -> Iterator[Gateway]:
    with Lab(tmp_path, pki) as lab, Gateway(lab) as made:
        yield made


def test_every_form_over_the_api(gateway: Gateway) -> None:
    """The API accepts each form of a code for a download, and refuses other texts as invalid codes."""
    for text, _ in ACCEPTED:
        answer = gateway.http.post(f"/v1/euiccs/{CARD}/downloads", json={"activation_code": text})
        assert answer.status_code == 202, (text, answer.text)
        assert answer.json()["params"]["server"] == HOST, text
        gateway.http.delete(f"/v1/changes/{answer.json()['id']}")
    for text, told in REFUSED:
        answer = gateway.http.post(f"/v1/euiccs/{CARD}/downloads", json={"activation_code": text})
        assert (answer.status_code, answer.json()["kind"]) == (400, "invalid-activation-code"), text
        assert told in answer.json()["detail"], text
