"""A machine's lacks are reported before the first test, with the remedy."""

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
    """The machine that runs this test has everything that the tests need."""
    assert said(programs=machine.PROGRAMS) == []


def test_a_missing_localhost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hosts file without localhost is named, and the line that it needs."""

    def unknown(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    (sentence,) = said()
    assert '"127.0.0.1 localhost" to /etc/hosts' in sentence


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_loopback_that_is_down(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """A loopback address that accepts no connection is named, with the command that helps."""
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
    """Missing space is reported in megabytes, with the required amount."""
    (sentence,) = said(room=10**18)
    assert "the tests need 1000000000000 MB" in sentence


def test_a_folder_that_lets_nothing_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary folder that is mounted noexec is named, and so is TMPDIR."""

    def refuse(*_: object, **_more: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("subprocess.run", refuse)
    (sentence,) = said()
    assert "noexec" in sentence
    assert "TMPDIR" in sentence


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """A temporary folder that cannot be used is named with the cause."""
    (sentence,) = [each for each in said(temporary=tmp_path / "gone") if "too long" not in each]
    assert "No such file or directory" in sentence


def test_the_folder_that_was_asked_for_is_looked_at() -> None:
    """An unusable TMPDIR is named, although Python would silently use another folder."""
    done = subprocess.run(
        [sys.executable, machine.__file__],
        env=os.environ | {"TMPDIR": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "/nowhere cannot be used" in done.stderr) == (1, True)


def test_a_long_path() -> None:
    """A path that is too long for a socket is reported before a test fails because of it."""
    assert "set TMPDIR to a shorter path" in said(temporary=Path("/" + "x" * 60))[0]


def test_a_missing_program() -> None:
    """Missing programs are named with their Debian packages."""
    (sentence,) = said(programs={"no-such-program": "its-package"})
    assert sentence.startswith("no-such-program cannot be started: install its-package")
