"""Anchors that lpad adds during a handshake, and handshakes in which this is impossible."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.base.deadline import Deadline
from lpad.base.errors import MalformedError, ServerUntrusted
from lpad.remote.trust import chain_during_handshake
from lpad.remote.trust.anchor_named_by_card import CardTrust
from lpad.remote.trust.trust_anchors import Trust
from lpad.simulator.pki.credential import Curve
from remote.bench import NAME
from remote.forge import Plan, authority, forge, rsa_key
from remote.scripted_server import Reply

if TYPE_CHECKING:
    from remote.bench import Bench
    from remote.scripted_server import ScriptedServer

ACCEPTED = Reply(204)
LEAF, ABOVE = b"\x30\x01\x05", b"\x30\x00"


def notify(bench: Bench, server: ScriptedServer, trust: Trust) -> None:
    card = CardTrust("89", (bench.pki.ci[Curve.NIST].key_id,))
    client = bench.client(server, trust=trust, card=card)
    client.handle_notification(pending_notification=b"\x30\x00", deadline=Deadline.after(30))


def no_anchors() -> Trust:
    return Trust(use_system_roots=False)


def message(*parts: bytes) -> bytes:
    body = b"".join(parts)
    return b"\x0b" + len(body).to_bytes(3) + body


def entry(certificate: bytes, extensions: bytes | None = None) -> bytes:
    after = b"" if extensions is None else len(extensions).to_bytes(2) + extensions
    return len(certificate).to_bytes(3) + certificate + after


def listed(*entries: bytes) -> bytes:
    return sum(map(len, entries)).to_bytes(3) + b"".join(entries)


def test_tls_1_2() -> None:
    """Lpad reads the certificates from the TLS 1.2 message, a list of certificates."""
    raw = message(listed(entry(LEAF), entry(ABOVE)))
    assert chain_during_handshake.certificates(raw, tls_1_3=False) == [LEAF, ABOVE]


def test_tls_1_3() -> None:
    """Lpad reads the certificates from the TLS 1.3 message, with a context and extensions."""
    raw = message(b"\x02ab", listed(entry(LEAF, b"12345"), entry(ABOVE, b"")))
    assert chain_during_handshake.certificates(raw, tls_1_3=True) == [LEAF, ABOVE]


def test_an_empty_list_has_no_certificates() -> None:
    """A certificate message with an empty list has no certificates."""
    assert chain_during_handshake.certificates(message(b"\x00", listed()), tls_1_3=True) == []


WHOLE = message(b"\x00", listed(entry(LEAF, b""), entry(ABOVE, b"")))


@pytest.mark.parametrize("length", range(4, len(WHOLE)))
def test_a_truncated_message_is_malformed(length: int) -> None:
    """A certificate message that is cut off at any place is malformed."""
    with pytest.raises(MalformedError):
        chain_during_handshake.certificates(WHOLE[:length], tls_1_3=True)


def test_bytes_after_the_list() -> None:
    """A certificate message with bytes after its list is malformed."""
    with pytest.raises(MalformedError):
        chain_during_handshake.certificates(WHOLE + b"\x00", tls_1_3=True)


def test_without_the_hook(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """If Python has no hook for TLS messages, a second handshake uses the anchor."""
    monkeypatch.setattr(chain_during_handshake, "CAN_WATCH", False)
    server = bench.server(ACCEPTED)
    notify(bench, server, no_anchors())
    assert (server.connects, len(server.seen)) == (2, 1)


def test_with_a_silent_hook(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the hook does not see the certificates, a second handshake uses the anchor."""
    monkeypatch.setattr(chain_during_handshake, "watch", lambda *_: None)
    server = bench.server(ACCEPTED)
    notify(bench, server, no_anchors())
    assert (server.connects, len(server.seen)) == (2, 1)


def test_with_a_silent_hook_and_the_usual_anchors(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the hook does not see the certificates, a server under the usual anchors is still trusted."""
    monkeypatch.setattr(chain_during_handshake, "watch", lambda *_: None)
    web = authority("Web CA", key=rsa_key(), roles=())
    server = bench.server(ACCEPTED, credential=forge(web, Plan(roles=())))  # type: ignore[arg-type]  # Forged will do
    notify(bench, server, Trust([web.der], use_system_roots=False))
    assert (server.connects, len(server.seen)) == (2, 1)


def test_with_a_silent_hook_and_no_anchor(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the hook does not see the certificates, an untrusted server still gets no request."""
    monkeypatch.setattr(chain_during_handshake, "watch", lambda *_: None)
    server = bench.server(ACCEPTED, credential=bench.pki.strangers_tls(NAME))
    with pytest.raises(ServerUntrusted) as caught:
        notify(bench, server, no_anchors())
    assert caught.value.details["cause"] == "unknown-ca"
    assert server.seen == []


def test_a_message_that_cannot_be_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """If lpad cannot read the certificates' message, a second handshake uses the anchor."""

    def unreadable(message: bytes, *, tls_1_3: bool) -> list[bytes]:
        raise MalformedError(f"{len(message)} bytes, {tls_1_3}")

    monkeypatch.setattr(chain_during_handshake, "certificates", unreadable)
    server = bench.server(ACCEPTED)
    notify(bench, server, no_anchors())
    assert (server.connects, len(server.seen)) == (2, 1)


def test_an_issuer_that_did_not_sign(bench: Bench) -> None:
    """A server whose certificate names the card's CI without being signed by it is untrusted."""
    ci = bench.pki.ci[Curve.NIST]
    lying = Plan(issuer_key_id=ci.key_id)
    server = bench.server(ACCEPTED, credential=forge(authority("Stranger"), lying))  # type: ignore[arg-type]  # Forged will do
    with pytest.raises(ServerUntrusted) as caught:
        notify(bench, server, no_anchors())
    assert caught.value.details["cause"] == "unknown-ca"
    assert (server.connects, server.seen) == (1, [])


def test_the_operators_word_first(bench: Bench) -> None:
    """If a server's own certificate is an anchor, the server is trusted even without a role."""
    ci = bench.pki.ci[Curve.NIST]
    credential = forge(ci, Plan(roles=()))
    server = bench.server(ACCEPTED, credential=credential)  # type: ignore[arg-type]  # Forged will do
    notify(bench, server, Trust([credential.der], use_system_roots=False))
    assert (server.connects, len(server.seen)) == (1, 1)
    with pytest.raises(ServerUntrusted, match="names no role"):
        notify(bench, server, no_anchors())


def test_the_hook_ends_with_the_handshake(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the handshake, the hook is removed."""
    watched = []
    before = chain_during_handshake.watch

    def counting(context: object, arrived: object) -> None:
        before(context, arrived)  # type: ignore[arg-type]  # as given
        watched.append(context)

    monkeypatch.setattr(chain_during_handshake, "watch", counting)
    notify(bench, bench.server(ACCEPTED), no_anchors())
    assert [each._msg_callback for each in watched] == [None]  # type: ignore[attr-defined]  # what Python calls
