"""Makes the certificates of an eSIM PKI (SGP.22 v2.5, 4.5.2 and SGP.26)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from lpad.simulator.pki.credential import Credential, Curve

if TYPE_CHECKING:
    from lpad.base.identifiers import Eid

ROLE_CI = "2.23.146.1.2.1.0"
ROLE_EUICC = "2.23.146.1.2.1.1"
ROLE_EUM = "2.23.146.1.2.1.2"
ROLE_DP_TLS = "2.23.146.1.2.1.3"
ROLE_DP_AUTH = "2.23.146.1.2.1.4"
ROLE_DP_PB = "2.23.146.1.2.1.5"
ROLE_DS_TLS = "2.23.146.1.2.1.6"
ROLE_DS_AUTH = "2.23.146.1.2.1.7"
# The OIDs of SGP.22 versions 2 and 3 mean the same role (SGP.22 v3.1, 4.5.2.1).
ROLES_EUICC = frozenset({ROLE_EUICC, "2.23.146.1.2.1.0.0.0.0.0"})
ROLES_EUM = frozenset({ROLE_EUM, "2.23.146.1.2.1.0.0.0", "2.23.146.1.2.1.0.0.0.0"})

EUM_ORGANISATION = "RSP Test EUM"
EUM_IIN = "89049032"
_CRL = "http://ci.test.example.com/CRL-A.crl"
_BACKDATED = timedelta(days=1)
_YEAR = timedelta(days=365)
_NO_EXPIRY = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # RFC 5280, 4.1.2.5; eUICCs have no clock


@dataclass(frozen=True, slots=True)
class Validity:
    """The validity period of a certificate."""

    start: datetime
    end: datetime

    @classmethod
    def years(cls, count: int) -> Validity:
        """Return the period of `count` years that begins yesterday, because clocks differ."""
        start = datetime.now(UTC).replace(microsecond=0) - _BACKDATED
        return cls(start, start + count * _YEAR)

    @classmethod
    def past(cls) -> Validity:
        """Return a period of thirteen months that ended yesterday."""
        end = datetime.now(UTC).replace(microsecond=0) - _BACKDATED
        return cls(end - timedelta(days=396), end)


def make_ci(curve: Curve, *, name: str = "Test CI") -> Credential:
    """Create a CI: a self-signed certificate without an AKI, and its key."""
    key = ec.generate_private_key(curve.algorithm)
    subject = _name(CN=name, OU="TESTCERT", O="RSPTEST", C="IT")
    builder = _start(subject, subject, key.public_key(), Validity.years(35))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = _with_role(builder, ROLE_CI, sign_certificates=True, sign_lists=True)
    return Credential(_finish(builder, key, _registered("2.999.1")), key)


def make_eum(ci: Credential, *, iin: str = EUM_IIN, validity: Validity | None = None) -> Credential:
    """Create the card maker's certificate, which may issue only for its own name and `iin` (SGP.29)."""
    key = ec.generate_private_key(ci.curve.algorithm)
    builder = _start(
        _name(C="ES", O=EUM_ORGANISATION, CN="EUM Test"),
        ci.certificate.subject,
        key.public_key(),
        validity or Validity.years(34),
        issuer=ci,
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = _with_role(builder, ROLE_EUM, sign_certificates=True)
    own_cards = x509.DirectoryName(_name(O=EUM_ORGANISATION, SN=iin))
    builder = builder.add_extension(
        x509.NameConstraints(permitted_subtrees=[own_cards], excluded_subtrees=None), critical=True
    )
    return Credential(_finish(builder, ci.key, _registered("2.999.5")), key)


def make_euicc(eum: Credential, eid: Eid, *, validity: Validity | None = None) -> Credential:
    """Create a card's certificate: the EUM's organisation, and the EID as serialNumber."""
    key = ec.generate_private_key(eum.curve.algorithm)
    organisation = eum.certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value
    builder = _start(
        _name(C="ES", O=str(organisation), SN=eid.digits, CN="Test eUICC"),
        eum.certificate.subject,
        key.public_key(),
        validity or Validity(Validity.years(1).start, _NO_EXPIRY),
        issuer=eum,
    )
    builder = _with_role(builder, ROLE_EUICC)
    return Credential(_finish(builder, eum.key), key)


def make_dp(
    ci: Credential, role: str, *, oid: str, name: str = "TEST SM-DP+", validity: Validity | None = None
) -> Credential:
    """Create a server's certificate for its `role`: authentication (SM-DP+, SM-DS) or binding."""
    key = ec.generate_private_key(ci.curve.algorithm)
    builder = _start(
        _name(O="ACME", CN=name),
        ci.certificate.subject,
        key.public_key(),
        validity or Validity.years(10),
        issuer=ci,
    )
    builder = _with_role(builder, role)
    return Credential(_finish(builder, ci.key, _registered(oid)), key)


def make_dp_tls(
    ci: Credential,
    *names: str,
    oid: str = "2.999.10",
    validity: Validity | None = None,
    role: str = ROLE_DP_TLS,
) -> Credential:
    """Create a server's TLS certificate for `names`, host names or IP addresses."""
    key = ec.generate_private_key(ci.curve.algorithm)
    builder = _start(
        _name(O="ACME", CN=names[0]),
        ci.certificate.subject,
        key.public_key(),
        validity or Validity.years(10),
        issuer=ci,
    )
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=True)
    # Only the TLS role has a non-critical policy, because TLS stacks need not know it.
    builder = _with_role(builder, role, critical=False)
    return Credential(_finish(builder, ci.key, *map(_host, names), _registered(oid)), key)


def _name(**attributes: str) -> x509.Name:
    kinds = {
        "C": NameOID.COUNTRY_NAME,
        "CN": NameOID.COMMON_NAME,
        "O": NameOID.ORGANIZATION_NAME,
        "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
        "SN": NameOID.SERIAL_NUMBER,
    }
    return x509.Name([x509.NameAttribute(kinds[short], value) for short, value in attributes.items()])


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _registered(oid: str) -> x509.GeneralName:
    return x509.RegisteredID(ObjectIdentifier(oid))


def _start(
    subject: x509.Name,
    issuer_name: x509.Name,
    key: ec.EllipticCurvePublicKey,
    validity: Validity,
    *,
    issuer: Credential | None = None,
) -> x509.CertificateBuilder:
    builder = (
        x509.CertificateBuilder(issuer_name, subject, key, x509.random_serial_number())
        .not_valid_before(validity.start)
        .not_valid_after(validity.end)
    )
    if issuer is not None:
        named = x509.AuthorityKeyIdentifier(issuer.key_id, None, None)
        builder = builder.add_extension(named, critical=False)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _with_role(
    builder: x509.CertificateBuilder,
    role: str,
    *,
    critical: bool = True,
    sign_certificates: bool = False,
    sign_lists: bool = False,
) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(
        digital_signature=not sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_lists,
        encipher_only=False,
        decipher_only=False,
    )
    policy = x509.PolicyInformation(ObjectIdentifier(role), None)
    return builder.add_extension(usage, critical=True).add_extension(
        x509.CertificatePolicies([policy]), critical=critical
    )


def _finish(
    builder: x509.CertificateBuilder, signer: ec.EllipticCurvePrivateKey, *names: x509.GeneralName
) -> x509.Certificate:
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(_CRL)], None, None, None)
    builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
    return builder.sign(signer, hashes.SHA256())
