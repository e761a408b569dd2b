"""Certificates that are revoked by CRL files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from lpad.base.deadline import Deadline
from lpad.base.errors import InvalidSettings, ServerUntrusted
from lpad.remote.trust.anchor_named_by_card import CardTrust
from lpad.remote.trust.trust_anchors import Trust
from lpad.simulator.pki import certificate_making as making
from lpad.simulator.pki.credential import Credential, Curve
from remote.bench import NAME
from remote.scripted_server import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from remote.bench import Bench

ACCEPTED = Reply(204)


def crl(issuer: Credential, *revoked: Credential, days: int = 30) -> x509.CertificateRevocationList:
    now = datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder(issuer.certificate.subject)
    builder = builder.last_update(now - timedelta(days=60)).next_update(now + timedelta(days=days))
    for each in revoked:
        entry = x509.RevokedCertificateBuilder(each.certificate.serial_number, now)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(issuer.key, hashes.SHA256())


def trust_with(path: Path, made: x509.CertificateRevocationList, encoding: Encoding = Encoding.PEM) -> Trust:
    path.mkdir()
    (path / "ci.crl").write_bytes(made.public_bytes(encoding))
    return Trust.load([path], use_system_roots=False)


def notify(bench: Bench, credential: Credential, trust: Trust) -> None:
    card = CardTrust("89", tuple(ci.key_id for ci in bench.pki.ci.values()))
    client = bench.client(bench.server(ACCEPTED, credential=credential), trust=trust, card=card)
    client.handle_notification(pending_notification=b"\x30\x00", deadline=Deadline.after(30))


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize("days", [30, -1])
def test_a_revoked_certificate_is_refused(
    bench: Bench, tmp_path: Path, encoding: Encoding, days: int
) -> None:
    """A certificate in its CI's revocation list is refused, even if the list is out of date."""
    ci = bench.pki.ci[Curve.NIST]
    bad, good = bench.pki.dp_tls(NAME), making.make_dp_tls(ci, NAME)
    trust = trust_with(tmp_path / "trust.d", crl(ci, bad, days=days), encoding)
    notify(bench, good, trust)
    with pytest.raises(ServerUntrusted) as caught:
        notify(bench, bad, trust)
    assert caught.value.details["cause"] == "certificate-revoked"


def test_an_old_list_is_told(bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """When an outdated revocation list is read, the log reports this."""
    trust_with(tmp_path / "trust.d", crl(bench.pki.ci[Curve.NIST], days=-1))
    assert "out of date" in caplog.text


def test_a_list_by_another_key(bench: Bench, tmp_path: Path) -> None:
    """A revocation list in a CI's name that another key has signed has no effect."""
    impostor = making.make_ci(Curve.NIST)
    bad = bench.pki.dp_tls(NAME)
    notify(bench, bad, trust_with(tmp_path / "trust.d", crl(impostor, bad)))


def test_a_list_beside_certificates(bench: Bench, tmp_path: Path) -> None:
    """A file may contain a CA certificate and its revocation list, which counts for this anchor."""
    ci, bad = bench.pki.ci[Curve.NIST], bench.pki.dp_tls(NAME)
    path = tmp_path / "ci.pem"
    path.write_bytes(ci.certificate.public_bytes(Encoding.PEM) + crl(ci, bad).public_bytes(Encoding.PEM))
    with pytest.raises(ServerUntrusted) as caught:
        notify(bench, bad, Trust.load([path], use_system_roots=False))
    assert caught.value.details["cause"] == "certificate-revoked"


@pytest.mark.parametrize(
    "content", [b"\x30\x00", b"\x30\x80", b"-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----"]
)
def test_a_file_without_a_list_is_named(tmp_path: Path, content: bytes) -> None:
    """The error for an invalid CRL file names the file."""
    path = tmp_path / "bad.crl"
    path.write_bytes(content)
    with pytest.raises(InvalidSettings, match=r"bad\.crl"):
        Trust.load([path])
