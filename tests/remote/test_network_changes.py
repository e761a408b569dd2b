"""Network changes: lpad reports new routes and addresses, and ignores other messages of the kernel."""

from __future__ import annotations

import socket
import struct
import threading

import pytest

from lpad.remote import network_changes
from lpad.remote.network_changes import is_good_news, open_news, watch_network

PATIENCE = 30.0
NEW_ADDRESS, OLD_ADDRESS, NEW_ROUTE, OLD_ROUTE = 20, 21, 24, 25
UNIVERSE, LINK, HOST = 0, 253, 254
UNICAST, UNREACHABLE = 1, 7
ASK_FOR_ADDRESSES = 22


def message(kind: int, body: bytes) -> bytes:
    """Return a netlink message as the kernel sends it, with an attribute after its body."""
    body += struct.pack("=HHI", 8, 1, 0x0100007F)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


def address(kind: int = NEW_ADDRESS, *, scope: int = UNIVERSE) -> bytes:
    return message(kind, struct.pack("=BBBBI", socket.AF_INET, 24, 0, scope, 2))


def route(kind: int = NEW_ROUTE, *, prefix: int = 0, what: int = UNICAST) -> bytes:
    return message(kind, struct.pack("=BBBBBBBBI", socket.AF_INET, prefix, 0, 0, 254, 3, 0, what, 0))


@pytest.mark.parametrize(
    ("messages", "good"),
    [
        (route(), True),
        (address(), True),
        (address(scope=LINK) + route(prefix=24) + route(), True),
        (route(prefix=24), False),
        (route(what=UNREACHABLE), False),
        (route(OLD_ROUTE), False),
        (address(OLD_ADDRESS), False),
        (address(scope=HOST), False),
        (address(scope=LINK), False),
        (b"", False),
        (route()[:20], False),
        (bytes(40), False),
    ],
)
def test_messages_that_mean_a_new_route(messages: bytes, *, good: bool) -> None:
    """Only a new default route or a new global address is a network change."""
    assert is_good_news(messages) is good


def test_the_kernels_own_messages_can_be_read() -> None:
    """The kernel's real messages about loopback addresses are not a network change."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(PATIENCE)
        dump = 0x300 | 1
        kernel.send(struct.pack("=IHHIIBxxxI", 24, ASK_FOR_ADDRESSES, dump, 1, 0, socket.AF_INET, 0))
        told = kernel.recv(65536)
    loopback = [each for each in split(told) if b"lo\0" in each]
    assert loopback
    assert not any(map(is_good_news, loopback))


def split(messages: bytes) -> list[bytes]:
    """Return the netlink messages of a datagram as a list."""
    found = []
    while len(messages) >= 16:
        (length,) = struct.unpack_from("=I", messages)
        found.append(messages[:length])
        messages = messages[(length + 3) & ~3 :]
    return found


def test_the_kernel_lets_us_listen() -> None:
    """Lpad can listen to the kernel's messages without privileges, and stop listening."""
    opened = open_news()
    assert opened is not None
    opened.close()
    watch_network(lambda: None)()


def test_news_are_passed_on_until_the_end() -> None:
    """A new route is reported once, and other messages are not reported."""
    ours, kernels = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    told = threading.Semaphore(0)
    end = watch_network(told.release, news=lambda: ours)
    with kernels:
        kernels.send(address(scope=HOST))
        kernels.send(route())
        assert told.acquire(timeout=PATIENCE)
        end()
    assert not told.acquire(blocking=False)


def test_the_watch_continues_after_the_news_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the end of the kernel's reports, lpad tries until a socket opens; each attempt is good news."""
    monkeypatch.setattr(network_changes, "_PAUSE", 0.05)
    ours, kernels = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    unconnected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)  # reading from it is an error
    told = threading.Semaphore(0)
    sockets = iter([unconnected, None, ours])
    end = watch_network(told.release, news=lambda: next(sockets))
    with kernels:
        for _ in range(2):
            assert told.acquire(timeout=PATIENCE)
        kernels.send(route())
        assert told.acquire(timeout=PATIENCE)
        end()


def test_a_system_that_reports_nothing() -> None:
    """The watch begins and ends without an error, even if the system provides no socket for it."""
    watch_network(lambda: None, news=lambda: None)()


def test_a_mistake_over_the_news_does_not_end_the_watch() -> None:
    """If the function that gets a report raises an error, the next report still arrives."""
    kernel, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    told = threading.Semaphore(0)

    def notify() -> None:
        told.release()
        raise ValueError("a mistake in lpad")

    with kernel:
        end = watch_network(notify, news=lambda: ours)
        for _ in range(2):
            kernel.send(route())
            assert told.acquire(timeout=PATIENCE)
        end()
