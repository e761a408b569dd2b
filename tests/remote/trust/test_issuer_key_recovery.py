"""The recovery of the key that signed a certificate from the signature."""

from __future__ import annotations

import hashlib
import re
import ssl
from typing import TYPE_CHECKING, Any

import ecdsa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from lpad.codec.x509.certificate_key_and_signature import SignedCertificate
from lpad.codec.x509.known_certificate_issuers import known_issuers
from lpad.remote.trust.anchor_named_by_card import trace
from lpad.remote.trust.issuer_key_recovery import issuer_points
from lpad.simulator.pki import certificate_making as making
from lpad.simulator.pki.credential import Curve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki

SIGNED = SignedCertificate.decode(making.make_ci(Curve.NIST).der)


def signer_ids(raw: bytes) -> set[str]:
    """Return the identifiers of the keys that may have signed the certificate `raw`."""
    return {key_id.hex() for key_id in trace([raw])[0].issuer_key_ids}


@pytest.mark.parametrize("curve", list(Curve))
def test_issuer_is_among_the_candidates(pki: Pki, curve: Curve) -> None:
    """A CI's key is among the at most four candidates for each certificate that it signed."""
    ci = pki.ci[curve]
    for signed in (ci, pki.dp_auth[curve], pki.dp_tls("a.example", curve=curve)):
        candidates = signer_ids(signed.der)
        assert ci.key_id.hex() in candidates
        assert len(candidates) <= 4


@pytest.mark.test_data
def test_published_roots_have_the_keys_that_cards_name(test_data: Path) -> None:
    """From each real CI root, its own key is recovered, and lpad knows the key's identifier."""
    pem = (test_data / "ci-roots" / "gsma-ci-roots.pem").read_text()
    blocks = re.findall(r"-----BEGIN.*?-----END CERTIFICATE-----", pem, re.DOTALL)
    found = set()
    for raw in map(ssl.PEM_cert_to_DER_cert, blocks):
        own = SignedCertificate.decode(raw).key.key_id
        assert own.hex() in signer_ids(raw)
        found.add(own)
    assert len(found) == len(blocks) == 8
    assert found == {issuer.key_id for issuer in known_issuers().values() if not issuer.test}


@pytest.mark.test_data
def test_published_test_chains(test_data: Path) -> None:
    """From each certificate of SGP.26, the key of its CI is recovered."""
    ids = {
        "NIST": "f54172bdf98a95d65cbeb88a38a1c11d800a85c3",
        "BRP": "c0bc70ba36929d43b467ff57570530e57ab8fcd8",
    }
    folders = ("ci", "dpauth", "dppb", "dptls", "eum")
    files = [file for folder in folders for file in (test_data / "sgp26" / folder).glob("*.der")]
    assert len(files) == 15
    for file in files:
        curve = "BRP" if "BRP" in file.name else "NIST"
        assert ids[curve] in signer_ids(file.read_bytes()), file


def test_no_signature_of_the_kind() -> None:
    """A signature by an algorithm other than ECDSA gives no candidates."""
    assert list(issuer_points(replace(SIGNED, algorithm="1.2.840.113549.1.1.11"))) == []


@pytest.mark.parametrize("curve", [ecdsa.NIST256p, ecdsa.BRAINPOOLP256r1])
@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        ("1.2.840.10045.4.3.2", hashlib.sha256),
        ("1.2.840.10045.4.3.3", hashlib.sha384),
        ("1.2.840.10045.4.3.4", hashlib.sha512),
    ],
)
def test_long_digests_are_cut(algorithm: str, digest: Callable[[bytes], Any], curve: Any) -> None:
    """The signer's key is recovered even if the digest is longer than the curve's order (FIPS 186-4, 6.4)."""
    key = ecdsa.SigningKey.generate(curve)
    signature = key.sign_digest(
        digest(SIGNED.signed).digest(), sigencode=ecdsa.util.sigencode_der, allow_truncate=True
    )
    points = set(issuer_points(replace(SIGNED, algorithm=algorithm, signature=signature)))
    assert key.verifying_key.to_string("uncompressed") in points


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80) | st.builds(lambda cut: SIGNED.signature[:cut], st.integers(0, 72)))
def test_any_signature_has_at_most_four_candidates(signature: bytes) -> None:
    """Any bytes in place of a signature give at most four candidates, each of which is a point."""
    points = list(issuer_points(replace(SIGNED, signature=signature)))
    assert len(points) <= 4
    assert all(len(point) == 65 for point in points)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**256), st.integers(0, 2**256))
def test_numbers_out_of_range_have_no_candidates(r: int, s: int) -> None:
    """Arbitrary numbers r and s in a signature give at most four candidates, and no exception."""

    def integer(number: int) -> bytes:
        content = number.to_bytes(33, "big")
        return b"\x02\x21" + content

    signature = b"\x30\x46" + integer(r) + integer(s)
    assert len(list(issuer_points(replace(SIGNED, signature=signature)))) <= 4
