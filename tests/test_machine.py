"""The check of the machine before the first test, whose sentences name problem and remedy."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

import machine

TEMPORARY = Path(tempfile.gettempdir())


def said(
    *, temporary: Path = TEMPORARY, programs: dict[str, str] | None = None, room: int = machine.ROOM
) -> list[str]:
    return list(machine.lacks(temporary=temporary, programs=programs or {}, room=room))


def test_a_good_machine_lacks_nothing() -> None:
    """The check finds nothing missing on the machine that runs this test."""
    assert said(programs=machine.PROGRAMS) == []


def test_a_missing_localhost(monkeypatch: pytest.MonkeyPatch) -> None:
    """If localhost cannot be resolved, the sentence names the missing line of /etc/hosts."""

    def unknown(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    (sentence,) = said()
    assert '"127.0.0.1 localhost" to /etc/hosts' in sentence


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_loopback_that_is_down(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """If a loopback address cannot be used, the sentence names the address and a remedy."""
    listen = socket.create_server

    def refuse(where: tuple[str, int], **options: Any) -> socket.socket:
        if where[0] == address:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        return listen(where, **options)

    monkeypatch.setattr(socket, "create_server", refuse)
    (sentence,) = said()
    assert sentence.startswith(f"No connection to {address} on this machine")
    assert "ip link set lo up" in sentence


def test_a_full_disk() -> None:
    """If the disk has too little space, the sentence names the required megabytes."""
    (sentence,) = said(room=10**18)
    assert "the tests need 1000000000000 MB" in sentence


def test_a_folder_that_lets_nothing_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """If no program can be started in the temporary folder, the sentence names noexec and TMPDIR."""

    def refuse(*_: object, **_more: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("subprocess.run", refuse)
    (sentence,) = said()
    assert "noexec" in sentence
    assert "TMPDIR" in sentence


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """If the temporary folder does not exist, the sentence has the operating system's error."""
    (sentence,) = [each for each in said(temporary=tmp_path / "gone") if "too long" not in each]
    assert "No such file or directory" in sentence


def test_the_folder_that_was_asked_for_is_looked_at() -> None:
    """An unusable TMPDIR is reported, although Python would use another folder."""
    done = subprocess.run(
        [sys.executable, machine.__file__],
        env=os.environ | {"TMPDIR": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "/nowhere cannot be used" in done.stderr) == (1, True)


def test_a_long_path() -> None:
    """If the temporary folder's path is too long for sockets, the sentence recommends a shorter TMPDIR."""
    assert "set TMPDIR to a shorter path" in said(temporary=Path("/" + "x" * 60))[0]


def test_a_missing_program() -> None:
    """If a program is missing, the sentence names its Debian package."""
    (sentence,) = said(programs={"no-such-program": "its-package"})
    assert sentence.startswith("no-such-program cannot be started: install its-package")
