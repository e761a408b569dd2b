"""The addresses of a host name: which are used, kept and forgotten, and the errors."""

from __future__ import annotations

import select
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from lpad.remote.sockets import name_resolution
from lpad.remote.sockets.name_resolution import KEPT, SLOW, Resolution, forget

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "smdp.example.com"
FOUND = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 443))


class Resolver:
    """A resolver with a fixed answer, and a clock that only a test or the resolver moves."""

    def __init__(self) -> None:
        self.now = 5000.0
        self.takes = 0.0
        self.asked: list[tuple[str, int]] = []
        self.answer: list[Any] | Exception = [FOUND]

    def getaddrinfo(self, host: str, port: int, **_: Any) -> list[Any]:
        self.asked.append((host, port))
        self.now += self.takes
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    made = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", made.getaddrinfo)
    monkeypatch.setattr(name_resolution, "time", made)  # replaces the clock of this module only
    forget(HOST, 443)
    yield made
    forget(HOST, 443)


def taken(host: str = HOST, port: int = 443) -> list[Any]:
    """Resolve a name and return its addresses."""
    with closing(Resolution(host, port)) as resolution:
        if not resolution.finished:  # a kept answer is there immediately
            select.select([resolution.bell], [], [], 30)
        return [address.to for address in resolution.take()]


def test_addresses_are_taken_once(resolver: Resolver) -> None:
    """A repeated address is returned once, and at most 32 addresses are returned."""
    resolver.answer = [FOUND, FOUND]
    assert taken() == [("192.0.2.1", 443)]
    resolver.answer = [(*FOUND[:4], (f"192.0.2.{number}", 443)) for number in range(40)]
    assert len(taken()) == 32


@pytest.mark.parametrize(
    ("error", "words"),
    [(socket.gaierror(-2, "Name or service not known"), "not known"), (UnicodeError(), "impossible name")],
)
def test_a_name_without_addresses_gives_the_reason(resolver: Resolver, error: Exception, words: str) -> None:
    """If a name cannot be resolved, or Python cannot encode it, the error gives the reason."""
    resolver.answer = error
    with pytest.raises(OSError, match=words):
        taken()


@pytest.mark.parametrize(
    ("takes", "later", "asked"),
    [(SLOW, 0.0, 2), (SLOW + 0.01, 0.0, 1), (SLOW + 0.01, KEPT - 1, 1), (SLOW + 0.01, KEPT, 2)],
)
def test_a_slow_answer_serves_the_next_attempt(
    resolver: Resolver, takes: float, later: float, asked: int
) -> None:
    """A slow answer is reused for KEPT seconds; a quick one is not reused."""
    resolver.takes = takes
    taken()
    resolver.now += later
    taken()
    assert len(resolver.asked) == asked


def test_only_an_unreachable_address_is_forgotten(resolver: Resolver) -> None:
    """`forget` removes the kept answer for a name and port, and not the one for another port."""
    resolver.takes = SLOW + 1
    taken()
    forget(HOST, 444)
    taken()
    assert len(resolver.asked) == 1
    forget(HOST, 443)
    taken()
    assert len(resolver.asked) == 2
