"""A cancellation ends each wait that uses it, for sockets and for anything else."""

from __future__ import annotations

import os
import select
import socket
import threading

import pytest

from lpad.base.cancellation import Cancellation
from lpad.base.deadline import Deadline
from lpad.base.errors import Cancelled


def test_ends_a_wait_for_a_socket() -> None:
    """A wait for a silent peer ends when another thread cancels, long before its deadline."""
    cancellation = Cancellation()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        poll = select.poll()
        poll.register(ours, select.POLLIN)
        poll.register(cancellation, select.POLLIN)
        threading.Timer(0.05, cancellation.cancel, ["a switch goes first"]).start()
        found = poll.poll(60_000)
    assert [descriptor for descriptor, _ in found] == [cancellation.fileno()]
    with pytest.raises(Cancelled, match="a switch goes first"):
        cancellation.check()


def test_a_wait_after_the_cancellation_ends_immediately() -> None:
    """A wait that begins after the cancellation ends immediately, and so does the next one."""
    cancellation = Cancellation()
    cancellation.cancel("taken back")
    for _ in range(2):
        assert select.select([cancellation], [], [], 0)[0] == [cancellation]


def test_first_sentence_stays() -> None:
    """Every waiting thread gets the first reason, and not a later one."""
    cancellation = Cancellation()
    cancellation.cancel("a switch goes first")
    cancellation.cancel("lpad was stopped")
    with pytest.raises(Cancelled, match="a switch goes first"):
        cancellation.check()


def test_wakes_what_is_not_a_socket() -> None:
    """A cancellation calls the function that a waiting thread has given, even if the wait begins later."""
    cancellation = Cancellation()
    early, late, never = threading.Event(), threading.Event(), threading.Event()
    with cancellation.waking(never.set):
        pass
    with cancellation.waking(early.set):
        threading.Timer(0.05, cancellation.cancel, ["taken back"]).start()
        assert early.wait(60)
    with cancellation.waking(late.set):
        assert late.is_set()
    assert not never.is_set()


def test_descriptor_is_given_back() -> None:
    """A cancellation without references keeps no descriptor open."""
    cancellation = Cancellation()
    descriptor = cancellation.fileno()
    del cancellation
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_deadline_carries_it_on() -> None:
    """A cancellation ends its deadline and those made from it; a deadline without one passes its check."""
    cancellation = Cancellation()
    whole = Deadline.after(60, cancellation=cancellation)
    parts = [whole, whole.within(1), whole.later(5), whole.later(5).within(1)]
    for part in parts:
        part.check()
    cancellation.cancel("taken back")
    for part in parts:
        with pytest.raises(Cancelled, match="taken back"):
            part.check()
    Deadline.after(60).check()


def test_later_puts_off() -> None:
    """A deadline postponed by some seconds is that much later."""
    deadline = Deadline(100.0)
    assert deadline.later(2.5) == Deadline(102.5)
