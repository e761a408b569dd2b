"""Changes of the network: the kernel reports new addresses and default routes, without polling.

A report only means that a server may be reachable again, because a new route may not work yet.
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

log = logging.getLogger(__name__)

# linux/rtnetlink.h
_GROUPS = 0x10 | 0x40 | 0x100 | 0x400  # addresses and routes, of IPv4 and IPv6
_NEW_ADDRESS = 20
_NEW_ROUTE = 24
_UNIVERSE = 0
_UNICAST = 1
_MOST = 65_536
_PAUSE = 60.0
"""Seconds between the end of the reports, or a failed attempt, and the next attempt to open a socket."""
_HEADER = struct.Struct("=IHHII")
_ADDRESS = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")


def is_good_news(messages: bytes) -> bool:
    """Return whether the kernel's messages report a new default route, or an address of global scope."""
    at = 0
    while at + _HEADER.size <= len(messages):
        length, kind, _, _, _ = _HEADER.unpack_from(messages, at)
        body = messages[at + _HEADER.size : at + length]
        if kind == _NEW_ADDRESS and len(body) >= _ADDRESS.size:
            _, _, _, scope, _ = _ADDRESS.unpack_from(body)
            if scope == _UNIVERSE:
                return True
        if kind == _NEW_ROUTE and len(body) >= _ROUTE.size:
            _, prefix, _, _, _, _, _, what, _ = _ROUTE.unpack_from(body)
            if prefix == 0 and what == _UNICAST:
                return True
        at += max((length + 3) & ~3, _HEADER.size)
    return False


def open_news() -> socket.socket | None:
    """Return a socket on which the kernel reports addresses and routes; None if the kernel refuses it."""
    try:
        routes = socket.socket(
            socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        )
        routes.bind((0, _GROUPS))
    except OSError as error:
        log.info(
            "the kernel's network events are unavailable (%s): lpad retries unreachable servers from time to"
            " time",
            error,
        )
        return None
    return routes


def watch_network(
    notify: Callable[[], None], *, news: Callable[[], socket.socket | None] = open_news
) -> Callable[[], None]:
    """Call `notify`, from another thread, whenever there may be a new default route or address.

    Without the kernel's reports, lpad retries waiting changes from time to time.

    Args:
        notify: a function that must return immediately and never raise.
        news: a function that opens the socket, such as `open_news`.

    Returns:
        A function that ends the watch.
    """
    routes = news()
    if routes is None:
        return lambda: None
    wake = os.eventfd(0, os.EFD_CLOEXEC)
    thread = threading.Thread(target=_listen, args=(routes, wake, notify, news), name="network", daemon=True)
    thread.start()

    def end() -> None:
        if thread.is_alive():
            os.eventfd_write(wake, 1)
            thread.join()
        os.close(wake)

    return end


def _listen(
    routes: socket.socket | None,
    wake: int,
    notify: Callable[[], None],
    news: Callable[[], socket.socket | None],
) -> None:
    ended = select.poll()
    ended.register(wake, select.POLLIN)
    while True:
        if routes is not None:
            with routes:
                if _pass_on(routes, wake, notify):
                    return
        if ended.poll(_PAUSE * 1000):
            return
        routes = news()
        _pass_on_one(None, notify)


def _pass_on(routes: socket.socket, wake: int, notify: Callable[[], None]) -> bool:
    """Call `notify` at good news; return whether the watch has ended, or else the kernel's reports."""
    poll = select.poll()
    poll.register(routes, select.POLLIN)
    poll.register(wake, select.POLLIN)
    while wake not in dict(poll.poll()):
        messages: bytes | None
        try:
            messages = routes.recv(_MOST)
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                log.warning("the kernel's network events have ended: %s; lpad opens another socket", error)
                return False
            messages = None
        _pass_on_one(messages, notify)
    return True


def _pass_on_one(messages: bytes | None, notify: Callable[[], None]) -> None:
    """Call `notify` if the messages are good news, or were lost (None)."""
    try:
        if messages is None or is_good_news(messages):
            notify()
    except Exception:  # no error may end the thread, because later reports would be lost
        log.exception("cannot report a change of the network: internal-error")
