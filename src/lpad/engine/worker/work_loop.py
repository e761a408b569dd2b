"""The loop of a card's thread: it carries out one act after another, and waits while there is none."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lpad.base.cancellation import Cancellation
from lpad.base.errors import LpadError
from lpad.base.frozen import Frozen
from lpad.base.liveness import resting, watched
from lpad.base.log.log_fields import logged_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lpad.base.deadline import Deadline

    Act = Callable[[], object]

log = logging.getLogger(__name__)


class Work(Frozen, kw_only=True):
    """The functions that a loop calls; an error in one act does not prevent the others."""

    first: Sequence[Act]
    """Acts that the loop carries out once, before it asks any source."""
    sources: Sequence[Callable[[], Act | None]]
    """Functions that return an act or None, asked in this order with the lock held."""
    after_each: Sequence[Act]
    """Functions that the loop calls after each act of a source."""
    last: Sequence[Act]
    """Acts that the loop carries out at its end."""
    search: Act
    """Called before the loop asks the sources, with the lock held."""
    rest: Act
    """Called before each wait, with the lock held."""
    wake: Act
    """Called after each wait, with the lock held."""
    end: Act
    """Called after the loop has asked the sources for the last time, with the lock held."""
    seconds: Callable[[], float | None]
    """Returns the maximum duration of a wait; None: until the loop is woken. Called with the lock held."""


class WorkLoop:
    """A thread that only `stop` ends: without the thread, the card is not served until lpad restarts."""

    def __init__(self, name: str) -> None:
        """Create the loop; its thread begins with `start`.

        Args:
            name: the card's name in the settings.
        """
        self._name = name
        self.lock = threading.Condition()
        """The lock that protects all state for which the thread waits."""
        self.ending = Cancellation()
        """Ends the waits of the work when lpad stops."""
        self._stopping = False
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called; hold the lock if the value must not change."""
        return self._stopping

    @contextmanager
    def waking(self) -> Iterator[None]:
        """Hold the lock during the `with` block, which changes the awaited state; then wake the thread."""
        with self.lock:
            yield
            self.lock.notify_all()

    def start(self, work: Work) -> None:
        """Start the thread."""
        self._thread = threading.Thread(
            target=self._run, args=(work,), name=f"card-{self._name}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Have the loop end after the present act; the caller must hold the lock."""
        self._stopping = True
        self.ending.cancel("lpad was stopped")

    def join(self, *, deadline: Deadline) -> None:
        """Wait until the thread has ended."""
        if self._thread is not None and self._thread.is_alive():
            self._thread.join(deadline.remaining())

    def guarded(self, act: Act) -> None:
        """Carry out an act whose error must not end the thread."""
        try:
            act()
        except LpadError as error:
            log.warning("%s: %s (%s)", self._name, error, error.kind)
        except Exception:
            log.exception("%s: internal-error", self._name)

    def _run(self, work: Work) -> None:
        with logged_with(euicc=self._name), watched(f"the worker of {self._name}"):
            for act in work.first:
                self.guarded(act)
            while (found := self._next(work)) is not None:
                for act in (found, *work.after_each):
                    self.guarded(act)
            for act in work.last:
                self.guarded(act)

    def _next(self, work: Work) -> Act | None:
        """Wait for an act and return it; None once the loop must end."""
        with self.lock:
            work.search()
            while not self._stopping:
                for source in work.sources:
                    act = self._found(source)
                    if act is not None:
                        return act
                self.guarded(work.rest)
                with resting():
                    self.lock.wait(work.seconds())
                self.guarded(work.wake)
            work.end()
        return None

    def _found(self, source: Callable[[], Act | None]) -> Act | None:
        """Return a source's act; None: it has none, or it failed, which must not hide other sources."""
        try:
            return source()
        except Exception:
            log.exception("%s: cannot look for work: internal-error", self._name)
            return None
