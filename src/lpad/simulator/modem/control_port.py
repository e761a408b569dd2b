"""The control port of a simulated modem, in its own thread and with faults; MBIM and QMI share it."""

from __future__ import annotations

import logging
import os
import queue
import select
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

from lpad.base.errors import InternalError
from lpad.simulator.modem.control_wire import make_wire
from lpad.simulator.modem.recent_traffic_record import Transcript

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lpad.simulator.modem.commands import CommandSet
    from lpad.simulator.modem.personality import ModemPersonality

_log = logging.getLogger(__name__)

_REMEMBERED = 65_536
_PATIENCE_WITH_THREAD = 30.0

_M = TypeVar("_M")


class ControlFunction(Protocol[_M]):
    """The part of a modem that answers the messages of a control port, without I/O."""

    modem: CommandSet
    restarts: bool
    """Whether the modem was commanded to restart, so that its port disappears."""

    @property
    def due(self) -> float | None:
        """The time of the next indication; None if no indication is due."""

    def receive(self, message: _M) -> list[_M]:
        """Process a message of the host; return the answers."""

    def settle(self) -> None:
        """Carry out the actions that a modem takes on its own after an answer."""

    def indications(self) -> list[_M]:
        """Return the indications that are due."""

    def lose_power(self) -> None:
        """Restart the modem unannounced."""

    def disconnect(self) -> None:
        """Forget everything about the host, because the port has disappeared."""


_F = TypeVar("_F")


class MessageReceiver(Protocol[_M]):
    """Finds messages in a stream of bytes."""

    def receive(self, data: bytes) -> list[_M]:
        """Process received bytes; return the messages that they complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(Generic[_M]):
    """A fault for the next message that `concerns` selects."""

    concerns: Callable[[_M], bool]
    executed: bool = True
    """Whether the message is processed."""
    lost: bool = False
    """Whether the answer to the message is never sent."""
    delay: float = 0.0
    """Seconds by which the answer is delayed."""
    before: bytes = b""
    """Bytes sent before the answer, such as noise."""
    vanish: bool = False
    """Whether the port disappears in place of the answer."""
    restarts: bool = False
    """Whether the modem restarts unannounced, before it processes the message."""
    instead: Callable[[_M], _M] | None = None
    """Returns the answer to a message that the modem does not process; None: the modem's own answer."""


class _SwitchedOffError(Exception):
    """The modem was switched off while its thread was waiting."""


class ControlPort(Generic[_M, _F]):
    """A modem in its own thread, which sleeps until the host writes; a context manager switches it off."""

    def __init__(
        self,
        function: _F,
        *,
        receiver: MessageReceiver[_M],
        encode: Callable[[_M], Iterable[bytes]],
        path: str | os.PathLike[str] | None,
        personality: ModemPersonality | None,
    ) -> None:
        """Switch a modem on.

        Args:
            function: the part of the modem that answers the messages.
            receiver: an object that finds messages in the host's bytes.
            encode: a function that returns the pieces of a message; each piece is sent with one write.
            path: where to put a symbolic link to the port's pty, or `unix:` and the path of a socket; None:
                the pty's own name only.
            personality: the modem's personality; its fields for an AT port have no effect.

        Raises:
            InvalidValue: something else is at `path`.
        """
        self.function = function
        self._function: ControlFunction[_M] = function  # type: ignore[assignment]  # a subclass names the function's type
        self._encode = encode
        self._away = None if personality is None else personality.away_after_reset
        self._away_after_refresh = None if personality is None else personality.away_after_refresh
        self._requests: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._faults: deque[Fault[_M]] = deque()
        self._receiver = receiver
        self._stopping = False
        self._crash: Exception | None = None
        self.received: Transcript[_M] = Transcript(maxlen=_REMEMBERED)
        """The latest messages of the host, oldest first."""
        self._wire = make_wire(None if path is None else os.fspath(path))
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="control-port", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def path(self) -> str:
        """The path at which a host opens the port."""
        return self._wire.path

    def close(self) -> None:
        """Switch the modem off; the port disappears.

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

    def arm(self, fault: Fault[_M]) -> None:
        """Arm a fault; several faults take effect in order."""
        self._do(lambda: self._faults.append(fault))

    def forget_faults(self) -> None:
        """Disarm all faults."""
        self._do(self._faults.clear)

    def say(self, message: _M) -> None:
        """Send a message that answers no request."""
        self._do(lambda: self._say(message))

    def do(self, what: Callable[[_F], None]) -> None:
        """Call `what` with the `ControlFunction` in the modem's thread; the call may cause indications."""
        self._do(lambda: what(self.function))

    def vanish(self) -> None:
        """Make the port disappear, and make the function forget its host."""

        def go() -> None:
            self._wire.vanish()
            self._function.disconnect()

        self._do(go)

    def come_back(self) -> None:
        """Make the port reappear."""
        self._do(self._wire.come_back)

    # The following methods run in the modem's thread.

    def _run(self) -> None:
        try:
            while True:
                due = self._function.due
                self._sleep(None if due is None else max(0.0, due - time.monotonic()), listen=True)
                for message in self._receiver.receive(self._wire.read()):
                    self._serve(message)
                self._settle()
        except _SwitchedOffError:
            pass
        except Exception as crash:  # noqa: BLE001 - close() raises it in the test's thread
            self._crash = crash
            self._wire.vanish()
            _log.exception("the simulated modem crashed")

    def _settle(self) -> None:
        self._function.settle()
        for indication in self._function.indications():
            self._say(indication)

    def _serve(self, message: _M) -> None:
        self.received.append(message)
        fault = self._fault_for(message)
        if fault is not None and fault.restarts:
            self._function.lose_power()
        answers = self._answers(message, fault)
        if fault is not None and fault.delay:
            self._wait(fault.delay)
        if fault is not None and fault.vanish:
            self._wire.vanish()
            self._function.disconnect()
        elif fault is None or not fault.lost:
            self._wire.send(b"" if fault is None else fault.before)
            for answer in answers:
                self._say(answer)
        self._restart_if_told()

    def _answers(self, message: _M, fault: Fault[_M] | None) -> list[_M]:
        if fault is not None and fault.instead is not None:
            return [fault.instead(message)]
        return [] if fault is not None and not fault.executed else self._function.receive(message)

    def _restart_if_told(self) -> None:
        before = self._function.modem.radio.restarts
        self._function.settle()
        refreshed = self._function.modem.radio.restarts != before
        if self._function.restarts:
            self._function.restarts = False
            self._function.lose_power()
            self._go_away(self._away)
        elif refreshed and self._away_after_refresh is not None:
            self._function.disconnect()
            self._go_away(self._away_after_refresh)

    def _go_away(self, seconds: float | None) -> None:
        if seconds is not None:
            self._wire.vanish()
            self._wait(seconds)
            self._wire.come_back()

    def _say(self, message: _M) -> None:
        for piece in self._encode(message):
            self._wire.send(piece)

    def _fault_for(self, message: _M) -> Fault[_M] | None:
        for fault in self._faults:
            if fault.concerns(message):
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

    # The following method runs in the caller's thread.

    def _do(self, what: Callable[[], None]) -> None:
        """Run a function in the modem's thread, and wait until the function is done."""
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
