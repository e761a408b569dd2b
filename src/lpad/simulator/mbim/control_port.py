"""The control port of a simulated MBIM modem, on a pty or on a Unix socket, with faults."""

from __future__ import annotations

import logging
import os
import queue
import select
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from lpad.base.errors import InternalError, InvalidValue
from lpad.codec.mbim.framing import TO_FUNCTION, encode
from lpad.codec.mbim.messages import Command
from lpad.codec.mbim.reassembly import Receiver
from lpad.simulator.mbim.function import MbimFunction
from lpad.simulator.modem.port import PtyPort

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from lpad.codec.mbim.messages import Message
    from lpad.simulator.mbim.habits import MbimHabits
    from lpad.simulator.modem.commands import Card
    from lpad.simulator.modem.personality import ModemPersonality

_log = logging.getLogger(__name__)

SOCKET = "unix:"
"""In front of a path: the port is a Unix socket in place of a pty."""
_CHUNK = 65_536
_REMEMBERED = 65_536
_PATIENCE_WITH_THREAD = 30.0


class _Wire(Protocol):
    @property
    def path(self) -> str: ...
    def descriptors(self) -> list[int]: ...
    def read(self) -> bytes: ...
    def send(self, data: bytes) -> None: ...
    def vanish(self) -> None: ...
    def come_back(self) -> None: ...


class _Pty:
    """A pty, which keeps its place between two hosts like a device."""

    def __init__(self, path: str | None) -> None:
        self._port = PtyPort(path=path, baud=None, wait=lambda _: None)

    @property
    def path(self) -> str:
        return self._port.path

    def descriptors(self) -> list[int]:
        return [] if self._port.fd is None else [self._port.fd]

    def read(self) -> bytes:
        return self._port.read()

    def send(self, data: bytes) -> None:
        self._port.send(data)

    def vanish(self) -> None:
        self._port.vanish()

    def come_back(self) -> None:
        self._port.come_back()


class _Socket:
    """A Unix socket with one host at a time; the next one takes the place of the last."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._listener: socket.socket | None = None
        self._host: socket.socket | None = None
        self.come_back()

    @property
    def path(self) -> str:
        return self._path

    def descriptors(self) -> list[int]:
        return [each.fileno() for each in (self._listener, self._host) if each is not None]

    def read(self) -> bytes:
        if self._listener is not None:
            with suppress(BlockingIOError):
                arrived = self._listener.accept()[0]
                arrived.setblocking(False)
                if self._host is not None:
                    self._host.close()
                self._host = arrived
        if self._host is None:
            return b""
        try:
            data = self._host.recv(_CHUNK)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._host.close()
            self._host = None
        return data

    def send(self, data: bytes) -> None:
        if self._host is not None:
            with suppress(OSError):
                self._host.settimeout(1.0)
                self._host.sendall(data)
                self._host.setblocking(False)

    def vanish(self) -> None:
        for each in (self._host, self._listener):
            if each is not None:
                each.close()
        if self._listener is not None:
            Path(self.path).unlink(missing_ok=True)
        self._host = self._listener = None

    def come_back(self) -> None:
        if self._listener is not None:
            return
        place = Path(self.path)
        if place.exists() and not place.is_socket():
            raise InvalidValue(
                f"cannot put the modem's port at {place}: something else is there; name another path"
            )
        place.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.setblocking(False)
        self._listener.bind(self.path)
        self._listener.listen()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    service: UUID | None
    cid: int | None
    executed: bool
    lost: bool
    delay: float
    before: bytes
    vanish: bool
    forgets_open: bool


class _SwitchedOffError(Exception):
    """The modem was closed while its thread was waiting."""


class MbimModem:
    """A modem in its own thread, which sleeps until the host writes; a context manager switches it off."""

    def __init__(
        self,
        card: Card,
        *,
        path: str | os.PathLike[str] | None = None,
        personality: ModemPersonality | None = None,
        habits: MbimHabits | None = None,
    ) -> None:
        """Switch a modem on.

        Args:
            card: the card in its slot.
            path: where to put a symbolic link to the port's pty, or `unix:` and the path of a socket; None:
                the pty's own name only.
            personality: the modem's habits; those of an AT port have no effect.
            habits: the MBIM function's habits.

        Raises:
            InvalidValue: something else is at `path`.
        """
        self.function = MbimFunction(card, personality=personality, habits=habits)
        self._away = None if personality is None else personality.away_after_reset
        self._away_after_refresh = None if personality is None else personality.away_after_refresh
        self._requests: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._faults: deque[_Fault] = deque()
        self._receiver = Receiver(types=TO_FUNCTION)
        self._stopping = False
        self._crash: Exception | None = None
        self.received: deque[Message] = deque(maxlen=_REMEMBERED)
        """The latest messages of the host, oldest first."""
        text = None if path is None else os.fspath(path)
        on_socket = text is not None and text.startswith(SOCKET)
        self._wire: _Wire = _Socket(text.removeprefix(SOCKET)) if text and on_socket else _Pty(text)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="mbim-modem", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def path(self) -> str:
        """The port to open."""
        return self._wire.path

    def close(self) -> None:
        """Switch off; the port disappears.

        Raises:
            InternalError: the card, or the modem itself, had crashed.
        """
        if self._stopping:
            return
        self._stopping = True
        os.eventfd_write(self._wake, 1)
        self._thread.join(_PATIENCE_WITH_THREAD)
        self._wire.vanish()
        os.close(self._wake)
        if self._crash is not None:
            raise InternalError("the simulated card or modem crashed") from self._crash

    def once(
        self,
        service: UUID | None = None,
        cid: int | None = None,
        *,
        executed: bool = True,
        lost: bool = False,
        delay: float = 0.0,
        before: bytes = b"",
        vanish: bool = False,
        forgets_open: bool = False,
    ) -> None:
        """Arm a fault for the next command of a service; several are used up in order.

        Args:
            service: None: any message.
            cid: the command; None: any of the service.
            executed: whether the command is carried out.
            lost: whether its answer is never sent.
            delay: seconds by which the answer is delayed.
            before: bytes sent before the answer, such as noise.
            vanish: whether the port disappears in place of the answer.
            forgets_open: whether the modem restarts in place of the command, and answers NotOpened.
        """
        fault = _Fault(
            service=service,
            cid=cid,
            executed=executed,
            lost=lost,
            delay=delay,
            before=before,
            vanish=vanish,
            forgets_open=forgets_open,
        )
        self._do(lambda: self._faults.append(fault))

    def say(self, message: Message) -> None:
        """Send a message without a request."""
        self._do(lambda: self._say(message))

    def do(self, what: Callable[[MbimFunction], None]) -> None:
        """Change the function, in the modem's thread; indications follow."""
        self._do(lambda: what(self.function))

    def vanish(self) -> None:
        """Make the port disappear, with everything that the function knows of its host."""

        def go() -> None:
            self._wire.vanish()
            self.function.opened = False

        self._do(go)

    def come_back(self) -> None:
        """Make the port reappear."""
        self._do(self._wire.come_back)

    # From here on: the modem's thread.

    def _run(self) -> None:
        try:
            while True:
                due = self.function.due
                self._sleep(None if due is None else max(0.0, due - time.monotonic()), listen=True)
                for message in self._receiver.receive(self._wire.read()):
                    self._serve(message)
                self._settle()
        except _SwitchedOffError:
            pass
        except Exception as crash:  # noqa: BLE001 - kept for close(), which raises it where a test sees it
            self._crash = crash
            self._wire.vanish()
            _log.exception("the simulated modem crashed")

    def _settle(self) -> None:
        self.function.settle()
        for indication in self.function.indications():
            self._say(indication)

    def _serve(self, message: Message) -> None:
        self.received.append(message)
        fault = self._fault_for(message)
        if fault is not None and fault.forgets_open:
            self.function.lose_power()
        answers = [] if fault is not None and not fault.executed else self.function.receive(message)
        if fault is not None and fault.delay:
            self._wait(fault.delay)
        if fault is not None and fault.vanish:
            self._wire.vanish()
            self.function.opened = False
        elif fault is None or not fault.lost:
            self._wire.send(b"" if fault is None else fault.before)
            for answer in answers:
                self._say(answer)
        self._restart_if_told()

    def _restart_if_told(self) -> None:
        before = self.function.modem.radio.restarts
        self.function.settle()
        refreshed = self.function.modem.radio.restarts != before
        if self.function.restarts:
            self.function.restarts = False
            self.function.lose_power()
            self._go_away(self._away)
        elif refreshed and self._away_after_refresh is not None:
            self.function.opened = False
            self._go_away(self._away_after_refresh)

    def _go_away(self, seconds: float | None) -> None:
        if seconds is not None:
            self._wire.vanish()
            self._wait(seconds)
            self._wire.come_back()

    def _say(self, message: Message) -> None:
        for fragment in encode(message, max_transfer=self.function.max_transfer):
            self._wire.send(fragment)

    def _fault_for(self, message: Message) -> _Fault | None:
        for fault in self._faults:
            named = isinstance(message, Command) and message.service == fault.service
            if fault.service is None or (named and fault.cid in (None, getattr(message, "cid", None))):
                self._faults.remove(fault)
                return fault
        return None

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._sleep(left, listen=False)

    def _sleep(self, seconds: float | None, *, listen: bool) -> None:
        watched = [self._wake, *(self._wire.descriptors() if listen else ())]
        ready, _, _ = select.select(watched, [], [], seconds)
        if self._wake in ready:
            os.eventfd_read(self._wake)
        if self._stopping:
            raise _SwitchedOffError
        with suppress(queue.Empty):
            while True:
                self._requests.get_nowait()()

    # The other side.

    def _do(self, what: Callable[[], None]) -> None:
        """Run a function in the modem's thread, and wait until it is done."""
        done = threading.Event()

        def request() -> None:
            try:
                what()
            finally:
                done.set()

        if not self._thread.is_alive():
            return
        self._requests.put(request)
        os.eventfd_write(self._wake, 1)
        if not done.wait(_PATIENCE_WITH_THREAD) and self._thread.is_alive():
            raise InternalError("the simulated modem does not listen: its card never answers")
