"""Whether threads get on with their work: what the watchdog asks before it says that all is well.

A thread that is watched works until some deadline, or rests. Whatever blocks looks at its deadline just
before, so `Deadline` tells here what the thread will wait for next, and no code in between need know. A
thread that is far beyond the deadline which it looked at last sits in a call that ignores it: a port's driver
that doesn't return, a file of a dying memory card. No code can end such a call; a new process can.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


@dataclass(slots=True)
class _Pace:
    """One thread: until when it may be busy, on the monotonic clock; None while it rests."""

    name: str
    until: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """A thread that is beyond its deadline, by how many seconds, and where in the code it is."""

    name: str
    seconds: float
    where: str


_paces: dict[int, _Pace] = {}
"""By the thread's identifier; each thread changes its own only."""


@contextmanager
def watched(name: str) -> Iterator[None]:
    """Watch the calling thread while it is inside; from here on it is busy."""
    _paces[threading.get_ident()] = _Pace(name, time.monotonic())
    try:
        yield
    finally:
        _paces.pop(threading.get_ident(), None)


@contextmanager
def resting() -> Iterator[None]:
    """Let the calling thread wait without end: for work, or for another thread that is watched."""
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
    """Note the deadline that the calling thread has looked at; a thread that isn't watched notes nothing."""
    pace = _paces.get(threading.get_ident())
    if pace is not None:
        pace.until = moment


def stuck(*, grace: float) -> list[Stuck]:
    """Return the threads that are more than `grace` seconds beyond what they last looked at."""
    now = time.monotonic()
    frames = sys._current_frames()  # noqa: SLF001 - the one way to see where another thread is
    return [
        Stuck(name=pace.name, seconds=now - until, where=_where(frames.get(thread)))
        for thread, pace in list(_paces.items())
        if (until := pace.until) is not None and now - until > grace
    ]


def _where(frame: FrameType | None) -> str:
    """Return the innermost place in lpad's own code."""
    home = str(Path(__file__).parents[1])
    while frame is not None:
        if frame.f_code.co_filename.startswith(home):
            return f"{frame.f_code.co_qualname} ({Path(frame.f_code.co_filename).name}:{frame.f_lineno})"
        frame = frame.f_back
    return "an unknown place"
