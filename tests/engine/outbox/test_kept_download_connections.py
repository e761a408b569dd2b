"""A download's connection is kept for one server, card and user at a time, and is finally closed."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from lpad.base.errors import ServerUnreachable
from lpad.base.server_address import ServerAddress
from lpad.engine.outbox import kept_download_connections
from lpad.engine.outbox.kept_download_connections import KeptConnections
from lpad.remote.es9plus import Es9Plus
from lpad.remote.trust.trust_anchors import Trust

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

ADDRESS = ServerAddress.parse("smdp.example.com")
EID, OTHER = "89" * 16, "98" * 16


class _Connections(KeptConnections):
    """Kept connections that record, in order, which were opened and which were closed."""

    def __init__(self) -> None:
        self.closed: list[Es9Plus] = []
        self.opened: list[Es9Plus] = []
        super().__init__(self._opened)

    @contextmanager
    def _opened(self, address: ServerAddress, _eid: str) -> Iterator[Es9Plus]:
        server = Es9Plus(address, trust=Trust(use_system_roots=False))
        self.opened.append(server)
        yield server
        self.closed.append(server)

    def kept(self, eid: str = EID) -> Es9Plus:
        """Keep a new connection for a card, and return it."""
        server = Es9Plus(ADDRESS, trust=Trust(use_system_roots=False))
        closing = ExitStack()
        closing.callback(self.closed.append, server)
        self.keep(server, eid, closing)
        return server


def test_one_that_is_kept_is_used_again() -> None:
    """A kept connection serves its card several times; another card or server gets its own connection."""
    connections = _Connections()
    server = connections.kept()
    for _ in range(2):
        with connections.open(ADDRESS, EID) as used:
            assert used is server
    with connections.open(ADDRESS, OTHER) as used:
        assert used is not server
    with connections.open(ServerAddress.parse("other.example.com"), EID) as used:
        assert used is not server
    assert connections.closed == connections.opened


def test_two_users_do_not_share_one() -> None:
    """While one user has the kept connection, another user gets a new one."""
    connections = _Connections()
    server = connections.kept()
    with connections.open(ADDRESS, EID) as first, connections.open(ADDRESS, EID) as second:
        assert (first is server, second is server) == (True, False)


def test_an_error_closes_it() -> None:
    """After an error, the next user gets a new connection."""
    connections = _Connections()
    server = connections.kept()
    with suppress(ServerUnreachable), connections.open(ADDRESS, EID):
        raise ServerUnreachable("gone")
    assert connections.closed == [server]
    assert connections.seconds() is None


def test_it_is_closed_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kept connection closes when its time is over, or a later one of its server and card replaces it."""
    connections = _Connections()
    first = connections.kept()
    seconds = connections.seconds()
    assert seconds is not None
    assert 0 < seconds <= kept_download_connections.KEPT
    monkeypatch.setattr(kept_download_connections, "KEPT", 0.0)
    second = connections.kept()
    assert connections.closed == [first], "the earlier one of the same server and card"
    connections.close_old()
    assert connections.closed == [first, second]


def test_the_end_closes_all() -> None:
    """A connection still in use at the end is closed after its use, and no further one is kept."""
    connections = _Connections()
    other = connections.kept(OTHER)
    server = connections.kept()
    with connections.open(ADDRESS, EID):
        connections.end()
        assert connections.closed == [other]
    assert connections.closed == [other, server]
    assert connections.kept() in connections.closed
    assert connections.seconds() is None
