"""A separate thread for calls without a time limit, so that their caller can keep its deadline.

PC/SC has such calls: SCardTransmit blocks as long as the reader's driver does, SCardBeginTransaction as long
as another program uses the card. SCardCancel cannot interrupt these calls, only SCardGetStatusChange.
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
    """A thread that makes calls one after the other until it is ended.

    An overdue call cannot be stopped, so it is abandoned: the thread accepts no more calls, and when the call
    returns, the thread makes the farewell call and ends. `wait` waits for the thread's end.
    """

    def __init__(self, name: str, *, farewell: Callable[[], None]) -> None:
        """Start the thread.

        Args:
            farewell: called in the thread at the very end; releases what the calls have acquired.
        """
        self._farewell = farewell
        self._calls: SimpleQueue[_Call[object] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], _T], *, deadline: Deadline) -> _T:
        """Call `function` in the thread and return its result.

        Raises:
            OverdueError: the call did not return in time; this object must no longer be used.
            Exception: any exception of the call.
        """
        call = _Call(function)
        self._calls.put(call)  # type: ignore[arg-type]  # the caller knows its type, the thread does not
        if not call.returned.wait(deadline.remaining()):
            self.end()
            raise OverdueError
        return call.outcome()

    def end(self) -> None:
        """Let the thread end as soon as it is idle; a second call does nothing."""
        self._calls.put(None)

    def wait(self, *, deadline: Deadline) -> bool:
        """Wait for the thread's end; return whether the thread ended before the deadline."""
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
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            self._error = error
        self.returned.set()

    def outcome(self) -> _T:
        if self._error is not None:
            raise self._error
        return self._result[0]
