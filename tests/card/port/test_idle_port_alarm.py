"""The alarm of an idle port: it rings at most once each time that it is set, and reads nothing."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from lpad.card.port.idle_port_alarm import PortAlarm

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 60.0


class Rings:
    """Counts the alarm's calls, and lets a test wait for the next call."""

    def __init__(self) -> None:
        self.count = 0
        self._rung = threading.Semaphore(0)

    def __call__(self) -> None:
        self.count += 1
        self._rung.release()

    def wait(self) -> None:
        assert self._rung.acquire(timeout=PATIENCE), "it did not ring"


@pytest.fixture
def rings() -> Rings:
    return Rings()


@pytest.fixture
def alarm(rings: Rings) -> Iterator[PortAlarm]:
    made = PortAlarm(rings)
    yield made
    made.close()
    made.close()


@pytest.fixture
def port() -> Iterator[tuple[int, int]]:
    """Yield the reading and the writing end of a pty, which replaces a port."""
    ours, theirs = os.openpty()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def test_an_alarm_rings_once_until_it_is_set_again(
    alarm: PortAlarm, rings: Rings, port: tuple[int, int]
) -> None:
    """The alarm rings once until it is set again, whatever arrives; the received bytes can still be read."""
    ours, theirs = port
    alarm.arm(ours)
    os.write(theirs, b"+CEREG: 1\n")
    rings.wait()
    os.write(theirs, b"+CEREG: 2\n")
    assert os.read(ours, 99).startswith(b"+CEREG: 1")
    assert rings.count == 1
    os.write(theirs, b"+CEREG: 3\n")
    alarm.arm(ours)
    rings.wait()
    assert rings.count == 2


def test_a_port_in_use_does_not_ring(alarm: PortAlarm, rings: Rings, port: tuple[int, int]) -> None:
    """The alarm does not ring for a disarmed port, which is in use, but still rings for another port."""
    ours, theirs = port
    alarm.arm(ours)
    alarm.disarm(ours)
    os.write(theirs, b"OK\n")
    other, end = os.pipe()
    alarm.arm(other)
    os.write(end, b"x")
    rings.wait()
    assert rings.count == 1
    os.close(end)
    os.close(other)


def test_a_port_that_went_away_rings(alarm: PortAlarm, rings: Rings) -> None:
    """The alarm of a vanished port rings, so its owner reads; a closed descriptor can be disarmed."""
    ours, theirs = os.openpty()
    alarm.arm(ours)
    os.close(theirs)
    rings.wait()
    os.close(ours)
    alarm.disarm(ours)
    with pytest.raises(OSError, match="Bad file descriptor"):
        alarm.arm(ours)


def test_a_port_that_hangs_up_rings_once(alarm: PortAlarm, rings: Rings) -> None:
    """The alarm of a vanished port rings once, and not again until it is set again."""
    ours, theirs = os.openpty()
    alarm.arm(ours)
    os.close(theirs)
    rings.wait()
    alarm.disarm(ours)
    _another_rings(alarm, rings)
    assert rings.count == 1 + 3
    os.close(ours)


def test_a_port_that_hangs_up_in_use_does_not_ring(alarm: PortAlarm, rings: Rings) -> None:
    """The alarm stays silent for a port in use: its owner finds out by reading that the port is gone."""
    ours, theirs = os.openpty()
    alarm.arm(ours)
    alarm.disarm(ours)
    os.close(theirs)
    _another_rings(alarm, rings)
    assert rings.count == 3
    alarm.arm(ours)
    rings.wait()
    assert rings.count == 3 + 1
    os.close(ours)


def _another_rings(alarm: PortAlarm, rings: Rings) -> None:
    """Have the alarm ring three times for another port; any earlier event would have rung by then."""
    for _ in range(3):
        other, end = os.pipe()
        alarm.arm(other)
        os.write(end, b"x")
        rings.wait()
        os.close(other)
        os.close(end)
