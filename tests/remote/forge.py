"""Makes valid and invalid certificates with the given parts."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from lpad.simulator.pki.certificate_making import ROLE_CI, ROLE_DP_TLS

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "smdp.example.com"
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Forged:
    """A certificate with its key, which can be an RSA key, for ScriptedServer."""

    certificate: x509.Certificate
    key: Any

    @property
    def key_id(self) -> bytes:
        """Return the key identifier: the SHA-1 hash of the public key's bits (RFC 5280)."""
        return x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()).digest

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


def curve_key(curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve())


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The content of a certificate; the defaults are valid for a server under an eSIM CI."""

    subject: str = NAME
    names: Sequence[str] = (NAME,)
    key: Any = None
    ca: bool = False
    path_length: int | None = None
    start: dt.timedelta = -DAY
    end: dt.timedelta = 365 * DAY
    roles: Sequence[str] = (ROLE_DP_TLS,)
    purposes: Sequence[x509.ObjectIdentifier] | None = (SERVER, CLIENT)
    usage: frozenset[str] | None = None
    subject_key_id: bytes | None = None
    issuer_key_id: bytes | None = None
    without_issuer_key_id: bool = False
    issuer_name: x509.Name | None = None
    algorithm: hashes.SHA256 | hashes.SHA384 = field(default_factory=hashes.SHA256)
    padding: int = 0
    critical: bool = False
    permitted: Sequence[str] = ()
    basic_constraints: bool = True


def forge(issuer: Any, plan: Plan) -> Forged:
    """Make a certificate that `issuer` signs; without an issuer, it is self-signed."""
    key = plan.key or curve_key()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, plan.subject)])
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest
    signer = key if issuer is None else issuer.key
    issuer_name = plan.issuer_name or (subject if issuer is None else issuer.certificate.subject)
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder(issuer_name, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now + plan.start)
        .not_valid_after(now + plan.end)
        .add_extension(x509.SubjectKeyIdentifier(plan.subject_key_id or own), critical=False)
        .add_extension(_usage(plan), critical=True)
    )
    if not plan.without_issuer_key_id:
        above = plan.issuer_key_id or (own if issuer is None else issuer.key_id)
        builder = builder.add_extension(x509.AuthorityKeyIdentifier(above, None, None), critical=False)
    if plan.roles:
        policies = [x509.PolicyInformation(x509.ObjectIdentifier(role), None) for role in plan.roles]
        builder = builder.add_extension(x509.CertificatePolicies(policies), critical=False)
    if plan.ca and plan.basic_constraints:
        builder = builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=plan.path_length), critical=True
        )
    if plan.permitted:
        subtrees = [x509.DNSName(name) for name in plan.permitted]
        builder = builder.add_extension(x509.NameConstraints(subtrees, None), critical=True)
    if not plan.ca and plan.names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in plan.names]), critical=False
        )
    if not plan.ca and plan.purposes is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(plan.purposes)), critical=True)
    if plan.padding or plan.critical:
        other = x509.UnrecognizedExtension(
            x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x04" * (plan.padding + 2)
        )
        builder = builder.add_extension(other, critical=plan.critical)
    return Forged(builder.sign(signer, plan.algorithm), key)


def authority(subject: str, *, issuer: Any = None, **plan: Any) -> Forged:
    """Make a CA: a root without an issuer, otherwise a sub-CA."""
    roles = plan.pop("roles", (ROLE_CI,) if issuer is None else ())
    return forge(issuer, Plan(subject=subject, ca=True, roles=roles, **plan))


def spoilt(forged: Forged) -> Forged:
    """Return the certificate with a wrong signature, in which a bit of the last byte is flipped."""
    raw = bytearray(forged.der)
    raw[-1] ^= 1
    return Forged(x509.load_der_x509_certificate(bytes(raw)), forged.key)


def point(key: Any) -> bytes:
    """Return the uncompressed point of a key on a curve."""
    raw: bytes = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return raw


def _usage(plan: Plan) -> x509.KeyUsage:
    bits = plan.usage
    if bits is None:
        bits = frozenset({"key_cert_sign", "crl_sign"}) if plan.ca else frozenset({"digital_signature"})
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: name in bits for name in names})
