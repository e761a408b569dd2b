"""Loopback addresses that drop connections, or accept them without an answer."""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from lpad.base.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


@contextmanager
def swallowing(host: str, port: int = 0) -> Iterator[int]:
    """Listen with a full queue, so that the kernel drops further connections; yield the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(0)
        deadline = Deadline.after(30)
        while True:
            filler = stack.enter_context(socket.socket(family))
            filler.settimeout(0.2)
            try:
                filler.connect(listener.getsockname())
            except TimeoutError:
                break
            assert not deadline.passed
        yield listener.getsockname()[1]


@contextmanager
def mute(host: str, port: int = 0) -> Iterator[int]:
    """Accept connections without sending anything; yield the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=64) as listener:
        yield listener.getsockname()[1]


@contextmanager
def behind_dead_addresses(name: str, port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a name resolve to two addresses that drop connections, followed by 127.0.0.1."""
    dead = ("127.0.0.2", "127.0.0.3")
    really = socket.getaddrinfo

    def getaddrinfo(host: str, wanted: int, *others: Any, **options: Any) -> list[tuple[Any, ...]]:
        if host != name:
            return list(really(host, wanted, *others, **options))
        if options.get("family") == socket.AF_INET6:
            raise socket.gaierror(socket.EAI_NONAME, "no address of this kind")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, wanted)) for each in (*dead, "127.0.0.1")]

    with ExitStack() as stack:
        for host in dead:
            stack.enter_context(swallowing(host, port))
        monkeypatch.setattr("lpad.remote.sockets.name_resolution.socket.getaddrinfo", getaddrinfo)
        yield
