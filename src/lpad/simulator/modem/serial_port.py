"""The serial port of a simulated modem: a pty that can disappear and return, with realistic timing.

The time on the wire is computed, without a wait for each character: 10 bits per character in each
direction, and sent data is delivered when its last bit would have arrived.
"""

from __future__ import annotations

import os
import select
import time
import tty
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lpad.base.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.simulator.modem.serial_rate import LineRate

_BITS_PER_CHARACTER = 10
_CHUNK = 4096
_PATIENCE_WITH_READER = 1.0
"""Seconds until unread characters are lost, as happens without flow control."""


class PtyPort:
    """One pty, optionally under its own path; only the modem's thread uses it."""

    def __init__(
        self,
        *,
        path: str | None,
        baud: int | None,
        rate: LineRate | None = None,
        wait: Callable[[float], None],
    ) -> None:
        """Create the port.

        Args:
            path: where to put a symbolic link to the pty; None: the pty's own name.
            baud: bits per second to emulate; None: as fast as possible.
            rate: the speed that the modem has set; None: the modem accepts any speed.
            wait: a function that waits until a monotonic time, and serves other threads' calls meanwhile.

        Raises:
            InvalidValue: `path` exists and is not a symbolic link.
        """
        self._link = None if path is None else Path(path)
        self._baud = baud
        self._rate = rate
        self._wait = wait
        self._master: int | None = None
        self._slave: int | None = None
        self._received_at = 0.0
        self._sent_at = 0.0
        self.characters_in = 0
        self.characters_out = 0
        self.name = ""
        self.come_back()

    @property
    def path(self) -> str:
        """The path to open: the link if there is one, otherwise the pty."""
        return self.name if self._link is None else str(self._link)

    @property
    def _character_time(self) -> float:
        """Seconds for one character on the wire; 0: no time passes."""
        if self._baud is None:
            return 0.0
        return _BITS_PER_CHARACTER / ((self._rate.rate if self._rate is not None else 0) or self._baud)

    @property
    def fd(self) -> int | None:
        """The descriptor to wait for, or None while the port is gone."""
        return self._master

    def come_back(self, path: str | None = None, *, elsewhere: bool = False) -> None:
        """Make the port appear, under another path if one is given.

        Args:
            path: the new path of the link; None: the old one.
            elsewhere: whether the pty itself must get a new name.

        Raises:
            InvalidValue: the path exists and is not a symbolic link.
        """
        if self._master is not None:
            return
        if path is not None:
            self._link = Path(path)
        if self._link is not None and self._link.exists() and not self._link.is_symlink():
            raise InvalidValue(
                f"cannot put the modem's port at {self._link}: something else is there; name another path"
            )
        # Keeping the slave open keeps the pty alive between two users.
        self._master, self._slave = os.openpty()
        if elsewhere and os.ttyname(self._slave) == self.name:
            taken, self._master, self._slave = (self._master, self._slave), *os.openpty()
            for fd in taken:
                os.close(fd)
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.name = os.ttyname(self._slave)
        if self._link is not None:
            _put_link(self._link, self.name)

    def vanish(self) -> None:
        """Make the port disappear, like that of a resetting USB modem."""
        if self._master is None or self._slave is None:
            return
        if self._link is not None and self._link.is_symlink() and str(self._link.readlink()) == self.name:
            self._link.unlink(missing_ok=True)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = None

    def read(self) -> bytes:
        """Return the received bytes; may be empty."""
        if self._master is None:
            return b""
        try:
            data = os.read(self._master, _CHUNK)
        except OSError:
            return b""
        self.characters_in += len(data)
        self._received_at = max(time.monotonic(), self._received_at) + len(data) * self._character_time
        return data if self._rate is None else self._rate.heard(data, self._slave)

    def wait_until_received(self) -> None:
        """Wait until the last character read would have arrived on a real wire."""
        if self._character_time:
            self._wait(self._received_at)

    def send(self, data: bytes, *, piece: int | None = None) -> None:
        """Deliver characters when their last bit would have arrived.

        Args:
            data: the characters.
            piece: the maximum number of characters in one write.
        """
        step = piece or len(data) or 1
        for start in range(0, len(data), step):
            part = data[start : start + step]
            if self._rate is not None:
                part = self._rate.heard(part, self._slave)
            if self._character_time:
                self._sent_at = max(time.monotonic(), self._sent_at) + len(part) * self._character_time
                self._wait(self._sent_at)
            self._write(part)

    def _write(self, data: bytes) -> None:
        until = time.monotonic() + _PATIENCE_WITH_READER
        while data and self._master is not None:
            # Counted before the write, because the reader of the data may read the counter immediately.
            self.characters_out += len(data)
            written = 0
            with suppress(BlockingIOError):
                written = os.write(self._master, data)
            self.characters_out -= len(data) - written
            data = data[written:]
            if written:
                continue
            left = until - time.monotonic()
            if left <= 0 or not select.select([], [self._master], [], left)[1]:
                return


def _put_link(link: Path, name: str) -> None:
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(name)
    fresh.replace(link)
