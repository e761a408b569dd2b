"""The serial line: lock, errors, and reading without delay."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from card.link_contract import soon
from card.scripted_card import ScriptedCard
from lpad.base.deadline import Deadline
from lpad.base.errors import CardBusy, CardUnreachable
from lpad.card.port.serial_line import SerialLine
from lpad.simulator.modem.pty_modem import PtyModem

if TYPE_CHECKING:
    from pathlib import Path


HOLD = """
import serial, sys
port = serial.Serial(sys.argv[1], exclusive=True)
print("held", flush=True)
sys.stdin.read()
"""


def test_bytes_go_out_and_come_back() -> None:
    """Received bytes are returned immediately, in whatever portions they arrive."""
    with PtyModem(ScriptedCard()) as modem:
        line = SerialLine(modem.path)
        line.write(b"AT\r", deadline=soon())
        heard = b""
        while not heard.endswith(b"OK\r\n"):
            heard += line.read(deadline=soon())
        assert heard == b"AT\r\r\nOK\r\n"
        line.close()


def test_a_read_without_bytes_ends_at_the_deadline() -> None:
    """At the deadline, the read returns no bytes and raises no error."""
    with PtyModem(ScriptedCard()) as modem:
        line = SerialLine(modem.path)
        assert line.read(deadline=Deadline.after(0.05)) == b""
        line.close()


def test_a_missing_port_names_the_remedy(tmp_path: Path) -> None:
    """The error for a missing port is `unreachable`, allows another attempt, and states what to check."""
    with pytest.raises(CardUnreachable, match="/dev/serial/by-id") as caught:
        SerialLine(str(tmp_path / "ttyUSB9"))
    assert caught.value.retryable


def test_a_plain_file_is_not_a_port(tmp_path: Path) -> None:
    """The error for a plain file states that the path is not a serial port."""
    path = tmp_path / "file"
    path.write_bytes(b"")
    with pytest.raises(CardUnreachable, match="not a serial port"):
        SerialLine(str(path))


def test_a_port_is_locked_while_open() -> None:
    """A second user of a port is refused until the first user has closed the port."""
    with PtyModem(ScriptedCard()) as modem:
        first = SerialLine(modem.path)
        with pytest.raises(CardBusy, match="stop that program"):
            SerialLine(modem.path)
        first.close()
        SerialLine(modem.path).close()


def test_the_holder_of_a_port_is_named() -> None:
    """The error names the process that holds the port, if /proc shows it."""
    with PtyModem(ScriptedCard()) as modem:
        holder = subprocess.Popen(
            [
                sys.executable,
                "-c",
                HOLD,
                modem.path,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with holder:
            assert holder.stdout is not None
            assert holder.stdin is not None
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(CardBusy, match=rf"\(pid {holder.pid}\)"):
                SerialLine(modem.path)
            holder.stdin.close()
        SerialLine(modem.path).close()


def test_a_forbidden_port_names_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """If permission for the port is missing, the error names a group, and a retry does not help."""

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # The tests may run as root, to whom nothing is forbidden.
    with pytest.raises(CardUnreachable, match="dialout") as caught:
        SerialLine("/dev/ttyUSB0")
    assert not caught.value.retryable


def test_a_port_that_goes_away_is_unreachable() -> None:
    """Reading and writing on a port that has vanished are errors immediately; closing it is not."""
    with PtyModem(ScriptedCard()) as modem:
        line = SerialLine(modem.path)
        modem.vanish()
        with pytest.raises(CardUnreachable, match="disappeared"):
            line.read(deadline=soon())
        with pytest.raises(CardUnreachable, match="disappeared"):
            line.write(b"AT\r", deadline=soon())
        line.close()
        line.close()
        with pytest.raises(CardUnreachable):
            line.read(deadline=soon())


def test_a_port_that_takes_nothing_ends_with_the_deadline() -> None:
    """A write whose bytes are not read ends at the deadline instead of blocking forever."""
    master, slave = os.openpty()
    try:
        line = SerialLine(os.ttyname(slave))
        with pytest.raises(CardUnreachable, match="accepts no characters"):
            line.write(bytes(1_000_000), deadline=Deadline.after(0.2))
        line.close()
    finally:
        os.close(master)
        os.close(slave)
