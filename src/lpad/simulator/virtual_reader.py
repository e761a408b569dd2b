"""A card in a virtual PC/SC reader: any card object, used through the real pcscd and pyscard.

The reader is the driver in the Debian package vsmartcard-vpcd: a TCP server in pcscd's own process, to
which a card connects. The wire format is two bytes of length, then a message. A message of one byte is a
control code, a longer one a command APDU. Only APDUs, and the code that asks for the ATR, are answered.
"""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import suppress
from enum import IntEnum
from typing import Protocol, Self

from lpad.base.errors import CardUnreachable, InternalError, InvalidValue
from lpad.base.untrusted_number import whole_number

_log = logging.getLogger(__name__)

FIRST_PORT = 35963
"""The port of the package's first reader; the second reader is at the next port."""

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_CONNECTING = 5.0
_PATIENCE_WITH_THREAD = 30.0


class Card(Protocol):
    """The card in the reader: any object with these two methods."""

    def transmit(self, apdu: bytes) -> bytes:
        """Process a command APDU; return data and two status bytes.

        Raises:
            CardUnreachable: the card has lost its power; for the reader, the card disappears and returns.
        """
        ...

    def reset(self) -> bytes:
        """Turn the supply off and on; return the ATR."""
        ...


class _Control(IntEnum):
    POWER_OFF = 0
    POWER_ON = 1
    RESET = 2
    ATR = 4


class VirtualReaderCard:
    """A card in a virtual reader until it is closed; a context manager closes it.

    The card's thread sleeps until the reader sends something. The only activity while the card is unused is
    the driver's check of its presence: pcscd asks for the ATR a few times a second. If pcscd restarts, the
    thread tries to connect again with growing pauses, because nothing reports the return of a TCP port. A
    virtual reader accepts one card; the connection of a second card waits without an error.
    """

    def __init__(self, card: Card, *, host: str = "localhost", port: int = FIRST_PORT) -> None:
        """Put a card into a reader; pcscd notices within half a second.

        Args:
            card: the card that answers.
            host: the host on which pcscd runs.
            port: the virtual reader's port.

        Raises:
            CardUnreachable: no virtual reader accepts the connection.
        """
        self._card = card
        self._address = (host, port)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._crash: Exception | None = None
        self._thread: threading.Thread | None = None
        self._line: socket.socket | None = None
        self.apdus = 0
        """The number of command APDUs that the card has received."""
        self.insert()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def insert(self) -> None:
        """Insert the card; does nothing if it is already inserted.

        Raises:
            CardUnreachable: no virtual reader accepts the connection.
        """
        if self._thread is not None:
            return
        try:
            line = self._connect()
        except OSError as error:
            raise CardUnreachable(
                f"cannot put a card into the virtual reader at {self._address[0]}:{self._address[1]}: no"
                " reader is there; install the Debian packages pcscd and vsmartcard-vpcd, and start pcscd"
            ) from error
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, args=(line,), name="virtual-card", daemon=True)
        self._thread.start()

    def pull(self) -> None:
        """Remove the card, even during a command; `insert` inserts it again."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        with self._lock:
            self._stop.set()
            self._hang_up()
        thread.join(_PATIENCE_WITH_THREAD)

    def close(self) -> None:
        """Remove the card permanently.

        Raises:
            InternalError: the card had crashed.
        """
        self.pull()
        if self._crash is not None:
            raise InternalError("the simulated card crashed") from self._crash

    # The following methods run in the card's thread.

    def _run(self, line: socket.socket | None) -> None:
        pause = _FIRST_PAUSE
        try:
            while not self._stop.is_set():
                if line is not None:
                    pause = _FIRST_PAUSE
                    self._sit_in(line)
                self._stop.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                line = self._connect_again()
        except Exception as crash:  # noqa: BLE001 - close() raises it in the test's thread
            self._crash = crash
            _log.exception("the simulated card crashed")
        finally:
            if line is not None:  # the thread connected again while the card was being removed
                line.close()

    def _connect(self) -> socket.socket:
        line = socket.create_connection(self._address, timeout=_CONNECTING)
        line.settimeout(None)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return line

    def _connect_again(self) -> socket.socket | None:
        if self._stop.is_set():
            return None
        try:
            return self._connect()
        except OSError:
            return None

    def _sit_in(self, line: socket.socket) -> None:
        """Serve the reader until the reader or the card disappears."""
        with self._lock:
            self._line = line
            if self._stop.is_set():
                self._hang_up()
        try:
            atr = self._card.reset()
            while message := _receive(line):
                if len(message) > 1:
                    self.apdus += 1
                    _send(line, self._card.transmit(message))
                elif message[0] == _Control.ATR:
                    _send(line, atr)
                elif message[0] in (_Control.POWER_ON, _Control.RESET):
                    atr = self._card.reset()
        except OSError as error:
            _log.debug("the virtual reader at %s:%d is gone: %s", *self._address, error)
        except CardUnreachable as error:
            _log.debug("the card in the virtual reader is gone: %s", error)
        finally:
            with self._lock:
                self._line = None
            line.close()

    def _hang_up(self) -> None:
        if self._line is not None:
            with suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)


def split_address(text: str) -> tuple[str, int]:
    """Return host and port from HOST:PORT, or from HOST alone.

    Raises:
        InvalidValue: the text does not have this form.
    """
    host, colon, port = text.rpartition(":")
    if not colon:
        return text, FIRST_PORT
    number = whole_number(port, least=1, most=65535)
    if not host or number is None:
        raise InvalidValue(f"'{text}' is not of the form HOST:PORT, such as localhost:{FIRST_PORT}")
    return host, number


def _send(line: socket.socket, message: bytes) -> None:
    line.sendall(len(message).to_bytes(2, "big") + message)


def _receive(line: socket.socket) -> bytes:
    """Return the next message; empty if the reader has closed the connection."""
    head = _read(line, 2)
    return _read(line, int.from_bytes(head, "big")) if head else b""


def _read(line: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        # The driver sends a message's length and body separately, and Nagle's algorithm delays the body until
        # the length is acknowledged: 40 ms for each APDU. The kernel resets this option, so it is set again.
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        got = line.recv(length - len(data))
        if not got:
            return b""
        data += got
    return data
