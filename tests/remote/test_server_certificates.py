"""TLS certificates under sub-CAs, and with other purposes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from lpad.base.deadline import Deadline
from lpad.base.errors import ServerUntrusted
from lpad.simulator.pki.certificate_making import ROLE_DP_TLS
from lpad.simulator.pki.credential import Credential, Curve
from remote.bench import NAME, Bench
from remote.scripted_server import Reply

ACCEPTED = Reply(204)
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


def made(
    issuer: Credential,
    *,
    ca: bool = False,
    purposes: tuple[x509.ObjectIdentifier, ...] = (SERVER, CLIENT),
) -> Credential:
    """Make a certificate that `issuer` signs, of a sub-CA or of a server with the given purposes."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Sub-CA" if ca else NAME)])
    usage = x509.KeyUsage(not ca, False, False, False, False, ca, False, False, False)
    builder = (
        x509.CertificateBuilder(issuer.certificate.subject, subject, key.public_key(), 7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier(issuer.key_id, None, None), critical=False)
        .add_extension(usage, critical=True)
    )
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    else:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=True)
        role = x509.PolicyInformation(x509.ObjectIdentifier(ROLE_DP_TLS), None)
        builder = builder.add_extension(x509.CertificatePolicies([role]), critical=False)
    return Credential(builder.sign(issuer.key, hashes.SHA256()), key)


def notify(bench: Bench, credential: Credential, *chain: Credential) -> None:
    server = bench.server(ACCEPTED, credential=credential, chain=chain)
    bench.client(server).handle_notification(pending_notification=b"\x30\x00", deadline=Deadline.after(30))


def test_through_a_sub_ca(bench: Bench) -> None:
    """A server that sends its sub-CA's certificate is trusted, with or without the root."""
    root = bench.pki.ci[Curve.NIST]
    sub_ca = made(root, ca=True)
    notify(bench, made(sub_ca), sub_ca)
    notify(bench, made(sub_ca), sub_ca, root)


def test_sub_ca_left_out(bench: Bench) -> None:
    """A server that omits its sub-CA's certificate is untrusted, because its CA is unknown."""
    with pytest.raises(ServerUntrusted) as caught:
        notify(bench, made(made(bench.pki.ci[Curve.NIST], ca=True)))
    assert caught.value.details == {"cause": "unknown-ca"}


def test_server_in_place_of_a_sub_ca(bench: Bench) -> None:
    """A server whose certificate another server's certificate has signed is untrusted."""
    middle = made(bench.pki.ci[Curve.NIST])
    with pytest.raises(ServerUntrusted):
        notify(bench, made(middle), middle)


def test_certificate_of_a_client(bench: Bench) -> None:
    """A server whose certificate is only for TLS clients is untrusted."""
    with pytest.raises(ServerUntrusted):
        notify(bench, made(bench.pki.ci[Curve.NIST], purposes=(CLIENT,)))
