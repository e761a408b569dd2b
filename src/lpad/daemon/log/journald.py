"""The protocol of systemd's journal: entries with fields, as datagrams to a socket.

The protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL) is stable and small; systemd's own binding for Python
requires a compiler and libsystemd's headers at installation.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import socket
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from lpad.base.log.log_fields import fields_of

if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET = Path("/run/systemd/journal/socket")

PATIENCE = 1.0
"""Seconds to wait for journald to read an entry; then the entry is lost, so that no card has to wait."""

_TOO_LARGE = {errno.EMSGSIZE, errno.ENOBUFS}
_LENGTH = struct.Struct("<Q")
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_DEBUG = 7


def is_journal(stream: TextIO, *, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether a stream leads to systemd's journal, by systemd's environment variable.

    $JOURNAL_STREAM contains the identity of the file, because child processes with redirected output inherit
    the variable, too.
    """
    device, _, inode = environment.get("JOURNAL_STREAM", "").partition(":")
    try:
        there = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return (device, inode) == (str(there.st_dev), str(there.st_ino))


def priority(level: int) -> int:
    """Return the syslog priority of a level of Python's logging."""
    return next((number for least, number in _PRIORITIES if level >= least), _DEBUG)


class JournalHandler(logging.Handler):
    """Sends each log entry with its fields to journald, or to standard error if journald does not listen."""

    def __init__(self, path: Path | None = None) -> None:
        """Create a handler; it tries to reach journald for each entry, because journald may restart."""
        super().__init__()
        self._path = str(path or SOCKET)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(PATIENCE)
        self.lost = 0
        """The number of entries lost since journald last read an entry."""

    def emit(self, record: logging.LogRecord) -> None:
        """Send an entry."""
        try:
            message = self.format(record)
            content = _datagram(self._fields(record, message))
            try:
                self._send(content)
            except (TimeoutError, BlockingIOError):
                self.lost += 1
            except OSError:
                sys.stderr.write(
                    "".join(f"<{priority(record.levelno)}>{line}\n" for line in message.split("\n"))
                )
                sys.stderr.flush()
        except Exception:  # noqa: BLE001 - logging's own rule: the log must not end the caller
            self.handleError(record)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
        super().close()

    def _fields(self, record: logging.LogRecord, message: str) -> dict[str, str]:
        if self.lost:
            message += f" ({self.lost} entries before this one were lost, because journald did not read them)"
        return {
            "MESSAGE": message,
            "PRIORITY": str(priority(record.levelno)),
            "SYSLOG_IDENTIFIER": "lpad",
            "LOGGER": record.name,
            "CODE_FILE": record.pathname,
            "CODE_LINE": str(record.lineno),
            "CODE_FUNC": record.funcName or "",
            **fields_of(record),
        }

    def _send(self, content: bytes) -> None:
        # Only one entry waits for a stuck journald; until it reads again, later entries are lost.
        self._socket.settimeout(0 if self.lost else PATIENCE)
        try:
            self._socket.sendto(content, self._path)
        except OSError as error:
            if error.errno not in _TOO_LARGE:
                raise
            self._send_file(content)
        self.lost = 0

    def _send_file(self, content: bytes) -> None:
        """Send an entry that is too large for a datagram as a sealed memory file, as the protocol demands."""
        file = os.memfd_create("lpad-journal", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
        try:
            with open(file, "wb", closefd=False) as opened:
                opened.write(content)
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
            fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
            with contextlib.closing(self._socket.dup()) as sender:
                sender.settimeout(PATIENCE)
                sender.connect(self._path)
                socket.send_fds(sender, [b""], [file])
        finally:
            os.close(file)


def _datagram(fields: Mapping[str, str]) -> bytes:
    return b"".join(_field(name.encode(), value.encode("utf-8", "replace")) for name, value in fields.items())


def _field(name: bytes, value: bytes) -> bytes:
    if b"\n" in value:
        return name + b"\n" + _LENGTH.pack(len(value)) + value + b"\n"
    return name + b"=" + value + b"\n"
