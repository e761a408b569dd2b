"""Host names with several addresses: lpad tries them in a race, so that dead ones cost little time."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lpad.base.cancellation import Cancellation
from lpad.base.deadline import Deadline
from lpad.base.errors import Cancelled
from lpad.remote.sockets import happy_eyeballs, name_resolution
from lpad.remote.sockets.address_order import AddressOrder
from lpad.remote.sockets.happy_eyeballs import Connected, LookUpError
from lpad.remote.sockets.name_resolution import Address
from lpad.remote.sockets.socket_waiting import SilenceError, Waiting
from remote.dead_address import swallowing

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "several.example.com"
OPEN = Path("/proc/self/fd")


def four(host: str) -> tuple[Any, ...]:
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 0))


def six(host: str = "::1") -> tuple[Any, ...]:
    return (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (host, 0, 0, 0))


class Names:
    """A double of getaddrinfo with fixed answers, which it holds back for chosen address families."""

    def __init__(self) -> None:
        self.all: list[tuple[Any, ...]] | OSError = []
        self.held = threading.Event()
        self.holds: set[int] = set()
        self.asked: list[int] = []

    def getaddrinfo(self, host: str, port: int, *, family: int, type: int) -> list[tuple[Any, ...]]:  # noqa: A002
        assert host == NAME
        assert type == socket.SOCK_STREAM
        self.asked.append(family)
        if family in self.holds:
            self.held.wait(60)
        if isinstance(self.all, OSError):
            raise self.all
        found = [each for each in self.all if family in (socket.AF_UNSPEC, each[0])]
        return [(*each[:4], (each[4][0], port, *each[4][2:])) for each in found]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    """The double that replaces getaddrinfo, with short delays of the race."""
    names = Names()
    monkeypatch.setattr("lpad.remote.sockets.name_resolution.socket.getaddrinfo", names.getaddrinfo)
    monkeypatch.setattr(name_resolution, "ALONE", 0.05)
    monkeypatch.setattr(happy_eyeballs, "DELAY", 0.02)
    yield names
    names.held.set()
    name_resolution.forget(NAME, 1)


def asking() -> list[threading.Thread]:
    """Return the threads that wait for a name server."""
    return [each for each in threading.enumerate() if each.name == f"resolve {NAME}"]


@contextmanager
def listening(host: str, port: int = 0) -> Iterator[int]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as server:
        yield server.getsockname()[1]


def connected(
    port: int,
    *,
    deadline: Deadline | None = None,
    silence: float | None = None,
    memory: AddressOrder | None = None,
) -> Connected:
    waiting = Waiting(deadline or Deadline.after(30), silence=silence)
    made = happy_eyeballs.connect(
        NAME, port, waiting=waiting, prepare=lambda _: None, memory=memory or AddressOrder()
    )
    made.socket.close()
    return made


def test_dead_addresses_cost_no_deadline(names: Names) -> None:
    """If the first eight addresses drop all packets, lpad still connects to the ninth."""
    dead = [f"127.0.0.{last}" for last in range(2, 10)]
    names.all = [*map(four, dead), four("127.0.0.10")]
    with ExitStack() as stack:
        port = stack.enter_context(listening("127.0.0.10"))
        for host in dead:
            stack.enter_context(swallowing(host, port))
        assert connected(port, silence=20).address.to[0] == "127.0.0.10"


def test_the_other_family_is_second(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses are ordered with the second family's first address in second place."""
    monkeypatch.setattr(happy_eyeballs, "DELAY", 0.1)
    memory = AddressOrder()
    found = [Address(*each) for each in (six("::1"), six("::2"), six("::3"), four("127.0.0.1"))]
    assert [each.to[0] for each in memory.ordered(found, interface=None)] == [
        "::1",
        "127.0.0.1",
        "::2",
        "::3",
    ]


def test_the_family_that_worked_is_first_the_next_time(names: Names) -> None:
    """After IPv4 has won against a dead IPv6 address, IPv4 is tried first, on this interface only."""
    memory = AddressOrder()
    names.all = [six(), four("127.0.0.1")]
    with listening("127.0.0.1") as port, swallowing("::1", port):
        assert connected(port, memory=memory).address.family == socket.AF_INET
    found = [Address(*each) for each in names.all]
    assert memory.ordered(found, interface=None)[0].family == socket.AF_INET
    assert memory.ordered(found, interface="wwan0")[0].family == socket.AF_INET6


def test_a_name_with_one_family_proves_nothing(names: Names) -> None:
    """After a connection to a name that has only IPv4 addresses, IPv6 is still tried first."""
    memory = AddressOrder()
    names.all = [four("127.0.0.1")]
    with listening("127.0.0.1") as port:
        connected(port, memory=memory)
    found = [Address(*six()), Address(*four("127.0.0.1"))]
    assert memory.ordered(found, interface=None)[0].family == socket.AF_INET6


def test_a_silent_address_is_tried_last(names: Names) -> None:
    """An address that is to be avoided is tried last on its interface."""
    memory = AddressOrder()
    names.all = [four("127.0.0.1"), four("127.0.0.2")]
    with listening("127.0.0.1") as port, listening("127.0.0.2", port):
        first = connected(port, memory=memory)
        assert first.others
        memory.avoid(first.address.to, interface=None)
        second = connected(port, memory=memory)
        assert second.address.to != first.address.to
        assert not second.others
        assert memory.is_avoided(first.address.to, interface=None)
        assert not memory.is_avoided(first.address.to, interface="wwan0")


def test_if_all_refuse_the_last_error_is_reported(names: Names) -> None:
    """If all addresses refuse, ConnectionRefusedError is raised."""
    names.all = [four("127.0.0.1"), six()]
    with listening("127.0.0.1") as port:
        pass
    with pytest.raises(ConnectionRefusedError):
        connected(port)


def test_one_refuses_and_the_next_takes_it(names: Names) -> None:
    """If one address refuses, the race continues with the next one."""
    names.all = [four("127.0.0.1"), four("127.0.0.2")]
    with listening("127.0.0.2") as port:
        assert connected(port).address.to[0] == "127.0.0.2"


def test_silent_addresses_end_the_race(names: Names) -> None:
    """A race of silent addresses ends after `silence` seconds, or at the deadline."""
    names.all = [four("127.0.0.1"), four("127.0.0.2")]
    with swallowing("127.0.0.1") as port, swallowing("127.0.0.2", port):
        with pytest.raises(SilenceError):
            connected(port, silence=0.2)
        with pytest.raises(TimeoutError) as caught:
            connected(port, deadline=Deadline.after(0.2))
        assert not isinstance(caught.value, SilenceError)


def test_a_name_server_that_never_answers_for_one_family(names: Names) -> None:
    """If a name server answers only for IPv4, lpad connects without waiting for IPv6."""
    names.all = [four("127.0.0.1")]
    names.holds = {socket.AF_UNSPEC, socket.AF_INET6}
    with listening("127.0.0.1") as port:
        assert connected(port).address.to[0] == "127.0.0.1"


def test_addresses_that_come_late_take_part(names: Names) -> None:
    """If a dead IPv6 address is found first, lpad tries the IPv4 address once it is found."""
    names.all = [six(), four("127.0.0.1")]
    names.holds = {socket.AF_UNSPEC, socket.AF_INET}
    with listening("127.0.0.1") as port, swallowing("::1", port):
        timer = threading.Timer(0.3, names.held.set)
        timer.start()
        assert connected(port).address.to[0] == "127.0.0.1"
        timer.join()


def test_an_answer_may_come_between_two_looks(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lpad connects even if the name server answers while lpad plans its next wait."""
    again_at = vars(name_resolution.Resolution)["again_at"].fget
    looks: list[float | None] = []

    def at_the_first_look_only(self: name_resolution.Resolution) -> float | None:
        looks.append(again_at(self))
        return looks[-1] if len(looks) % 2 else None

    monkeypatch.setattr(name_resolution.Resolution, "again_at", property(at_the_first_look_only))
    # Even on a busy machine, the first check must come before the families are resolved alone.
    monkeypatch.setattr(name_resolution, "ALONE", 1.0)
    names.holds.add(socket.AF_UNSPEC)
    names.all = [four("127.0.0.1")]
    with listening("127.0.0.1") as port:
        assert connected(port).address.to == ("127.0.0.1", port)
    assert looks[0] is not None


def test_an_answer_may_come_just_after_none_was_taken(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lpad uses an answer that arrives just after lpad has read the addresses found so far."""
    take = name_resolution.Resolution.take
    takes: list[int] = []

    def answered_afterwards(self: name_resolution.Resolution) -> list[Address]:
        found = take(self)
        takes.append(len(found))
        if len(takes) == 1:
            names.held.set()
            for thread in asking():
                thread.join(60)
        return found

    monkeypatch.setattr(name_resolution.Resolution, "take", answered_afterwards)
    names.holds.add(socket.AF_UNSPEC)
    names.all = [four("127.0.0.1")]
    with listening("127.0.0.1") as port:
        assert connected(port).address.to == ("127.0.0.1", port)
    assert takes[:2] == [0, 1]


def test_a_silent_name_server_ends_with_the_silence(names: Names) -> None:
    """If the name server is silent, the error is LookUpError, caused by SilenceError."""
    names.holds = {socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6}
    with pytest.raises(LookUpError) as caught:
        connected(1, silence=0.2)
    assert isinstance(caught.value.__cause__, SilenceError)


def test_a_late_answer_serves_the_next(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a name server is slower than an attempt, its later answer serves the next attempts."""
    monkeypatch.setattr(name_resolution, "SLOW", 0.05)
    names.all = [four("127.0.0.1")]
    names.holds = {socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6}
    with listening("127.0.0.1") as port:
        with pytest.raises(LookUpError):
            connected(port, silence=0.2)
        with pytest.raises(LookUpError):
            connected(port, silence=0.2)
        assert sorted(names.asked) == [socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6]
        names.held.set()
        assert connected(port).address.to[0] == "127.0.0.1"
        assert connected(port).address.to[0] == "127.0.0.1"
    assert len(names.asked) == 3
    with pytest.raises(ConnectionRefusedError):
        connected(port)
    with pytest.raises(ConnectionRefusedError):
        connected(port)
    assert len(names.asked) > 3, "a name without a reachable address was not looked up again"
    name_resolution.forget(NAME, port)


def test_an_unresolvable_name(names: Names) -> None:
    """An unresolvable name raises LookUpError with the resolver's error as its cause."""
    names.all = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    with pytest.raises(LookUpError) as caught:
        connected(1)
    assert caught.value.__cause__ is names.all


@pytest.mark.parametrize("what", ["names", "addresses"])
def test_a_race_can_be_cancelled(names: Names, what: str) -> None:
    """Another thread can cancel the race, whether it waits for names or for connections."""
    cancellation = Cancellation()
    deadline = Deadline.after(60, cancellation=cancellation)
    names.all = [four("127.0.0.1"), six()]
    if what == "names":
        names.holds = {socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6}
    with swallowing("127.0.0.1") as port, swallowing("::1", port):
        threading.Timer(0.2, partial(cancellation.cancel, "enough")).start()
        with pytest.raises(Cancelled, match="enough"):
            connected(port, deadline=deadline)
        assert deadline.remaining() > 50


def test_nothing_is_left_open(names: Names) -> None:
    """Connections that lose the race are closed, and no file descriptor is leaked."""
    names.all = [four("127.0.0.1"), four("127.0.0.2"), four("127.0.0.3")]
    with listening("127.0.0.3") as port, swallowing("127.0.0.1", port), swallowing("127.0.0.2", port):
        before = len(list(OPEN.iterdir()))
        connected(port)
        assert len(list(OPEN.iterdir())) == before
