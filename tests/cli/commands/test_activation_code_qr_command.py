"""lpactl code show, and the forms of a code that lpactl download accepts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from engine.lab import FIRST

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Terminal

CODE = "LPA:1$smdp.example.com$ABCD-1234"


def show(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run lpactl code show, without a daemon; return its output and exit code."""
    return subprocess.run(
        [sys.executable, "-m", "lpad.cli.lpactl", "code", "show", *arguments],
        input=given,
        capture_output=True,
        check=False,
    )


def test_a_drawn_code_is_read_again(tmp_path: Path) -> None:
    """A code drawn into a PNG file is read from it again; only its owner may read the file."""
    picture = tmp_path / "code.png"
    done = show(CODE, "--png", str(picture))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert picture.stat().st_mode & 0o777 == 0o600
    assert json.loads(show("--qr", str(picture), "--json").stdout) == {
        "activation_code": CODE,
        "address": "smdp.example.com",
        "matching_id": "ABCD-1234",
        "smdp_oid": None,
        "confirmation_code_required": False,
    }
    assert (
        json.loads(show("--qr", "-", "--json", given=picture.read_bytes()).stdout)["matching_id"]
        == "ABCD-1234"
    )


def test_a_code_in_the_terminal_and_as_svg() -> None:
    """Without a file the code is drawn in the terminal; - writes a picture to standard output."""
    lines = show(CODE).stdout.decode().splitlines()
    assert len({len(line) for line in lines}) == 1
    assert set("".join(lines)) <= set(" █▀▄")
    assert show(CODE, "--svg", "-").stdout.startswith(b"<?xml")


def test_a_code_from_its_parts() -> None:
    """A code can be made from its host and matching ID, but not from the ID alone."""
    parts = show("--smdp", "smdp.example.com", "--matching-id", "AB_C.d", "--json")
    assert json.loads(parts.stdout)["activation_code"] == "LPA:1$smdp.example.com$AB_C.d"
    alone = show("--matching-id", "ABC")
    assert alone.returncode == 2
    assert b"--matching-id needs --smdp" in alone.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["LPA:1.example.com-1234"], "put the code in single quotes"),
        (["https://sandbox.example.com/qr?id=1"], "the link contains no activation code"),
        ([CODE, "--smdp", "smdp.example.com"], "give only one of"),
        ([], "give an activation code, --code-file, --qr, --smdp or --default"),
        ([CODE, "--png", "/nowhere/code.png"], "cannot write /nowhere/code.png: No such file or directory"),
    ],
)
def test_a_code_that_cannot_be_shown_is_an_error(arguments: list[str], said: str) -> None:
    """If a code cannot be shown, the command ends with exit code 2 and a sentence about the cause."""
    done = show(*arguments)
    assert done.returncode == 2
    assert said in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


@pytest.mark.parametrize(
    ("data", "said"), [(b"\x89PNG\r\n\x1a\n....", "read it with --qr"), (b"\xc3\x28", "the file is not text")]
)
def test_a_file_that_is_no_text(data: bytes, said: str) -> None:
    """If the file of --code-file is not text, the error states this, and suggests --qr for a picture."""
    done = show("--code-file", "-", given=data)
    assert (done.returncode, said in done.stderr.decode()) == (2, True)


@pytest.mark.parametrize("form", ["file", "link", "wrapped", "picture", "parts", "standard input"])
def test_a_download_takes_a_code_as_people_have_it(terminal: Terminal, tmp_path: Path, form: str) -> None:
    """A download accepts a code in each form that users have, with the same result."""
    code = terminal.lab.code(terminal.lab.order())
    _, host, matching_id = code.split("$")[:3]
    file = tmp_path / "code"
    arguments = {
        "file": ["--code-file", str(file)],
        "link": [f"https://esimsetup.apple.com/esim_qrcode_provisioning?carddata={code.replace('$', '%24')}"],
        "wrapped": [f"\u201c{code[:20]}\n {code[20:]}\u201d"],
        "picture": ["--qr", str(file)],
        "parts": ["--smdp", host, "--matching-id", matching_id],
        "standard input": ["-"],
    }[form]
    if form == "picture":
        assert show(code, "--png", str(file)).returncode == 0
    else:
        file.write_text(f"\ufeff{code}{os.linesep}", encoding="utf-8")
    given = f"{code}\n" if form == "standard input" else ""
    assert terminal.lpactl("download", *arguments, stdin=given).ok().out.split()[0] == FIRST
