"""Client certificates for a platform that requires one."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lpad.base.errors import ServerError
from provisioning.bench import WISH, soon

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.simulator.platform.server import SimulatedPlatform
    from provisioning.bench import Bench


@pytest.fixture
def client(tmp_path: Path) -> tuple[Path, Path]:
    """The paths of a self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a device")])
    present = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(present - timedelta(days=1))
        .not_valid_after(present + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    certificate, private = tmp_path / "client.pem", tmp_path / "client.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    private.chmod(0o600)
    return certificate, private


@pytest.fixture
def strict(bench: Bench, client: tuple[Path, Path]) -> SimulatedPlatform:
    """A simulated desk that accepts only clients with the certificate `client`."""
    desk = bench.platform("desk")
    desk._context.verify_mode = ssl.CERT_REQUIRED
    desk._context.load_verify_locations(cafile=client[0])
    return desk


def test_a_client_certificate_is_shown(
    bench: Bench, strict: SimulatedPlatform, client: tuple[Path, Path]
) -> None:
    """With a client certificate and its key, in two files or in one, lpad's calls are answered."""
    both = client[0].with_name("both.pem")
    both.write_bytes(client[0].read_bytes() + client[1].read_bytes())
    both.chmod(0o600)
    for each in (client, (both, None)):
        assert bench.opened(strict, client=each).find(WISH, deadline=soon()) == ()
    assert strict.calls["find"] == 2


def test_without_one_nothing_is_answered(bench: Bench, strict: SimulatedPlatform) -> None:
    """Without the client certificate the handshake fails, and no request reaches the platform."""
    with pytest.raises(ServerError):
        bench.opened(strict).find(WISH, deadline=soon())
    assert strict.calls["find"] == 0
