"""Whether threads make progress; the watchdog checks this before it reports that lpad is alive.

A watched thread works until some deadline, or rests. Every blocking call reads its deadline just before it
blocks, so `Deadline` records here how long the thread will wait, and no other code has to report it. If a
thread is far beyond the last deadline that it read, it is in a call that ignores deadlines. Examples are a
driver that does not return, and a file on a failing memory card. No code in the process can end such a call;
only a restart can.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


class _Pace(Struct):
    """A watched thread, and the monotonic time until which it may be busy; None while it rests."""

    name: str
    until: float | None


class Stuck(Frozen, kw_only=True):
    """A thread that is beyond its deadline: by how many seconds, and where in the code."""

    name: str
    seconds: float
    where: str


_paces: dict[int, _Pace] = {}
"""The watched threads by their identifiers; each thread changes only its own entry."""


@contextmanager
def watched(name: str) -> Iterator[None]:
    """Watch the calling thread inside the block; it counts as busy from the start."""
    _paces[threading.get_ident()] = _Pace(name, time.monotonic())
    try:
        yield
    finally:
        _paces.pop(threading.get_ident(), None)


@contextmanager
def resting() -> Iterator[None]:
    """Let the calling thread wait without limit inside the block, for work or for another watched thread."""
    pace = _paces.get(threading.get_ident())
    if pace is None:
        yield
        return
    pace.until = None
    try:
        yield
    finally:
        pace.until = time.monotonic()


def busy_until(moment: float) -> None:
    """Record the deadline that the calling thread has read; does nothing for an unwatched thread."""
    pace = _paces.get(threading.get_ident())
    if pace is not None:
        pace.until = moment


def stuck(*, grace: float) -> list[Stuck]:
    """Return the threads that are more than `grace` seconds beyond the deadline that they read last."""
    now = time.monotonic()
    frames = sys._current_frames()  # noqa: SLF001 - the only way to find another thread's position
    return [
        Stuck(name=pace.name, seconds=now - until, where=_where(frames.get(thread)))
        for thread, pace in list(_paces.items())
        if (until := pace.until) is not None and now - until > grace
    ]


def _where(frame: FrameType | None) -> str:
    """Return the innermost function and line of lpad's own code among a thread's frames."""
    home = str(Path(__file__).parents[1])
    while frame is not None:
        if frame.f_code.co_filename.startswith(home):
            return f"{frame.f_code.co_qualname} ({Path(frame.f_code.co_filename).name}:{frame.f_lineno})"
        frame = frame.f_back
    return "an unknown place"
