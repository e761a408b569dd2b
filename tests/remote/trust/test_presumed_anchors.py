"""Servers that the usual anchors confirmed earlier need fewer handshakes, and get the same verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.base.deadline import Deadline
from lpad.base.errors import ServerUntrusted
from lpad.remote.trust.anchor_named_by_card import CardTrust
from lpad.remote.trust.trust_anchors import Offer, Trust
from lpad.remote.trust.trust_memory import TrustMemory
from remote.forge import DAY, Forged, Plan, authority, curve_key, forge, rsa_key
from remote.scripted_server import Reply

if TYPE_CHECKING:
    import ssl

    from remote.bench import Bench

ACCEPTED = Reply(204)
CI = authority("Test CI")
WEB = authority("Web CA", key=rsa_key(), roles=())
SUB_KEY = curve_key()
SUB = authority("Sub", issuer=CI, key=SUB_KEY)
"""A sub-CA that the card's CI has certified; AS_ROOT is the same one in the system's store."""
AS_ROOT = authority("Sub", key=SUB_KEY, roles=())


class SystemStore(Trust):
    """Trust with `roots` in place of the system's store; it counts how often they are loaded."""

    def __init__(self, *roots: Forged, memory: TrustMemory | None = None) -> None:
        super().__init__(use_system_roots=False, memory=memory)
        self.roots = b"".join(root.der for root in roots)
        self.loaded = 0

    def add_anchors(self, context: ssl.SSLContext, offer: Offer) -> None:
        super().add_anchors(context, offer)
        if offer.anchor is None:
            self.loaded += 1
            context.load_verify_locations(cadata=self.roots)


def handshakes(bench: Bench, trust: Trust, leaf: Forged, *above: Forged) -> int:
    """Send a notification to a server with this chain, and return the number of handshakes."""
    server = bench.server(ACCEPTED, credential=leaf, chain=above)  # type: ignore[arg-type]  # Forged will do
    client = bench.client(server, trust=trust, card=CardTrust("89", (CI.key_id,)))
    try:
        client.handle_notification(pending_notification=b"\x30\x00", deadline=Deadline.after(30))
    except ServerUntrusted:
        assert server.seen == []
        raise
    assert len(server.seen) == 1
    return server.connects


def test_the_roots_are_loaded_once(bench: Bench) -> None:
    """For five connections to a server under a public CA, the roots are loaded only twice."""
    trust, leaf = SystemStore(WEB), forge(WEB, Plan(roles=()))
    assert [handshakes(bench, trust, leaf) for _ in range(5)] == [1] * 5
    assert trust.loaded == 2


def test_a_server_that_moves_to_the_cards_ci(bench: Bench) -> None:
    """If a server gets a certificate of the card's CI, a second handshake is needed once."""
    trust, leaf = SystemStore(WEB), forge(CI, Plan())
    assert handshakes(bench, trust, forge(WEB, Plan(roles=()))) == 1
    assert [handshakes(bench, trust, leaf) for _ in range(2)] == [2, 1]


@pytest.mark.parametrize("seen_before", [False, True])
def test_a_chain_of_the_cards_that_the_system_confirms_too(bench: Bench, seen_before: bool) -> None:  # noqa: FBT001  a parameter of pytest
    """For a chain that leads to a CI of the card, only the card's CIs are anchors.

    An earlier chain of the server makes no difference.
    """
    trust, leaf = SystemStore(AS_ROOT), forge(AS_ROOT, Plan(roles=()))
    if seen_before:
        assert handshakes(bench, trust, leaf) == 1
    for _ in range(2):
        with pytest.raises(ServerUntrusted) as caught:
            handshakes(bench, trust, leaf, SUB)
        assert caught.value.details["cause"] == "role-missing"


@pytest.mark.parametrize("seen_before", [False, True])
def test_a_chain_of_the_cards_that_the_system_rejects(bench: Bench, seen_before: bool) -> None:  # noqa: FBT001  a parameter of pytest
    """A chain of the card's CI is trusted although the system's store has an expired root for it."""
    outdated = authority("Sub", key=SUB_KEY, roles=(), start=-2 * DAY, end=-DAY)
    trust = SystemStore(WEB, outdated)
    if seen_before:
        assert handshakes(bench, trust, forge(WEB, Plan(roles=()))) == 1
    assert handshakes(bench, trust, forge(SUB, Plan()), SUB) == 1 + seen_before


def test_an_unconfirmed_server(bench: Bench) -> None:
    """A server that was trusted and now shows an unknown chain is untrusted."""
    trust = SystemStore(WEB)
    assert handshakes(bench, trust, forge(WEB, Plan(roles=()))) == 1
    with pytest.raises(ServerUntrusted) as caught:
        handshakes(bench, trust, forge(authority("Stranger"), Plan()))
    assert caught.value.details["cause"] == "unknown-ca"


def test_the_number_of_servers_is_limited() -> None:
    """Of the servers that the usual anchors confirmed, the latest 64 are remembered."""
    memory = TrustMemory()
    for number in range(64):
        memory.remember_usual(f"{number}.example.com", needed=True)
    memory.remember_usual("0.example.com", needed=True)
    memory.remember_usual("last.example.com", needed=True)
    known = [number for number in range(64) if memory.needs_usual(f"{number}.example.com")]
    assert known == [0, *range(2, 64)]
