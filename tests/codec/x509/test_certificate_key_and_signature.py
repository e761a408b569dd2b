"""A certificate's place in its chain, and revocation lists: read as the cryptography library reads them."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from lpad.base.errors import MalformedError
from lpad.base.identifiers import Eid
from lpad.codec.x509.certificate_holder_and_role import Certificate
from lpad.codec.x509.certificate_key_and_signature import BRAINPOOL_P256R1, P256, SignedCertificate
from lpad.codec.x509.revocation_list import RevocationList
from lpad.simulator.pki import certificate_making as making
from lpad.simulator.pki.credential import Curve

CI = making.make_ci(Curve.NIST)
WHEN = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


def revocation_list(*serial_numbers: int) -> bytes:
    builder = x509.CertificateRevocationListBuilder(CI.certificate.subject).last_update(WHEN)
    builder = builder.next_update(WHEN + dt.timedelta(days=9))
    for number in serial_numbers:
        builder = builder.add_revoked_certificate(x509.RevokedCertificateBuilder(number, WHEN).build())
    return builder.sign(CI.key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(("curve", "oid"), [(Curve.NIST, P256), (Curve.BRAINPOOL, BRAINPOOL_P256R1)])
def test_every_part_equals_an_independent_reading(curve: Curve, oid: str) -> None:
    """Each part of a certificate is read as by an independent library."""
    ci = making.make_ci(curve)
    made = making.make_dp_tls(ci, "a.example")
    read = SignedCertificate.decode(made.der)
    assert read.signed == made.certificate.tbs_certificate_bytes
    assert read.signature == made.certificate.signature
    assert read.algorithm == made.certificate.signature_algorithm_oid.dotted_string
    assert read.serial_number == made.certificate.serial_number
    assert (read.key.curve, read.key.key_id) == (oid, made.key_id)
    assert read.issuer == SignedCertificate.decode(ci.der).subject
    assert read.not_before == made.certificate.not_valid_before_utc
    assert read.not_after == made.certificate.not_valid_after_utc
    assert (read.common_name, read.issuer_name) == ("a.example", "Test CI")


def test_times_of_both_kinds() -> None:
    """Years before and after 2050 are read; a card's certificate never expires."""
    made = making.make_euicc(making.make_eum(CI), Eid("89049032123451234512345678901235"))
    assert SignedCertificate.decode(made.der).not_after.year == 9999
    old = making.Validity(dt.datetime(1999, 1, 1, tzinfo=dt.UTC), dt.datetime(2049, 12, 31, tzinfo=dt.UTC))
    read = SignedCertificate.decode(making.make_dp_tls(CI, "a.example", validity=old).der)
    assert (read.not_before.year, read.not_after.year) == (1999, 2049)


def test_names_that_drive_terminals() -> None:
    """Unprintable characters in a certificate's name are replaced by '?'."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a\x1b[2J" + "b" * 59)])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1).not_valid_before(WHEN)
    made = builder.not_valid_after(WHEN + dt.timedelta(days=1)).sign(key, hashes.SHA256())
    assert SignedCertificate.decode(made.public_bytes(Encoding.DER)).common_name.startswith("a?[2J")


def test_a_revocation_list_is_read() -> None:
    """A list's entries and the time of the next list are read; a list without entries is valid."""
    read = RevocationList.decode(revocation_list(1, 2**150))
    assert read.serial_numbers == {1, 2**150}
    assert read.next_update == WHEN + dt.timedelta(days=9)
    assert read.issuer == SignedCertificate.decode(CI.der).subject
    assert RevocationList.decode(revocation_list()).serial_numbers == frozenset()


SAMPLES = (CI.der, making.make_dp_tls(CI, "a.example").der, revocation_list(1, 2))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SAMPLES), st.data())
def test_damaged_bytes_are_read_or_refused(sample: bytes, data: st.DataObject) -> None:
    """Damaged bytes are either read or refused with MalformedError."""
    raw = bytearray(sample)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(raw[: data.draw(st.integers(0, len(raw)))]) if data.draw(st.booleans()) else bytes(raw)
    for decode in (SignedCertificate.decode, RevocationList.decode, Certificate.decode):
        try:
            read = decode(cut)
        except MalformedError:
            continue
        if isinstance(read, SignedCertificate):
            assert read.common_name.isprintable()
