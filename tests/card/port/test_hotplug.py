"""Device events from the kernel and from udev, and the watches that they wake."""

from __future__ import annotations

import queue
import socket
import struct
import threading
from typing import TYPE_CHECKING

import pytest

from lpad.card.port import hotplug
from lpad.card.port.hotplug import PortWatch, open_uevents, subsystem_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROPERTIES = b"ACTION=add\0DEVPATH=/devices/x/ttyUSB2\0SUBSYSTEM=tty\0DEVNAME=ttyUSB2\0"
KERNEL = b"add@/devices/x/ttyUSB2\0" + PROPERTIES
UDEV = b"libudev\0" + struct.pack("=8I", 0xFEEDCAFE, 40, 40, len(PROPERTIES), 1, 2, 3, 4) + PROPERTIES
BATTERY = KERNEL.replace(b"SUBSYSTEM=tty", b"SUBSYSTEM=power_supply")
PATIENCE = 10.0


@pytest.fixture
def told() -> queue.SimpleQueue[bool]:
    return queue.SimpleQueue()


@pytest.fixture
def kernel() -> Iterator[tuple[socket.socket, PortWatch]]:
    """Yield the kernel's end of a socket, and a watch that listens at the other end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours:
        yield ours, PortWatch(uevents=lambda: theirs)
    theirs.close()


@pytest.mark.parametrize("message", [KERNEL, UDEV], ids=["kernel", "udev"])
def test_a_port_that_comes_and_goes_is_reported(
    kernel: tuple[socket.socket, PortWatch], told: queue.SimpleQueue[bool], tmp_path: Path, message: bytes
) -> None:
    """The presence of the port is checked when the kernel, or udev, reports a serial port."""
    speaker, watch = kernel
    port = tmp_path / "ttyUSB2"
    end = watch.watch(port.exists, told.put)
    speaker.send(message)
    assert told.get(timeout=PATIENCE) is False
    port.touch()
    speaker.send(message)
    assert told.get(timeout=PATIENCE) is True
    end()


def test_messages_about_other_devices_are_ignored(
    kernel: tuple[socket.socket, PortWatch], told: queue.SimpleQueue[bool], tmp_path: Path
) -> None:
    """Messages about other devices, such as a battery, are ignored."""
    speaker, watch = kernel
    end = watch.watch(tmp_path.exists, told.put)
    for message in (BATTERY, b"", b"libudev\0", b"libudev\0" + bytes(12) + b"\xff" * 4, b"\xff" * 100):
        if message:
            speaker.send(message)
    speaker.send(KERNEL)
    assert told.get(timeout=PATIENCE) is True
    assert told.empty()
    end()


def test_the_thread_ends_with_the_last_watch(
    kernel: tuple[socket.socket, PortWatch], told: queue.SimpleQueue[bool], tmp_path: Path
) -> None:
    """The thread ends with the last watch, so that lpad does not listen to the kernel without one."""
    _, watch = kernel
    others = set(threading.enumerate())  # a watch of an earlier test may still be ending
    ends = [watch.watch(tmp_path.exists, told.put) for _ in range(2)]
    (thread,) = [each for each in threading.enumerate() if each.name == "hotplug" and each not in others]
    for end in ends:
        end()
        end()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_watches_continue_after_the_reports_have_ended(
    told: queue.SimpleQueue[bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the end of the kernel's reports, lpad tries until a socket opens, and checks the port."""
    monkeypatch.setattr(hotplug, "_PAUSE", 0.05)
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2)]
    theirs = iter([pairs[0][1], None, pairs[1][1]])
    end = PortWatch(uevents=lambda: next(theirs)).watch(tmp_path.exists, told.put)
    pairs[0][0].send(b"")
    for _ in range(2):
        assert told.get(timeout=PATIENCE) is True
    pairs[1][0].send(KERNEL)
    assert told.get(timeout=PATIENCE) is True
    end()
    for ours, _ in pairs:
        ours.close()


def test_a_watch_can_end_after_the_reports_have_ended(
    kernel: tuple[socket.socket, PortWatch], told: queue.SimpleQueue[bool], tmp_path: Path
) -> None:
    """The thread ends with the last watch, even during the pause after the reports have ended."""
    speaker, watch = kernel
    others = set(threading.enumerate())
    end = watch.watch(tmp_path.exists, told.put)
    (thread,) = [each for each in threading.enumerate() if each.name == "hotplug" and each not in others]
    speaker.send(b"")
    end()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert told.empty()


def test_a_system_that_reports_nothing_is_not_an_error(told: queue.SimpleQueue[bool], tmp_path: Path) -> None:
    """If the kernel allows no listening, as in some containers, a watch reports no port and no error."""
    end = PortWatch(uevents=lambda: None).watch(tmp_path.exists, told.put)
    end()
    assert told.empty()


def test_the_kernels_socket_opens_or_not() -> None:
    """Whether the kernel's socket can be opened or not, opening it raises no exception."""
    uevents = open_uevents()
    if uevents is not None:
        uevents.close()


@pytest.mark.parametrize(
    ("message", "subsystem"), [(KERNEL, b"tty"), (UDEV, b"tty"), (b"add@/x\0ACTION=add\0", None)]
)
def test_the_subsystem_is_read_from_either_form(message: bytes, subsystem: bytes | None) -> None:
    """The subsystem is read from the kernel's messages, and from udev's, which have a different header."""
    assert subsystem_of(message) == subsystem


def test_a_watch_that_fails_ends_no_other(
    kernel: tuple[socket.socket, PortWatch], told: queue.SimpleQueue[bool], tmp_path: Path
) -> None:
    """If one watch fails, the other watches get this report, and later ones."""

    def fails(*_: object) -> bool:
        raise PermissionError("a folder that may not be read")

    speaker, watch = kernel
    ends = [watch.watch(fails, told.put), watch.watch(tmp_path.exists, told.put)]
    for _ in range(2):
        speaker.send(KERNEL)
        assert told.get(timeout=PATIENCE) is True
    for end in ends:
        end()
