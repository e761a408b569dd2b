"""The names, identifiers and roles in a server's certificate."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from lpad.base.errors import MalformedError
from lpad.codec.asn1 import tlv
from lpad.codec.x509.certificate_holder_and_role import Certificate, Role, subject_serial_number

if TYPE_CHECKING:
    from pathlib import Path

KEY = ec.generate_private_key(ec.SECP256R1())
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Somebody")])


def certificate(*extensions: x509.ExtensionType) -> bytes:
    builder = x509.CertificateBuilder(NAME, NAME, KEY.public_key(), 1)
    builder = builder.not_valid_before(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    builder = builder.not_valid_after(dt.datetime(2036, 1, 1, tzinfo=dt.UTC))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.CertificatePolicies))
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def test_an_empty_attribute_in_the_subject() -> None:
    """A name without type and value, as no CA writes it, is ignored."""
    raw = tlv.encode(
        0x30,
        tlv.encode(0x30, *[tlv.encode(0x02, b"\1")] * 4, tlv.encode(0x30, tlv.encode(0x31, b"\x30\x00"))),
    )
    assert subject_serial_number(raw) is None


def policies(*oids: str) -> x509.CertificatePolicies:
    return x509.CertificatePolicies(
        [x509.PolicyInformation(x509.ObjectIdentifier(oid), None) for oid in oids]
    )


def names(*oids: str, dns: str | None = None) -> x509.SubjectAlternativeName:
    listed: list[x509.GeneralName] = [x509.RegisteredID(x509.ObjectIdentifier(oid)) for oid in oids]
    return x509.SubjectAlternativeName([*listed, x509.DNSName(dns)] if dns else listed)


SKI = x509.SubjectKeyIdentifier.from_public_key(KEY.public_key())


def test_names_identifiers_and_policies_are_read() -> None:
    """Names, key identifiers and policies are read."""
    raw = certificate(
        names("2.999.10", dns="smdp.example.com"),
        SKI,
        x509.AuthorityKeyIdentifier(b"\x01" * 20, None, None),
        policies("2.23.146.1.2.1.4", "1.2.3"),
    )
    assert Certificate.decode(raw) == Certificate(
        raw=raw,
        registered_ids=("2.999.10",),
        dns_names=("smdp.example.com",),
        subject_key_identifier=SKI.digest,
        authority_key_identifier=b"\x01" * 20,
        policies=("2.23.146.1.2.1.4", "1.2.3"),
    )


def test_a_certificate_without_extensions_is_read() -> None:
    """A certificate without extensions is read; it has no names, identifiers, policies or roles."""
    read = Certificate.decode(certificate())
    assert (read.registered_ids, read.dns_names, read.policies, read.roles) == ((), (), (), ())
    assert read.subject_key_identifier is None
    assert read.authority_key_identifier is None


@pytest.mark.parametrize(
    ("oid", "role"),
    [
        ("2.23.146.1.2.1.4", Role.DP_AUTH),
        ("2.23.146.1.2.1.0.0.1.1", Role.DP_AUTH),
        ("2.23.146.1.2.1.5", Role.DP_PB),
        ("2.23.146.1.2.1.7", Role.DS_AUTH),
        ("2.23.146.1.2.1.0.0.2.1", Role.DS_AUTH),
    ],
)
def test_old_and_new_role_identifiers_are_recognised(oid: str, role: Role) -> None:
    """Both the old and the new object identifier of a role are recognised."""
    assert Certificate.decode(certificate(policies(oid))).roles == (role,)


def test_other_policies_are_not_a_role() -> None:
    """A policy that SGP.22 does not know gives no role."""
    assert Certificate.decode(certificate(policies("2.23.146.1.2.1.99", "2.23.140.1.2.1"))).roles == ()


@given(st.binary(max_size=200))
def test_garbage_is_malformed(data: bytes) -> None:
    """Bytes that are not a certificate raise MalformedError."""
    with pytest.raises(MalformedError):
        Certificate.decode(b"\x31" + data)


@given(position=st.integers(0), byte=st.integers(0, 255))
def test_damaged_certificates_are_malformed_or_read(position: int, byte: int) -> None:
    """Decoding a certificate with one changed byte raises no error but MalformedError."""
    damaged = bytearray(WHOLE)
    damaged[position % len(damaged)] = byte
    try:
        Certificate.decode(bytes(damaged))
    except MalformedError:
        return


WHOLE = certificate(names("2.999.10"), SKI, policies("2.23.146.1.2.1.4"))


@pytest.mark.test_data
@pytest.mark.parametrize(
    ("file", "oid", "role"),
    [
        ("dpauth/CERT_S_SM_DPauth_ECDSA_NIST.der", "2.999.10", Role.DP_AUTH),
        ("dpauth/CERT_S_SM_DP2auth_ECDSA_BRP.der", "2.999.12", Role.DP_AUTH),
        ("dppb/CERT_S_SM_DPpb_ECDSA_BRP.der", "2.999.10", Role.DP_PB),
        ("dptls/CERT_S_SM_DP_TLS_NIST.valid-to-2030.der", "2.999.10", Role.DP_TLS),
        ("eum/CERT_EUM_ECDSA_NIST.der", "2.999.5", Role.EUM),
        ("ci/CERT_CI_ECDSA_NIST.der", "2.999.1", Role.CI),
    ],
)
def test_published_certificates_are_read_like_elsewhere(
    test_data: Path, file: str, oid: str, role: Role
) -> None:
    """SGP.26's certificates have the right owner and role, and the key identifier that a library reads."""
    raw = (test_data / "sgp26" / file).read_bytes()
    read = Certificate.decode(raw)
    assert (read.registered_ids, read.roles) == ((oid,), (role,))
    other = x509.load_der_x509_certificate(raw).extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    assert read.subject_key_identifier == other.value.digest
