"""Servers that only the card's list of CIs confirms: handshakes, stored anchors and refusals."""

from __future__ import annotations

import base64
import json
import logging
import ssl
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from lpad.base.deadline import Deadline
from lpad.base.errors import ServerUntrusted
from lpad.remote.trust.anchor_named_by_card import Anchor, CardTrust
from lpad.remote.trust.trust_anchors import Trust
from lpad.remote.trust.trust_memory import TrustMemory
from lpad.simulator.pki import certificate_making as making
from lpad.simulator.pki.credential import Curve
from remote.bench import NAME
from remote.chain_table import LATER
from remote.forge import DAY, Plan, authority, forge
from remote.scripted_server import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.simulator.pki.credential import Credential
    from remote.bench import Bench
    from remote.scripted_server import ScriptedServer

ACCEPTED = Reply(204)
EID = "89049032123451234512345678901235"


def card_of(*issuers: Credential, eid: str = EID) -> CardTrust:
    return CardTrust(eid, tuple(issuer.key_id for issuer in issuers))


def notify(
    bench: Bench, server: ScriptedServer, card: CardTrust, trust: Trust, *, address: str = NAME
) -> None:
    client = bench.client(server, address=address, trust=trust, card=card)
    client.handle_notification(pending_notification=b"\x30\x00", deadline=Deadline.after(30))
    client.close()


@pytest.fixture
def remembering(tmp_path: Path) -> Trust:
    """Trust without anchors of its own, which stores the card's anchors in a file."""
    return Trust(use_system_roots=False, memory=TrustMemory(tmp_path / "servers.json"))


def again(tmp_path: Path) -> Trust:
    """Return trust with the same file, as after a restart."""
    return Trust(use_system_roots=False, memory=TrustMemory(tmp_path / "servers.json"))


@pytest.mark.parametrize("curve", list(Curve))
def test_the_card_vouches(bench: Bench, remembering: Trust, curve: Curve, tmp_path: Path) -> None:
    """A server under a CI that the card names is trusted, later and after a restart in one handshake."""
    server = bench.server(ACCEPTED, credential=bench.pki.dp_tls(NAME, curve=curve))
    card = card_of(*bench.pki.ci.values())
    notify(bench, server, card, remembering)
    # If OpenSSL lacks brainpool in TLS 1.3, it is offered only after a handshake without it.
    assert server.connects == (1 if curve is Curve.NIST or LATER else 2)
    assert len(server.seen) == 1
    for trust in (remembering, again(tmp_path)):
        server.connects = 0
        notify(bench, server, card, trust)
        assert server.connects == 1


def test_nothing_is_sent_before_the_server_is_verified(bench: Bench, remembering: Trust) -> None:
    """A server under an unknown CA is refused after one handshake, and gets no request."""
    server = bench.server(ACCEPTED, credential=bench.pki.strangers_tls(NAME))
    with pytest.raises(ServerUntrusted) as caught:
        notify(bench, server, card_of(*bench.pki.ci.values()), remembering)
    assert caught.value.details["cause"] == "unknown-ca"
    assert server.seen == []
    assert server.connects == 1


def test_another_card_does_not_inherit(bench: Bench, remembering: Trust) -> None:
    """A server that one card confirms is not trusted for a card with other CIs or none."""
    server = bench.server(ACCEPTED)
    notify(bench, server, card_of(bench.pki.ci[Curve.NIST]), remembering)
    with pytest.raises(ServerUntrusted):
        notify(bench, server, card_of(bench.pki.ci[Curve.BRAINPOOL], eid="1"), remembering)
    with pytest.raises(ServerUntrusted):
        notify(bench, server, CardTrust("2", None), remembering)


def test_a_card_that_is_out(bench: Bench, remembering: Trust, tmp_path: Path) -> None:
    """While the card has not been read after a restart, its last list of CIs counts."""
    server = bench.server(ACCEPTED)
    notify(bench, server, card_of(bench.pki.ci[Curve.NIST]), remembering)
    notify(bench, server, CardTrust(EID, None), again(tmp_path))
    assert len(server.seen) == 2


def test_a_renewed_certificate_is_examined_again(bench: Bench, remembering: Trust) -> None:
    """A renewed server certificate needs a second handshake once."""
    card = card_of(*bench.pki.ci.values())
    notify(bench, bench.server(ACCEPTED), card, remembering)
    renewed = making.make_dp_tls(bench.pki.ci[Curve.NIST], NAME)
    server = bench.server(ACCEPTED, credential=renewed)
    notify(bench, server, card, remembering)
    assert server.connects == 2
    notify(bench, server, card, remembering)
    assert server.connects == 3


def test_a_sub_ca_is_renewed(bench: Bench, remembering: Trust) -> None:
    """A sub-CA's renewed certificate replaces an expired stored one, after a second handshake."""
    ci = bench.pki.ci[Curve.NIST]
    old = authority("Sub-CA", issuer=ci, start=-9 * DAY, end=2 * DAY)
    expired = authority("Sub-CA", issuer=ci, key=old.key, start=-9 * DAY, end=-DAY)
    remembering.memory.remember_anchor(NAME, Anchor(expired.der, ci.key_id))
    server = bench.server(ACCEPTED, credential=forge(old, Plan()), chain=(old,))  # type: ignore[arg-type]  # Forged will do
    notify(bench, server, card_of(ci), remembering)
    assert server.connects == 2
    notify(bench, server, card_of(ci), remembering)
    assert server.connects == 3


def test_an_anchor_that_is_right_is_kept(bench: Bench, remembering: Trust) -> None:
    """If a stored anchor matches, another fault of the server is reported after one handshake."""
    ci = bench.pki.ci[Curve.NIST]
    sub_ca = authority("Sub-CA", issuer=ci)
    remembering.memory.remember_anchor(NAME, Anchor(sub_ca.der, ci.key_id))
    credential = forge(sub_ca, Plan(start=-9 * DAY, end=-DAY))
    server = bench.server(ACCEPTED, credential=credential, chain=(sub_ca,))  # type: ignore[arg-type]  # Forged will do
    with pytest.raises(ServerUntrusted) as caught:
        notify(bench, server, card_of(ci), remembering)
    assert caught.value.details["cause"] == "certificate-expired"
    assert server.connects == 1


def test_a_server_moves_to_the_webs_pki(bench: Bench, tmp_path: Path) -> None:
    """If a stored anchor no longer matches, the usual anchors are used after a second handshake."""
    own = bench.pki.strangers_tls(NAME)
    trust = Trust([own.der], use_system_roots=False, memory=TrustMemory(tmp_path / "servers.json"))
    card = card_of(*bench.pki.ci.values())
    notify(bench, bench.server(ACCEPTED), card, trust)
    server = bench.server(ACCEPTED, credential=own)
    notify(bench, server, card, trust)
    assert server.connects == 2
    notify(bench, server, card, trust)
    assert server.connects == 3


def test_clock_never_set(bench: Bench, remembering: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the clock was never set, the error about a certificate's dates has the cause clock-not-set."""
    long_ago = datetime(1970, 1, 2, tzinfo=UTC).timestamp()
    server = bench.server(ACCEPTED, credential=bench.pki.dp_tls(NAME, expired=True))
    monkeypatch.setattr(time, "time", lambda: long_ago)
    with pytest.raises(ServerUntrusted) as caught:
        notify(bench, server, card_of(*bench.pki.ci.values()), remembering)
    assert caught.value.details["cause"] == "clock-not-set"
    assert caught.value.retryable


def test_what_failed_is_not_remembered(bench: Bench, remembering: Trust, tmp_path: Path) -> None:
    """If a server is refused for its missing role, no anchor is stored."""
    ci = bench.pki.ci[Curve.NIST]
    server = bench.server(ACCEPTED, credential=forge(ci, Plan(roles=())))  # type: ignore[arg-type]  # Forged will do
    with pytest.raises(ServerUntrusted) as caught:
        notify(bench, server, card_of(ci), remembering)
    assert caught.value.details["cause"] == "role-missing"
    assert json.loads((tmp_path / "servers.json").read_text())["anchors"] == []


def test_brainpool_given_up(bench: Bench, remembering: Trust) -> None:
    """A server that needed brainpool and now only supports TLS 1.3 is still reached."""
    card = card_of(*bench.pki.ci.values())
    old = bench.server(ACCEPTED, credential=bench.pki.dp_tls(NAME, curve=Curve.BRAINPOOL))
    notify(bench, old, card, remembering)
    server = bench.server(ACCEPTED)
    server.context.minimum_version = ssl.TLSVersion.TLSv1_3
    notify(bench, server, card, remembering)
    assert len(server.seen) == 1


@pytest.mark.parametrize("length", [16, 18, 20])
def test_first_bytes_of_an_identifier(bench: Bench, remembering: Trust, length: int) -> None:
    """A card may name a CI by the first 16 or more bytes of its key identifier."""
    ci = bench.pki.ci[Curve.NIST]
    server = bench.server(ACCEPTED)
    notify(bench, server, CardTrust(EID, (ci.key_id[:length],)), remembering)
    assert len(server.seen) == 1


@pytest.mark.parametrize("length", [0, 3, 4, 8, 15])
def test_too_few_bytes_of_an_identifier(bench: Bench, remembering: Trust, length: int) -> None:
    """A CI that the card names by fewer than 16 bytes of its key identifier is not trusted."""
    ci = bench.pki.ci[Curve.NIST]
    with pytest.raises(ServerUntrusted):
        notify(bench, bench.server(ACCEPTED), CardTrust(EID, (ci.key_id[:length],)), remembering)


@pytest.mark.test_data
@pytest.mark.parametrize("curve", ["NIST", "BRP"])
def test_published_certificates_by_few_bytes(
    bench: Bench, remembering: Trust, test_data: Path, curve: str
) -> None:
    """A CI that lpad knows, such as SGP.26's, may be named by 4 bytes of its identifier, but not by 3."""
    published = type(bench.pki).open(test_data / "sgp26", minted=bench.folder)
    name = "testsmdpplus1.example.com"
    server = bench.server(ACCEPTED, credential=published.dp_tls(name, curve=Curve(curve)))
    key_id = published.ci[Curve(curve)].key_id
    for listed in (key_id, key_id[:4]):
        notify(bench, server, CardTrust(EID, (listed,)), remembering, address=name)
    with pytest.raises(ServerUntrusted):
        notify(bench, server, CardTrust("1", (key_id[:3],)), remembering, address=name)


def test_the_memory_file_names_no_card(bench: Bench, remembering: Trust, tmp_path: Path) -> None:
    """The file of stored anchors has mode 0600 and contains no EID."""
    notify(bench, bench.server(ACCEPTED), card_of(*bench.pki.ci.values()), remembering)
    path = tmp_path / "servers.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert EID not in path.read_text()


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"format": 1}', '{"format": 9}', '{"format":1,"anchors":[1],"cards":{},"brainpool":[]}'],
)
def test_a_damaged_memory_file_is_started_again(
    bench: Bench, tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A file of anchors that is damaged or has another format is replaced."""
    path = tmp_path / "servers.json"
    path.write_text(content)
    with caplog.at_level(logging.WARNING):
        trust = again(tmp_path)
    notify(bench, bench.server(ACCEPTED), card_of(*bench.pki.ci.values()), trust)
    assert len(json.loads(path.read_text())["anchors"]) == 1


def test_memory_that_cannot_be_written(
    bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """If the file of anchors cannot be written, the anchors are kept in memory, and a log line says this."""
    trust = Trust(use_system_roots=False, memory=TrustMemory(tmp_path / "no" / "servers.json"))
    server = bench.server(ACCEPTED)
    for _ in range(2):
        notify(bench, server, card_of(*bench.pki.ci.values()), trust)
    assert server.connects == 2
    assert "servers.json" in caplog.text


def test_memory_is_bounded(tmp_path: Path) -> None:
    """The file of anchors keeps the latest 64 entries of each kind."""
    memory = TrustMemory(tmp_path / "servers.json")
    for number in range(100):
        memory.remember_anchor(f"s{number}.example", Anchor(b"\x30" * 900, bytes(20)))
        memory.remember_brainpool(f"s{number}.example", needed=True)
        memory.authorities(str(number), (bytes(20),))
    content = json.loads((tmp_path / "servers.json").read_text())
    assert [len(content[part]) for part in ("anchors", "brainpool", "cards")] == [64, 64, 64]
    assert content["anchors"][-1]["server"] == "s99.example"


def test_ecdsa_is_loaded_when_asked_for() -> None:
    """The daemon does not load the package ecdsa at its start."""
    code = "import sys, lpad.daemon.remote_servers, lpad.daemon.daemon; print('ecdsa' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("position", [0, 1, 3, 60, 200, 300, 420, -40, -1])
@pytest.mark.parametrize("with_sub_ca", [False, True])
def test_memory_with_a_flipped_bit(
    bench: Bench, remembering: Trust, tmp_path: Path, position: int, *, with_sub_ca: bool
) -> None:
    """If a stored anchor has a flipped bit, requests still succeed, and the anchor is replaced."""
    ci = bench.pki.ci[Curve.NIST]
    sub_ca = authority("Sub-CA", issuer=ci)
    chain = (sub_ca,) if with_sub_ca else ()
    credential = forge(sub_ca if with_sub_ca else ci, Plan())
    server = bench.server(ACCEPTED, credential=credential, chain=chain)  # type: ignore[arg-type]  # Forged will do
    notify(bench, server, card_of(ci), remembering)
    path = tmp_path / "servers.json"
    content = json.loads(path.read_text())
    kept = bytearray(base64.b64decode(content["anchors"][0]["certificate"]))
    kept[position] ^= 4
    content["anchors"][0]["certificate"] = base64.b64encode(kept).decode()
    path.write_text(json.dumps(content))
    for _ in range(2):
        notify(bench, server, card_of(ci), again(tmp_path))
    server.connects = 0
    notify(bench, server, card_of(ci), again(tmp_path))
    assert server.connects == 1
