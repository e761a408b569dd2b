"""The simulated SM-DP+'s verification of a card's certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from lpad.simulator.pki import certificate_making as making
from lpad.simulator.pki.credential import Credential, Curve
from lpad.simulator.pki.pki import DEFAULT_EID
from lpad.simulator.smdp.functions import status_codes
from lpad.simulator.smdp.functions.card_certificates import verify_chain
from lpad.simulator.smdp.functions.status_codes import Refusal

if TYPE_CHECKING:
    from lpad.simulator.pki.pki import Pki


def renamed(ci: Credential) -> Credential:
    """Return another certificate of a CI's key, with the reversed name and one more part."""
    own, key = ci.certificate, ci.key
    name = x509.Name([*reversed(list(own.subject)), x509.NameAttribute(NameOID.LOCALITY_NAME, "Milan")])
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=7,
        not_valid_before=own.not_valid_before_utc,
        not_valid_after=own.not_valid_after_utc,
    )
    for extension in own.extensions:
        if not isinstance(extension.value, x509.SubjectKeyIdentifier):
            builder = builder.add_extension(extension.value, critical=extension.critical)
    identifier = x509.SubjectKeyIdentifier(ci.key_id)
    return Credential(builder.add_extension(identifier, critical=False).sign(key, SHA256()), key)


@pytest.mark.parametrize("curve", Curve)
def test_older_eum_under_newer_ci(pki: Pki, curve: Curve) -> None:
    """An EUM certificate that names the CI differently is valid if the CI's key signed it."""
    ci = pki.ci[curve]
    eum = making.make_eum(renamed(ci))
    card = making.make_euicc(eum, DEFAULT_EID)
    assert eum.certificate.issuer != ci.certificate.subject
    assert verify_chain(card.der, eum.der, ci)[1] == DEFAULT_EID


def test_a_forged_eum_certificate_is_invalid(pki: Pki) -> None:
    """An EUM certificate with a wrong signature is refused with the status for it."""
    ci = pki.ci[Curve.NIST]
    eum = making.make_eum(renamed(ci))
    card = making.make_euicc(eum, DEFAULT_EID)
    forged = eum.der[:-1] + bytes([eum.der[-1] ^ 1])
    with pytest.raises(Refusal) as refused:
        verify_chain(card.der, forged, ci)
    assert refused.value.status == status_codes.EUM_INVALID
