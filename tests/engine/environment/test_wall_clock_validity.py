"""The device's clock: whether it is set, and the notice that it was set."""

from __future__ import annotations

import threading
import time

import pytest

from lpad.base.errors import ClockNotSet
from lpad.engine.environment.wall_clock_validity import Clock
from lpad.remote.trust.tls_failure import CLOCK_UNSET_BEFORE

LATER = time.time() + 3600


def test_a_clock_that_is_set() -> None:
    """This machine's clock is set, and no problem is reported."""
    clock = Clock()
    assert clock.is_set
    clock.check()
    assert time.time() > CLOCK_UNSET_BEFORE


def test_an_unset_clock_is_reported() -> None:
    """The error states what the clock shows, and that lpad continues once the clock is set."""
    clock = Clock(unset_before=LATER)
    assert not clock.is_set
    with pytest.raises(ClockNotSet, match=r"shows 20\d\d-.* lpad continues") as caught:
        clock.check()
    assert caught.value.retryable


def test_the_clock_watch_listens_without_polling() -> None:
    """One thread waits for the clock to be set, even after two requests; `stop` ends the thread."""
    clock = Clock(unset_before=LATER)
    clock.await_set()
    clock.await_set()
    assert [thread.name for thread in threading.enumerate()].count("clock") == 1
    clock.stop()
    assert "clock" not in [thread.name for thread in threading.enumerate()]
    clock.stop()


def test_whether_a_time_server_was_heard_can_be_asked() -> None:
    """On this machine, `synchronised` is True or False, and raises no error."""
    assert Clock().synchronised in (True, False)


def test_a_clock_that_was_set_just_before_is_noticed() -> None:
    """A clock that is set between the check and the wait does not leave lpad waiting."""
    clock = Clock(unset_before=LATER)
    told = threading.Semaphore(0)
    clock.watch(told.release)
    clock._unset_before = 0.0
    clock.await_set()
    assert told.acquire(blocking=False)
    clock.stop()
