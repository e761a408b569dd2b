"""Which TLS servers are trusted, and the errors for those that are not."""

from __future__ import annotations

import ssl
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from lpad.base.deadline import Deadline
from lpad.base.errors import InvalidSettings, ServerUnreachable, ServerUntrusted
from lpad.remote.trust import brainpool
from lpad.remote.trust.trust_anchors import Offer, Trust
from lpad.simulator.pki.credential import Curve
from lpad.simulator.pki.pki import Pki
from remote.bench import NAME
from remote.scripted_server import Reply

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from lpad.remote.es9plus import Es9Plus
    from remote.bench import Bench
    from remote.scripted_server import ScriptedServer

ACCEPTED = Reply(204)


def notify(client: Es9Plus) -> None:
    client.handle_notification(pending_notification=b"\x30\x00", deadline=Deadline.after(30))


def cause_of(bench: Bench, server: ScriptedServer) -> ServerUntrusted:
    with pytest.raises(ServerUntrusted) as caught:
        notify(bench.client(server))
    assert server.seen == []
    return caught.value


def test_an_expired_certificate_is_named(bench: Bench) -> None:
    """The error for an expired certificate has the cause, and is not retryable."""
    error = cause_of(bench, bench.server(ACCEPTED, credential=bench.pki.dp_tls(NAME, expired=True)))
    assert error.details == {"cause": "certificate-expired"}
    assert "renew" in error.sentence
    assert not error.retryable


def test_a_certificate_for_another_name_is_refused(bench: Bench) -> None:
    """A certificate for another name is refused with this cause."""
    error = cause_of(bench, bench.server(ACCEPTED, credential=bench.pki.dp_tls("other.example.com")))
    assert error.details == {"cause": "certificate-for-other-name"}
    assert NAME in error.sentence


def test_an_unknown_ca_is_named_with_the_remedy(bench: Bench) -> None:
    """The error for an unknown CA has this cause, and names the command that explains it."""
    error = cause_of(bench, bench.server(ACCEPTED, credential=bench.pki.strangers_tls(NAME)))
    assert error.details == {"cause": "unknown-ca"}
    assert "lpactl trust check" in error.sentence


@pytest.mark.parametrize("year", [1970, 2000])
def test_clock_never_set(bench: Bench, monkeypatch: pytest.MonkeyPatch, year: int) -> None:
    """If the clock was never set, the error about dates has the cause clock-not-set, and is retryable."""
    long_ago = datetime(year, 1, 2, tzinfo=UTC).timestamp()
    server = bench.server(ACCEPTED, credential=bench.pki.dp_tls(NAME, expired=True))
    monkeypatch.setattr(time, "time", lambda: long_ago)
    error = cause_of(bench, server)
    assert error.details == {"cause": "clock-not-set"}
    assert str(year) in error.sentence
    assert error.retryable


def test_a_server_without_tls_1_2_is_refused(bench: Bench) -> None:
    """A server that supports at most TLS 1.1 is refused."""
    server = bench.server(ACCEPTED)
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        server.context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        server.context.maximum_version = ssl.TLSVersion.TLSv1_1
    server.context.set_ciphers("ALL:@SECLEVEL=0")
    assert cause_of(bench, server).details == {"cause": "tls-failed"}


def test_tls_1_2(bench: Bench) -> None:
    """A server that supports only TLS 1.2 is accepted."""
    server = bench.server(ACCEPTED, version=ssl.TLSVersion.TLSv1_2)
    notify(bench.client(server))
    assert len(server.seen) == 1


@pytest.mark.parametrize("curve", [None, "brainpoolP256r1"])
def test_brainpool_certificates_work(bench: Bench, curve: str | None) -> None:
    """A server with a brainpool certificate is trusted, whichever curve it uses for key exchange."""
    server = bench.server(ACCEPTED, credential=bench.pki.dp_tls(NAME, curve=Curve.BRAINPOOL), curve=curve)
    notify(bench.client(server))
    assert len(server.seen) == 1


def test_brainpool_is_remembered(bench: Bench) -> None:
    """After a server has needed brainpool, the next client reaches it in one handshake."""
    server = bench.server(ACCEPTED, credential=bench.pki.dp_tls(NAME, curve=Curve.BRAINPOOL))
    notify(bench.client(server))
    server.connects = 0
    notify(bench.client(server))
    assert server.connects == 1


def test_brainpool_where_one_curve_can_be_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """If lpad can offer only one curve, servers that exchange keys over brainpool still work."""
    monkeypatch.setattr(brainpool, "_KNOWN_LAYOUT", False)
    credential = bench.pki.dp_tls(NAME, curve=Curve.BRAINPOOL)
    notify(bench.client(bench.server(ACCEPTED, credential=credential, curve="brainpoolP256r1")))


def test_brainpool_is_verified(bench: Bench) -> None:
    """A brainpool certificate for another name is refused with this cause."""
    credential = bench.pki.dp_tls("other.example.com", curve=Curve.BRAINPOOL)
    error = cause_of(bench, bench.server(ACCEPTED, credential=credential))
    assert error.details == {"cause": "certificate-for-other-name"}


def test_no_shared_cipher(bench: Bench) -> None:
    """A server without a common cipher is refused after two handshakes; lpad notes no need of brainpool."""
    server = bench.server(ACCEPTED, version=ssl.TLSVersion.TLSv1_2)
    server.context.set_ciphers("ECDHE-RSA-AES256-GCM-SHA384")
    assert cause_of(bench, server).details == {"cause": "tls-failed"}
    assert server.connects == 2
    assert not bench.trust.memory.needs_brainpool(NAME)


def test_a_server_without_tls_is_distinguished(bench: Bench) -> None:
    """A server that answers without TLS is refused with the cause tls-failed."""
    server = bench.server(ACCEPTED)

    def plain(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server.below_tls = plain
    assert cause_of(bench, server).details == {"cause": "tls-failed"}


def test_closed_in_the_handshake(bench: Bench) -> None:
    """If a server closes the connection in the handshake, it is unreachable, and not untrusted."""
    server = bench.server(ACCEPTED)

    def leave(connection: socket.socket) -> None:
        connection.recv(1)

    server.below_tls = leave
    with pytest.raises(ServerUnreachable):
        notify(bench.client(server))


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_extra_ca_file(bench: Bench, tmp_path: Path, encoding: Encoding) -> None:
    """The operator's CA file can be in PEM or DER form."""
    path = tmp_path / "ci"
    path.write_bytes(bench.pki.ci[Curve.NIST].certificate.public_bytes(encoding))
    server = bench.server(ACCEPTED)
    notify(bench.client(server, trust=Trust.load([path])))
    assert len(server.seen) == 1


def test_extra_ca_folder(bench: Bench, tmp_path: Path) -> None:
    """All CA certificates in a folder are trusted, and other files in the folder are ignored."""
    folder = tmp_path / "trust"
    folder.mkdir()
    (folder / "README").write_text("put CA certificates here")
    for curve in Curve:
        text = (
            b"# " + curve.name.encode() + b"\n" + bench.pki.ci[curve].certificate.public_bytes(Encoding.PEM)
        )
        (folder / f"{curve.name}.pem").write_bytes(text)
    for curve in Curve:
        server = bench.server(ACCEPTED, credential=bench.pki.dp_tls(NAME, curve=curve))
        notify(bench.client(server, trust=Trust.load([folder])))


def test_several_certificates_in_a_file(bench: Bench, tmp_path: Path) -> None:
    """A CA file may contain several certificates, which are all trusted."""
    path = tmp_path / "bundle.pem"
    path.write_bytes(
        b"\n".join(bench.pki.ci[curve].certificate.public_bytes(Encoding.PEM) for curve in Curve)
    )
    server = bench.server(ACCEPTED, credential=bench.pki.dp_tls(NAME, curve=Curve.BRAINPOOL))
    notify(bench.client(server, trust=Trust.load([path])))


def test_one_servers_own_certificate(bench: Bench) -> None:
    """A server's own certificate can be an anchor."""
    credential = bench.pki.strangers_tls(NAME)
    trust = Trust([credential.der], use_system_roots=False)
    notify(bench.client(bench.server(ACCEPTED, credential=credential), trust=trust))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no certificate",
        b"\x30\x03\x02\x01\x00",
        b"-----BEGIN CERTIFICATE-----\nMAMCAQA=\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
    ],
)
def test_bad_ca_file(tmp_path: Path, content: bytes) -> None:
    """The error for a CA file without a valid certificate names the file."""
    path = tmp_path / "bad.pem"
    path.write_bytes(content)
    with pytest.raises(InvalidSettings, match=r"bad\.pem"):
        Trust.load([path])


def test_missing_ca_file(tmp_path: Path) -> None:
    """The error for a missing CA file names the file."""
    with pytest.raises(InvalidSettings, match=r"missing\.pem"):
        Trust.load([tmp_path / "missing.pem"])


def test_nothing_is_trusted_by_default(bench: Bench) -> None:
    """Without CA files, a server under the tests' CI is untrusted."""
    server = bench.server(ACCEPTED)
    with pytest.raises(ServerUntrusted) as caught:
        notify(bench.client(server, trust=Trust.load()))
    assert caught.value.details == {"cause": "unknown-ca"}


@pytest.mark.test_data
@pytest.mark.parametrize("curve", ["NIST", "BRP"])
def test_published_certificates_are_trusted_by_their_ci(
    bench: Bench, test_data: Path, pki: Pki, curve: str
) -> None:
    """Servers with SGP.26's TLS certificates are trusted if SGP.26's CI is an anchor."""
    published = type(pki).open(test_data / "sgp26", minted=bench.folder)
    trust = Trust.load([test_data / "sgp26" / "ci" / f"CERT_CI_ECDSA_{curve}.der"])
    name = "testsmdpplus1.example.com"
    server = bench.server(ACCEPTED, credential=published.dp_tls(name, curve=Curve(curve)))
    notify(bench.client(server, address=name, trust=trust))
    assert len(server.seen) == 1


def test_keys_beside_certificates_are_passed_over(tmp_path: Path) -> None:
    """A CA folder may also contain keys, as SGP.26's does; a key alone is not a valid CA file."""
    Pki.open(tmp_path)
    folder = tmp_path / "ci"
    assert list(folder.glob("*.pem"))
    context = Trust.load([folder], use_system_roots=False).context(Offer())
    assert context.cert_store_stats()["x509_ca"] == len(list(folder.glob("*.der")))
    with pytest.raises(InvalidSettings, match="neither a certificate nor"):
        Trust.load([next(folder.glob("*.pem"))])
