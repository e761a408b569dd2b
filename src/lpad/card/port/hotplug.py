"""Reports of the kernel about devices: one socket, one thread, and no wake-ups without events.

The kernel and udev report each device on a netlink socket. udev's report arrives later, when the names under
/dev/serial and the permissions exist; without udev, only the kernel reports. A report only triggers a check.
"""

from __future__ import annotations

import errno
import logging
import os
import select
import socket
import struct
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

_KOBJECT_UEVENT = 15
"""NETLINK_KOBJECT_UEVENT of linux/netlink.h."""
_KERNEL_AND_UDEV = 1 | 2
_UDEV = b"libudev\0"
_MOST = 65_536
_SUBSYSTEMS = {b"tty", b"wwan", b"usbmisc"}
_PAUSE = 60.0
"""Seconds between the end of the reports, or a failed attempt, and the next attempt to open a socket."""


def open_uevents() -> socket.socket | None:
    """Return a socket that receives reports about devices; None if this system does not allow it."""
    uevents: socket.socket | None = None
    try:
        uevents = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, _KOBJECT_UEVENT)
        uevents.bind((0, _KERNEL_AND_UDEV))
    except OSError as error:
        if uevents is not None:
            uevents.close()
        _log.info(
            "the kernel's device events are unavailable (%s): lpad checks from time to time whether a port is"
            " back",
            error,
        )
        return None
    return uevents


def subsystem_of(message: bytes) -> bytes | None:
    """Return the subsystem in a message of the kernel or udev; None if the message names none."""
    start = 0
    if message.startswith(_UDEV):
        if len(message) < 24:
            return None
        # prefix[8], magic, size of the header, offset of the properties: udev's monitor header.
        (start,) = struct.unpack_from("=I", message, 16)
    for line in message[start:].split(b"\0"):
        if line.startswith(b"SUBSYSTEM="):
            return line.removeprefix(b"SUBSYSTEM=")
    return None


class PortWatch:
    """Reports whether ports exist, whenever that may have changed, from a thread that otherwise sleeps."""

    def __init__(self, *, uevents: Callable[[], socket.socket | None] = open_uevents) -> None:
        """Create the watch; the socket is opened with the first watched port."""
        self._open = uevents
        self._lock = threading.Lock()
        self._watched: dict[int, tuple[Callable[[], bool], Callable[[bool], None]]] = {}
        self._numbers = 0
        self._wake: int | None = None

    def watch(self, there: Callable[[], bool], notify: Callable[[bool], None]) -> Callable[[], None]:
        """Call `notify` from another thread when the port may have appeared or disappeared; True: it exists.

        Args:
            there: a function that returns whether the port exists; it must never raise.
            notify: must return immediately and never raise.

        Returns:
            A function that ends the watch.
        """
        with self._lock:
            self._numbers += 1
            number = self._numbers
            self._watched[number] = (there, notify)
            if self._wake is None:
                self._start()

        def end() -> None:
            with self._lock:
                self._watched.pop(number, None)
                if not self._watched and self._wake is not None:
                    os.eventfd_write(self._wake, 1)
                    self._wake = None

        return end

    def _start(self) -> None:
        uevents = self._open()
        if uevents is None:
            return
        self._wake = os.eventfd(0, os.EFD_CLOEXEC)
        threading.Thread(target=self._listen, args=(uevents, self._wake), name="hotplug", daemon=True).start()

    def _listen(self, uevents: socket.socket | None, wake: int) -> None:
        ended = select.poll()
        ended.register(wake, select.POLLIN)
        while uevents is None or not self._pass_on(uevents, wake):
            if uevents is not None:
                uevents.close()
            if ended.poll(_PAUSE * 1000):
                break
            uevents = self._open()
            self._tell()  # reports were lost, perhaps some about a watched port
        if uevents is not None:
            uevents.close()
        os.close(wake)

    def _pass_on(self, uevents: socket.socket, wake: int) -> bool:
        """Check the ports at each report; return whether the last watch has ended, or else the reports."""
        poll = select.poll()
        poll.register(uevents, select.POLLIN)
        poll.register(wake, select.POLLIN)
        while wake not in dict(poll.poll()):
            try:
                message = uevents.recv(_MOST)
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    _log.warning(
                        "the kernel's device events have ended: %s; lpad opens another socket", error
                    )
                    return False
                self._tell()  # reports were lost, perhaps some about a watched port
                continue
            if not message:
                return False
            if subsystem_of(message) in _SUBSYSTEMS:
                self._tell()
        return True

    def _tell(self) -> None:
        with self._lock:
            watched = list(self._watched.values())
        for there, notify in watched:
            try:
                notify(there())
            except Exception:  # noqa: BLE001 - logged; the other ports, and later reports, must not be lost
                _log.exception("cannot report that a port appeared or disappeared: internal-error")
