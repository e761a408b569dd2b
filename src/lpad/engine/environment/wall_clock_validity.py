"""Whether this device's clock is set; otherwise lpad cannot verify certificates.

Boards without a battery start at 1970, or at the time of their last shutdown, until a time server sets their
clock. The kernel immediately reports that the clock was set, so lpad does not poll it.
"""

from __future__ import annotations

import errno
import logging
import os
import select
import struct
import threading
import time
from typing import TYPE_CHECKING

from lpad.base.errors import ClockNotSet
from lpad.remote.trust.tls_failure import CLOCK_UNSET_BEFORE

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

_TIME_ERROR = 5
"""The result of adjtimex while the clock is not synchronised (linux/timex.h)."""
_TIMEX_BYTES = 1024
_ABSTIME = 1
_CANCEL_ON_SET = 2
_NEVER = 1 << 40
"""A moment in the far future, in seconds since 1970."""


class Clock:
    """The wall clock, and the event that it was set."""

    def __init__(self, *, unset_before: float = CLOCK_UNSET_BEFORE) -> None:
        """Read the clock; no thread runs before `await_set`.

        Args:
            unset_before: seconds since 1970; a clock with an earlier time was not set.
        """
        self._unset_before = unset_before
        self._known_to_be_set = self.is_set
        self._lock = threading.Lock()
        self._on_set: Callable[[], None] = lambda: None
        self._wake: int | None = None
        self._thread: threading.Thread | None = None

    @property
    def is_set(self) -> bool:
        """Whether the clock shows a plausible time, and so was set."""
        return time.time() >= self._unset_before

    @property
    def synchronised(self) -> bool:
        """Whether a time server has set the kernel's clock; True if the kernel does not report it."""
        import ctypes  # noqa: PLC0415 - half a megabyte that most devices never need

        try:
            state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
        except (OSError, AttributeError):
            return True
        return bool(state != _TIME_ERROR)

    def check(self) -> None:
        """Check that the time is known, for verifying certificates.

        Raises:
            ClockNotSet: the clock is not set.
        """
        if not self.is_set:
            raise ClockNotSet(
                f"this device's clock shows {time.strftime('%Y-%m-%d', time.gmtime())}, so lpad cannot verify"
                " any server's certificate; lpad continues once the clock is set, for example by NTP"
            )

    def watch(self, on_set: Callable[[], None]) -> None:
        """Register the function to call, from any thread, when an awaited clock is set."""
        self._on_set = on_set

    def await_set(self) -> None:
        """Have a thread wait until the clock is next set, and then call the function of `watch`."""
        with self._lock:
            if self._thread is not None:
                return
            try:
                timer = _timer()
            except OSError as error:
                log.warning(
                    "the kernel's clock events are unavailable (%s): lpad checks from time to time whether"
                    " the clock is set",
                    error,
                )
                return
            self._wake = os.eventfd(0, os.EFD_CLOEXEC)
            self._thread = threading.Thread(
                target=self._listen, args=(timer, self._wake), name="clock", daemon=True
            )
            self._thread.start()
        if self.is_set and not self._known_to_be_set:  # the clock was set before the listener started
            self._known_to_be_set = True
            self._on_set()

    def stop(self) -> None:
        """End the thread that waits for the clock."""
        with self._lock:
            if self._wake is not None:
                os.eventfd_write(self._wake, 1)
            thread = self._thread
        if thread is not None:
            thread.join()

    def _listen(self, timer: int, wake: int) -> None:
        poll = select.poll()
        poll.register(timer, select.POLLIN)
        poll.register(wake, select.POLLIN)
        ready = dict(poll.poll())
        set_now = timer in ready and _was_cancelled(timer)
        with self._lock:
            self._thread = self._wake = None
        os.close(timer)
        os.close(wake)
        if set_now:
            self._known_to_be_set = self.is_set
            log.info("the clock was set")
            self._on_set()


def _timer() -> int:
    """Return a timer that becomes readable when the clock is set.

    Raises:
        OSError: this system has no such timer.
    """
    import ctypes  # noqa: PLC0415 - half a megabyte that most devices never need

    libc = ctypes.CDLL(None, use_errno=True)
    timer = libc.timerfd_create(time.CLOCK_REALTIME, os.O_CLOEXEC | os.O_NONBLOCK)
    if timer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    # struct itimerspec: an interval and a moment, each in seconds and nanoseconds.
    never = struct.pack("@llll", 0, 0, min(_NEVER, (1 << (8 * struct.calcsize("@l") - 1)) - 1), 0)
    if libc.timerfd_settime(timer, _ABSTIME | _CANCEL_ON_SET, never, None) != 0:
        failure = OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        os.close(timer)
        raise failure
    return int(timer)


def _was_cancelled(timer: int) -> bool:
    try:
        os.read(timer, 8)
    except OSError as error:
        return error.errno == errno.ECANCELED
    return True
