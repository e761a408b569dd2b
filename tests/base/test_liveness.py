"""Threads are watched by the deadlines that they read."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

import pytest

from lpad.base.deadline import Deadline
from lpad.base.liveness import resting, stuck, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Run(Protocol):
    """Starts a thread that rests, or that blocks in its work until the test ends."""

    def __call__(self, act: Callable[[], object], *, rest: bool = False) -> None: ...


@pytest.fixture
def run() -> Iterator[Run]:
    """Return a function that runs something in a watched thread, which then blocks until the test ends."""
    end = threading.Event()
    threads = []

    def start(act: Callable[[], object], *, rest: bool = False) -> None:
        done = threading.Event()

        def work() -> None:
            with watched("a worker"):
                act()
                done.set()
                if rest:
                    with resting():
                        end.wait()
                else:
                    end.wait()

        thread = threading.Thread(target=work)
        threads.append(thread)
        thread.start()
        assert done.wait(20)

    yield start
    end.set()
    for thread in threads:
        thread.join()
    assert stuck(grace=-1000) == []


def test_a_thread_before_its_deadline_is_healthy(run: Run) -> None:
    """A thread that has read a deadline in the future may wait until then."""
    run(lambda: Deadline.after(1000).remaining())
    assert stuck(grace=0) == []


def test_a_thread_beyond_its_deadline_is_stuck(run: Run) -> None:
    """The report names the thread, the time since its deadline, and the place in the code."""
    run(lambda: Deadline.after(-100).remaining())
    (found,) = stuck(grace=60)
    assert found.name == "a worker"
    assert found.seconds >= 100
    assert stuck(grace=160) == []


def test_the_last_deadline_counts(run: Run) -> None:
    """A short step's deadline no longer counts once the thread reads the deadline of its whole work again."""

    def act() -> None:
        whole = Deadline.after(1000)
        assert Deadline.after(-100).passed
        assert whole.remaining() > 0

    run(act)
    assert stuck(grace=60) == []


def test_a_thread_that_rests_is_healthy(run: Run) -> None:
    """A thread that waits for work does not count as stuck, however long it waits."""
    run(lambda: Deadline.after(-100).remaining(), rest=True)
    assert stuck(grace=0) == []


def test_a_rest_forgets_the_earlier_deadline() -> None:
    """A deadline from before the rest is forgotten."""
    with watched("a worker"):
        assert Deadline.after(-100).remaining() == 0
        with resting():
            pass
        assert stuck(grace=60) == []


def test_unwatched_threads_may_read_any_deadline() -> None:
    """A thread that is not watched may read any deadline."""
    assert Deadline.after(-100).passed
    with resting():
        assert stuck(grace=0) == []
