"""The simulated card's checks of a server's certificate chain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from lpad.simulator.euicc.isdr.certificate_checks import CertificateError, CertificateFault, Role, check_chain
from lpad.simulator.pki import certificate_making
from lpad.simulator.pki.certificate_making import Validity
from lpad.simulator.pki.credential import Credential, Curve

if TYPE_CHECKING:
    from lpad.simulator.pki.pki import Pki

ROLE = "2.23.146.1.2.1.0.0.1.1"


def made(
    issuer: Credential,
    *,
    key: Any = None,
    ca: bool = False,
    usage: bool | None = True,
    critical_stranger: bool = False,
    authority: bool = True,
    registered: bool = True,
) -> Credential:
    """Make a certificate that `issuer` signs, and that is valid except for the given deviations."""
    key = key or ec.generate_private_key(issuer.curve.algorithm)
    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "CA" if ca else "server")])
    builder = (
        x509.CertificateBuilder(issuer.certificate.subject, name, key.public_key(), 77)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(ROLE), None)]),
            critical=True,
        )
    )
    if authority:
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier(issuer.key_id, None, None), critical=False
        )
    if usage is not None:
        signs = usage and not ca
        builder = builder.add_extension(
            x509.KeyUsage(signs, False, False, False, not usage, usage and ca, False, False, False),
            critical=True,
        )
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(True, 0), critical=True)
    if registered:
        names = [x509.RegisteredID(x509.ObjectIdentifier("2.999.10"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if critical_stranger:
        strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.999.1.1"), b"\x05\x00")
        builder = builder.add_extension(strange, critical=True)
    return Credential(builder.sign(issuer.key, hashes.SHA256()), key)


@pytest.fixture
def ci(pki: Pki) -> Credential:
    return pki.ci[Curve.NIST]


def fault(der: bytes, ci: Credential, others: tuple[bytes, ...] = ()) -> CertificateFault:
    with pytest.raises(CertificateError) as caught:
        check_chain(der, trusted=[ci], others=others)
    return caught.value.fault


@pytest.mark.parametrize("curve", Curve)
def test_a_valid_certificate_is_read(pki: Pki, curve: Curve) -> None:
    """A valid certificate is accepted, and its owner, issuer and role are read."""
    found = check_chain(pki.dp_auth[curve].der, trusted=list(pki.ci.values()))
    assert found.oid == "2.999.10"
    assert found.issuer_key_id == pki.ci[curve].key_id
    assert Role.DP_AUTH.held_by(found.credential)
    assert not Role.DP_PB.held_by(found.credential)


def test_a_chain_through_a_subca(ci: Credential) -> None:
    """A chain through a SubCA is accepted if the SubCA's certificate was sent along."""
    subordinate = made(ci, ca=True)
    server = made(subordinate)
    found = check_chain(server.der, trusted=[ci], others=[subordinate.der])
    assert found.issuer_key_id == subordinate.key_id
    assert found.subordinates == (subordinate.der,)
    assert fault(server.der, ci) is CertificateFault.UNKNOWN_CI


def test_a_server_certificate_is_not_accepted_as_a_subca(ci: Credential) -> None:
    """A certificate that a server's certificate has signed is refused."""
    middle = made(ci)
    assert fault(made(middle).der, ci, (middle.der,)) is CertificateFault.INVALID


def test_an_endless_chain_is_refused(ci: Credential) -> None:
    """A chain that leads back to itself is refused without an endless loop."""
    stranger = certificate_making.make_ci(Curve.NIST)
    loop = made(stranger, ca=True)
    looped = made(Credential(loop.certificate, loop.private_key), key=loop.private_key, ca=True)
    assert fault(made(looped).der, ci, (looped.der,)) is CertificateFault.INVALID


def test_an_expired_certificate_is_accepted(pki: Pki, ci: Credential) -> None:
    """A card has no clock, so it accepts an expired certificate."""
    del pki
    expired = certificate_making.make_dp(
        ci, certificate_making.ROLE_DP_AUTH, oid="2.999.10", validity=Validity.past()
    )
    assert check_chain(expired.der, trusted=[ci]).oid == "2.999.10"


def test_a_wrong_signature_is_refused(ci: Credential) -> None:
    """A certificate that names the CI but was not signed by it is refused."""
    der = bytearray(made(ci).der)
    der[-1] ^= 1
    assert fault(bytes(der), ci) is CertificateFault.INVALID


@pytest.mark.parametrize(
    "wrong",
    [
        {"usage": False},
        {"usage": None},
        {"critical_stranger": True},
        {"registered": False},
    ],
)
def test_invalid_certificates_are_refused(ci: Credential, wrong: dict[str, Any]) -> None:
    """Wrong or missing key usage, an unknown critical extension, or a missing owner is refused."""
    assert fault(made(ci, **wrong).der, ci) is CertificateFault.INVALID


def test_a_certificate_without_issuer_leads_to_no_ci(ci: Credential) -> None:
    """A certificate that names no issuer leads to no CI."""
    assert fault(made(ci, authority=False).der, ci) is CertificateFault.UNKNOWN_CI


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)]
)
def test_an_unsupported_key_is_told_from_an_invalid_certificate(ci: Credential, key: Any) -> None:
    """A certificate with a P-384 or RSA key is refused because of its unsupported curve."""
    assert fault(made(ci, key=key).der, ci) is CertificateFault.UNSUPPORTED_CURVE


def test_a_chain_on_mixed_curves_is_refused(ci: Credential) -> None:
    """A certificate with a key on a curve other than its issuer's is refused."""
    key = ec.generate_private_key(ec.BrainpoolP256R1())
    assert fault(made(ci, key=key).der, ci) is CertificateFault.INVALID


def test_other_bytes_are_not_a_certificate(ci: Credential) -> None:
    """Bytes that are not a certificate are invalid."""
    assert fault(b"\x30\x00", ci) is CertificateFault.INVALID


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")  # bad serials
@pytest.mark.parametrize("byte", [0x00, 0x01, 0x30, 0x80, 0xFF])
def test_a_changed_byte_makes_a_certificate_invalid(ci: Credential, byte: int) -> None:
    """A certificate with any byte of its signed part changed raises CertificateError."""
    credential = made(ci)
    der = credential.der
    for place in range(4 + len(credential.certificate.tbs_certificate_bytes)):
        damaged = der[:place] + bytes([byte]) + der[place + 1 :]
        if damaged != der:
            with pytest.raises(CertificateError):
                check_chain(damaged, trusted=[ci])
