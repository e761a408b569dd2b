"""Whether a reader and its card are present: asked once, then watched without polling."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from lpad.base.deadline import Deadline
from lpad.base.errors import CardUnreachable
from lpad.card.pcsc.calls import CARD_PRESENT, Context
from lpad.card.pcsc.reader_choice import choose_reader

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

_WITHOUT_PCSCD = (60.0, 120.0, 300.0, 900.0)
"""Seconds until lpad tries to reach pcscd again; the last value repeats."""
_LONG = 7 * 24 * 3600.0
_EVENTS = 16
"""The bit of a reader's state at which its counter of card insertions and removals begins."""
_LOST = 0.05
"""Seconds after which a cancellation is sent again: a cancellation before the wait begins is lost."""


@dataclass(frozen=True, slots=True)
class Sight:
    """The presence of a reader and its card."""

    reader: str | None
    """The reader's full name; None if the reader is not plugged in."""
    card: bool
    events: int = field(default=0, compare=False)
    """pcscd's count of how often a card was inserted or removed."""


class ReaderWatch:
    """Watches a reader and the cards in it; a context manager that closes the watch.

    The watch has its own connection to pcscd, and occupies no card. `close` from another thread
    ends a waiting call.
    """

    def __init__(self, reader: str | int) -> None:
        """Connect to pcscd.

        Raises:
            CardUnreachable: no pyscard, no pcscd, or no permission.
        """
        self._wanted = reader
        self._context = Context()
        self._last: Sight | None = None
        self._closing = False
        self._in_use = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait_for_change(self, *, deadline: Deadline) -> Sight:
        """Return the presence as soon as it differs from the previous call's result, or at the deadline.

        The first call returns immediately, and so does a call that `close` ends.

        Raises:
            CardUnreachable: pcscd is gone; create a new watch when pcscd is back.
        """
        with self._in_use:
            while not self._closing:
                states, sight = self._look()
                last = self._last
                if last is None or (sight, sight.events) != (last, last.events) or deadline.passed:
                    self._last = sight
                    return sight
                self._context.wait(states, deadline=deadline)
            return self._last or Sight(None, card=False)

    def close(self) -> None:
        """Stop watching; a second call does nothing."""
        if self._closing:
            return
        self._closing = True
        while not self._in_use.acquire(timeout=_LOST):
            self._context.cancel()
        self._context.close()
        self._in_use.release()

    def _look(self) -> tuple[dict[str, int], Sight]:
        names = self._context.readers()
        states = self._context.look(names)
        try:
            reader = choose_reader(self._wanted, names)
        except CardUnreachable:
            return states, Sight(None, card=False)
        state = states[reader]
        return states, Sight(reader, card=bool(state & CARD_PRESENT), events=state >> _EVENTS)


def watch_reader(reader: str | int, notify: Callable[[bool], None]) -> Callable[[], None]:
    """Call `notify` from another thread, at the start and at each change; True: a card is in the reader.

    Args:
        reader: as for `choose_reader`.
        notify: must return immediately and never raise.

    Returns:
        A function that ends the watch.
    """
    following = _Following(reader, notify)
    threading.Thread(target=following.run, name="reader-watch", daemon=True).start()
    return following.end


class _Following:
    """A watch that is recreated when pcscd restarts."""

    def __init__(self, reader: str | int, notify: Callable[[bool], None]) -> None:
        self._reader = reader
        self._notify = notify
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._watch: ReaderWatch | None = None

    def run(self) -> None:
        """Watch the reader until `end` is called."""
        failures = 0
        while not self._ended.is_set():
            try:
                watch = ReaderWatch(self._reader)
                with self._lock:
                    self._watch = watch
                with watch:
                    before: Sight | None = None
                    while not self._ended.is_set():
                        sight = watch.wait_for_change(deadline=Deadline.after(_LONG))
                        failures = 0
                        if self._ended.is_set():
                            break
                        if before is not None and before.card and sight.card:
                            if (before, before.events) == (sight, sight.events):  # only the time has passed
                                continue
                            self._notify(False)  # the card was pulled and inserted unnoticed, or replaced
                        self._notify(sight.card)
                        before = sight
            except CardUnreachable as error:
                _log.info("%s", error)
                self._notify(False)
                self._ended.wait(_WITHOUT_PCSCD[min(failures, len(_WITHOUT_PCSCD) - 1)])
                failures += 1

    def end(self) -> None:
        """End the watch, from another thread."""
        self._ended.set()
        with self._lock:
            watch = self._watch
        if watch is not None:
            watch.close()
