"""A thread of its own for calls that know no deadline, so that whoever waits for them can have one.

PC/SC is such: SCardTransmit blocks as long as the reader's driver likes, SCardBeginTransaction as long as
another program works with the card. Neither can be interrupted; SCardCancel ends SCardGetStatusChange only.
"""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.deadline import Deadline

_T = TypeVar("_T")


class OverdueError(Exception):
    """A call had not returned when its deadline passed."""


class CallThread:
    """Makes calls one after the other until it is ended.

    A call that is overdue can't be stopped. It is abandoned: the thread takes no more calls, and ends
    itself, farewell included, when the call returns. Nobody needs to wait for that, but `wait` can.
    """

    def __init__(self, name: str, *, farewell: Callable[[], None]) -> None:
        """Start.

        Args:
            name: of the thread.
            farewell: called in the thread, last of all: gives back what the calls have taken.
        """
        self._farewell = farewell
        self._calls: SimpleQueue[_Call[object] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], _T], *, deadline: Deadline) -> _T:
        """Make a call and return what it returned.

        Raises:
            OverdueError: it did not return in time; this thread is not to be used any more.
            Exception: whatever the call raised.
        """
        call = _Call(function)
        self._calls.put(call)  # type: ignore[arg-type]  # its type is told to the caller, not to the thread
        if not call.returned.wait(deadline.remaining()):
            self.end()
            raise OverdueError
        return call.outcome()

    def end(self) -> None:
        """Let the thread end as soon as it is idle; a second call does nothing."""
        self._calls.put(None)

    def wait(self, *, deadline: Deadline) -> bool:
        """Return whether the thread has ended before the deadline."""
        self._thread.join(deadline.remaining())
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call.make()
        self._farewell()


class _Call(Generic[_T]):
    def __init__(self, function: Callable[[], _T]) -> None:
        self._function = function
        self._error: BaseException | None = None
        self._result: list[_T] = []
        self.returned = threading.Event()

    def make(self) -> None:
        try:
            self._result.append(self._function())
        except BaseException as error:  # noqa: BLE001 - raised again where the call was asked for
            self._error = error
        self.returned.set()

    def outcome(self) -> _T:
        if self._error is not None:
            raise self._error
        return self._result[0]
