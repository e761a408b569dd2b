"""The report of `lpactl trust check`: the server's chain, its anchor, or the cause and the advice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from known_issuers import knowing
from lpad.base.deadline import Deadline
from lpad.base.errors import ServerUnreachable
from lpad.base.server_address import ServerAddress
from lpad.remote.es9plus import Es9Plus
from lpad.remote.https.proxy_and_interface import Proxy, Route
from lpad.remote.trust.anchor_named_by_card import CardTrust
from lpad.remote.trust.trust_anchors import Trust
from lpad.simulator.pki import certificate_making as making
from lpad.simulator.pki.credential import Curve
from remote import proxy_double
from remote.bench import NAME
from remote.forge import Plan, authority, forge, rsa_key
from remote.scripted_server import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.remote.trust.server_trust_report import TrustReport
    from remote.bench import Bench
    from remote.scripted_server import ScriptedServer

ACCEPTED = Reply(204)
EID = "89049032123451234512345678901235"


def checked(
    bench: Bench, server: ScriptedServer, *listed: bytes, trust: Trust | None = None, address: str = NAME
) -> TrustReport:
    client = bench.client(
        server,
        address=address,
        trust=trust or Trust(use_system_roots=False),
        card=CardTrust(EID, listed),
    )
    found = client.check_trust(deadline=Deadline.after(30))
    assert server.seen == []
    return found


def test_an_anchor_of_the_card_is_named_with_its_key(bench: Bench) -> None:
    """If the card confirms a server, the report gives the chain and the CI's key identifier."""
    ci = bench.pki.ci[Curve.NIST]
    found = checked(bench, bench.server(ACCEPTED), ci.key_id)
    assert (found.trusted, found.anchor, found.handshakes) == (True, "card", 1)
    assert found.issuer_key_id == ci.key_id.hex()
    assert ci.key_id.hex() in found.why
    assert found.tls == "TLSv1.3"
    assert [(each.subject, each.roles, each.on_path) for each in found.chain] == [(NAME, ("dp-tls",), True)]
    assert found.chain[0].signed_by == (ci.key_id.hex(),)
    assert found.chain[0].key == "P-256"
    assert [(each.key_id, each.counts) for each in found.card] == [(ci.key_id.hex(), True)]


def test_an_anchor_of_the_operator_is_named(bench: Bench) -> None:
    """If an anchor of the operator confirms a server, the report names it."""
    found = checked(bench, bench.server(ACCEPTED), trust=bench.trust)
    assert (found.trusted, found.anchor, found.anchor_subject) == (True, "operator", "Test CI")


def test_an_anchor_of_the_system_is_named(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a CA of the system's store confirms a server, the report names it as the system's."""
    web = making.make_ci(Curve.NIST, name="Web CA")
    store = tmp_path / "store.pem"
    store.write_bytes(web.certificate.public_bytes(Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(store))
    server = bench.server(ACCEPTED, credential=making.make_dp_tls(web, NAME))
    found = checked(bench, server, trust=Trust())
    assert (found.trusted, found.anchor, found.anchor_subject) == (True, "system", "Web CA")


@pytest.mark.parametrize("known", [True, False])
def test_a_chain_of_the_web(bench: Bench, known: bool) -> None:  # noqa: FBT001 - a parameter
    """The report shows a chain with RSA keys and marks the certificates on its path, trusted or not."""
    web = authority("Web CA", key=rsa_key(), roles=())
    below = authority("Web sub-CA", issuer=web, key=rsa_key())
    other = authority("Other CA", key=rsa_key(), roles=())
    server = bench.server(ACCEPTED, credential=forge(below, Plan(roles=())), chain=[below, other, web])  # type: ignore[arg-type]  # Forged will do
    found = checked(bench, server, trust=Trust([web.der] if known else [], use_system_roots=False))
    assert found.trusted is known
    assert [each.key for each in found.chain] == ["P-256", "RSA", "RSA", "RSA"]
    assert [(each.subject, each.on_path) for each in found.chain] == [
        (NAME, True),
        ("Web sub-CA", True),
        ("Other CA", False),
        ("Web CA", True),
    ]


def test_without_an_anchor_the_missing_certificate_is_named(bench: Bench) -> None:
    """For an unknown CA, the advice names the issuer, its key identifier and trust.d."""
    stranger = making.make_ci(Curve.NIST, name="Strange CI")
    server = bench.server(ACCEPTED, credential=making.make_dp_tls(stranger, NAME))
    found = checked(bench, server, bench.pki.ci[Curve.NIST].key_id)
    assert (found.trusted, found.anchor, found.cause) == (False, None, "unknown-ca")
    assert "trust check" not in found.why, "the reason names the command that its reader has run"
    assert found.advice is not None
    for told in ("Strange CI", stranger.key_id.hex(), "trust.d"):
        assert told in found.advice


def test_a_forbidden_ci(bench: Bench) -> None:
    """If the settings forbid the server's CI, the advice names the setting."""
    ci = bench.pki.ci[Curve.NIST]
    trust = Trust(use_system_roots=False, forbidden=[ci.key_id])
    found = checked(bench, bench.server(ACCEPTED), ci.key_id, trust=trust)
    assert not found.trusted
    assert not found.card[0].counts
    assert found.advice is not None
    assert "trust.forbidden_issuers" in found.advice


def test_a_test_ci_left_in_a_product(bench: Bench, tmp_path: Path) -> None:
    """A test CI next to a production CI on a card counts only if the setting forbids no CI."""
    ci, product = bench.pki.ci[Curve.NIST].key_id, bytes(range(20))
    server = bench.server(ACCEPTED)
    with knowing(tmp_path, production=product, test=ci):
        found = checked(bench, server, ci, product)
        assert (found.trusted, found.cause) == (False, "unknown-ca")
        assert [each.counts for each in found.card] == [False, True]
        assert "trust.forbidden_issuers" in str(found.advice)
        assert checked(bench, server, ci).trusted, "a card that names only the test CI is affected"
        allowing = Trust(use_system_roots=False, forbidden=[])
        assert checked(bench, server, ci, product, trust=allowing).trusted


def test_too_short_an_identifier(bench: Bench) -> None:
    """If the card names too few bytes of the CI's key identifier, the advice states this."""
    ci = bench.pki.ci[Curve.NIST]
    found = checked(bench, bench.server(ACCEPTED), ci.key_id[:8])
    assert found.advice is not None
    assert "first 8 bytes" in found.advice


@pytest.mark.test_data
def test_a_ci_known_by_name(bench: Bench, test_data: Path) -> None:
    """If lpad knows the server's CI, the report gives the CI's name."""
    published = type(bench.pki).open(test_data / "sgp26", minted=bench.folder)
    name = "testsmdpplus1.example.com"
    server = bench.server(ACCEPTED, credential=published.dp_tls(name))
    found = checked(bench, server, bench.pki.ci[Curve.NIST].key_id, address=name)
    assert found.advice is not None
    assert "GSMA SGP.26 test CI, NIST P-256" in found.advice
    trusted = checked(bench, server, published.ci[Curve.NIST].key_id, address=name)
    assert trusted.card[0].name == "GSMA SGP.26 test CI, NIST P-256"
    assert trusted.card[0].test


@pytest.mark.test_data
def test_a_test_ci_on_a_product(bench: Bench, test_data: Path) -> None:
    """SGP.26's test CI next to another CI on a card does not count, and the advice names it."""
    published = type(bench.pki).open(test_data / "sgp26", minted=bench.folder)
    name = "testsmdpplus1.example.com"
    server = bench.server(ACCEPTED, credential=published.dp_tls(name))
    test_ci, product_ci = published.ci[Curve.NIST].key_id, bench.pki.ci[Curve.NIST].key_id
    found = checked(bench, server, product_ci, test_ci, address=name)
    assert (found.trusted, found.cause) == (False, "unknown-ca")
    assert [each.counts for each in found.card] == [True, False]
    assert found.advice is not None
    assert "GSMA SGP.26 test CI, NIST P-256" in found.advice
    assert "trust.forbidden_issuers" in found.advice
    allowed = Trust(use_system_roots=False, forbidden=())
    assert checked(bench, server, product_ci, test_ci, address=name, trust=allowed).trusted


def test_another_fault_is_reported_with_its_cause_and_the_chain(bench: Bench) -> None:
    """The report on a server with an expired certificate has the cause and the chain."""
    ci = bench.pki.ci[Curve.NIST]
    found = checked(bench, bench.server(ACCEPTED, credential=bench.pki.dp_tls(NAME, expired=True)), ci.key_id)
    assert (found.trusted, found.cause, found.advice) == (False, "certificate-expired", None)
    assert len(found.chain) == 1


def test_without_a_server_there_is_no_report(bench: Bench) -> None:
    """If the server cannot be reached, ServerUnreachable is raised."""
    server = bench.server(ACCEPTED)
    server.below_tls = lambda connection: connection.close()
    with pytest.raises(ServerUnreachable):
        checked(bench, server)


def test_the_connection_in_use_is_not_disturbed(bench: Bench) -> None:
    """A client can check trust between two requests."""
    server = bench.server(ACCEPTED)
    client = bench.client(server)
    client.handle_notification(pending_notification=b"\x30\x00", deadline=Deadline.after(30))
    assert client.check_trust(deadline=Deadline.after(30)).trusted
    client.handle_notification(pending_notification=b"\x30\x00", deadline=Deadline.after(30))
    assert len(server.seen) == 2


def test_through_a_proxy(bench: Bench) -> None:
    """A check of trust uses the proxy, like requests."""
    server = bench.server(ACCEPTED)
    with proxy_double.Proxy(server.port) as proxy:
        route = Route(proxy=Proxy.parse(f"http://127.0.0.1:{proxy.port}"))
        with Es9Plus(ServerAddress.parse(NAME), trust=bench.trust, route=route) as client:
            assert client.check_trust(deadline=Deadline.after(30)).trusted
    assert len(proxy.requests) == 1
    assert server.seen == []
