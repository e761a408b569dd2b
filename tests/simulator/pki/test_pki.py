"""The test PKI: certificates by SGP.22, 4.5.2, their chains, and folders laid out like SGP.26's."""

from __future__ import annotations

import hashlib
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lpad.base.errors import InvalidValue, NotFound
from lpad.base.identifiers import Eid
from lpad.simulator.pki.credential import Credential, Curve, issued_by, policies
from lpad.simulator.pki.pki import DEFAULT_EID, Pki

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


ROLES: dict[str, tuple[Callable[[Pki, Curve], Credential], str, bool, str | None]] = {
    "ci": (lambda pki, curve: pki.ci[curve], "2.23.146.1.2.1.0", True, "2.999.1"),
    "eum": (lambda pki, curve: pki.eum[curve], "2.23.146.1.2.1.2", True, "2.999.5"),
    "euicc": (lambda pki, curve: pki.issue_euicc(DEFAULT_EID, curve), "2.23.146.1.2.1.1", True, None),
    "dp_auth": (lambda pki, curve: pki.dp_auth[curve], "2.23.146.1.2.1.4", True, "2.999.10"),
    "dp_pb": (lambda pki, curve: pki.dp_pb[curve], "2.23.146.1.2.1.5", True, "2.999.10"),
    "dp2_auth": (lambda pki, curve: pki.dp2_auth[curve], "2.23.146.1.2.1.4", True, "2.999.12"),
    "dp2_pb": (lambda pki, curve: pki.dp2_pb[curve], "2.23.146.1.2.1.5", True, "2.999.12"),
    "dp_tls": (lambda pki, curve: pki.dp_tls(curve=curve), "2.23.146.1.2.1.3", False, "2.999.10"),
}
AUTHORITIES = {"ci", "eum"}


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """A test PKI that is made for this file's tests."""
    return Pki.open(tmp_path_factory.mktemp("pki") / "made")


@pytest.mark.parametrize("curve", Curve)
@pytest.mark.parametrize("role", ROLES)
def test_certificates_have_their_roles(pki: Pki, role: str, curve: Curve) -> None:
    """Each role's certificate has the policy OID, registered ID, key usage, hash and curve of its role."""
    pick, policy, critical, oid = ROLES[role]
    credential = pick(pki, curve)
    extensions = credential.certificate.extensions
    assert policies(credential.certificate) == (policy,)
    assert extensions.get_extension_for_class(x509.CertificatePolicies).critical is critical
    assert credential.oid == oid
    assert credential.curve is curve
    assert isinstance(credential.certificate.signature_hash_algorithm, hashes.SHA256)
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.key_cert_sign is (role in AUTHORITIES)
    assert usage.value.digital_signature is (role not in AUTHORITIES)


@pytest.mark.parametrize("curve", Curve)
@pytest.mark.parametrize("role", ROLES)
def test_keys_are_named_by_their_points(pki: Pki, role: str, curve: Curve) -> None:
    """A certificate's SKI is the SHA-1 of its public point, and its AKI is the issuer's SKI, if any."""
    credential = ROLES[role][0](pki, curve)
    point = credential.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    found = credential.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    assert found.value.digest == hashlib.sha1(point).digest() == credential.key_id
    issuer = {"ci": None, "euicc": pki.eum[curve].key_id}.get(role, pki.ci[curve].key_id)
    assert credential.issuer_key_id == issuer


@pytest.mark.parametrize("curve", Curve)
@pytest.mark.parametrize("role", ROLES)
def test_each_certificate_is_signed_by_its_issuer_only(pki: Pki, role: str, curve: Curve) -> None:
    """Each certificate is signed by its issuer and by no other CI; its private key fits its public key."""
    credential = ROLES[role][0](pki, curve)
    issuer = pki.eum[curve] if role == "euicc" else pki.ci[curve]
    credential.certificate.verify_directly_issued_by(issuer.certificate)
    assert issued_by(credential.certificate, issuer.certificate)
    other = next(one for one in Curve if one is not curve)
    assert not issued_by(credential.certificate, pki.ci[other].certificate)
    assert credential.signed(credential.sign(b"message"), b"message")
    assert not credential.signed(credential.sign(b"message"), b"another")
    assert not credential.signed(bytes(10), b"message")


def test_eum_may_issue_for_its_own_cards_only(pki: Pki) -> None:
    """The EUM's certificate permits only cards of its organisation and IIN, and no further CA."""
    extensions = pki.eum[Curve.NIST].certificate.extensions
    constraints = extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert constraints.value.permitted_subtrees is not None
    name = constraints.value.permitted_subtrees[0].value
    assert name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "RSP Test EUM"
    assert name.get_attributes_for_oid(NameOID.SERIAL_NUMBER)[0].value == "89049032"
    basic = extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, True, 0)


def test_euicc_is_named_by_its_eid(pki: Pki) -> None:
    """A card's certificate has the EUM's organisation, and the EID, in the EUM's range, as serialNumber."""
    subject = pki.issue_euicc().certificate.subject
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "RSP Test EUM"
    assert subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)[0].value == DEFAULT_EID.digits
    assert DEFAULT_EID.digits.startswith("89049032")
    assert DEFAULT_EID.check_digits_right


def test_tls_certificate_is_a_web_servers(pki: Pki) -> None:
    """A TLS certificate has the critical usages server and client, and its names in subjectAltName."""
    extensions = pki.dp_tls().certificate.extensions
    usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert usage.critical
    assert list(usage.value) == [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "testsmdpplus1.example.com"]


def test_tls_certificates_are_made_for_other_names(pki: Pki) -> None:
    """TLS certificates can be made for other names and addresses, expired, or by an unknown CA."""
    made = pki.dp_tls("127.0.0.1", "dp.example.com", expired=True).certificate
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["dp.example.com"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert made.not_valid_after_utc < datetime.now(UTC)
    issued = pki.strangers_tls("dp.example.com").certificate
    assert not issued_by(issued, pki.ci[Curve.NIST].certificate)


def test_pki_is_read_back_from_its_folder(tmp_path: Path) -> None:
    """A PKI that is opened again has the same certificates and keys, including the card's."""
    first = Pki.open(tmp_path / "pki")
    card = first.issue_euicc()
    second = Pki.open(tmp_path / "pki")
    for pick, *_ in ROLES.values():
        assert pick(first, Curve.NIST).der == pick(second, Curve.NIST).der
    assert second.issue_euicc().der == card.der
    assert second.issue_euicc().signed(card.sign(b"x"), b"x")


def test_folder_is_laid_out_like_sgp26(tmp_path: Path) -> None:
    """The folder's files have SGP.26's names; only the owner can read the private keys."""
    Pki.open(tmp_path / "pki")
    names = {
        str(path.relative_to(tmp_path / "pki")) for path in (tmp_path / "pki").rglob("*.*") if path.is_file()
    }
    for curve in ("NIST", "BRP"):
        assert {
            f"ci/CERT_CI_ECDSA_{curve}.der",
            f"eum/SK_EUM_ECDSA_{curve}.pem",
            f"dpauth/CERT_S_SM_DPauth_ECDSA_{curve}.der",
            f"dpauth/SK_S_SM_DP2auth_ECDSA_{curve}.pem",
            f"dppb/CERT_S_SM_DPpb_ECDSA_{curve}.der",
            f"dptls/CERT_S_SM_DP_TLS_{curve}.der",
            f"dptls/SK_S_SM_DP_TLS_{curve}.pem",
        } <= names
    keys = list((tmp_path / "pki").rglob("SK_*.pem"))
    assert len(keys) == 14
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}


def test_parties_that_start_together_share_one_pki(tmp_path: Path) -> None:
    """Threads that open an empty folder at the same time get the same root certificate."""
    roots: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: roots.append(Pki.open(tmp_path / "pki").ci[Curve.NIST].der))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(roots) == 4
    assert len(set(roots)) == 1


def test_making_that_was_cut_off_is_done_again(tmp_path: Path) -> None:
    """If a folder has no CI certificates, the whole PKI is made again."""
    first = Pki.open(tmp_path / "pki")
    (tmp_path / "pki" / "ci").rename(tmp_path / "pki" / "ci.unfinished")
    second = Pki.open(tmp_path / "pki")
    assert second.ci[Curve.NIST].der != first.ci[Curve.NIST].der
    assert issued_by(second.dp_auth[Curve.NIST].certificate, second.ci[Curve.NIST].certificate)


def test_folder_that_holds_something_else_is_named(tmp_path: Path) -> None:
    """The error for a damaged certificate names its file."""
    Pki.open(tmp_path / "pki")
    (tmp_path / "pki" / "eum" / "CERT_EUM_ECDSA_NIST.der").write_bytes(b"nonsense")
    with pytest.raises(InvalidValue, match=r"CERT_EUM_ECDSA_NIST\.der"):
        Pki.open(tmp_path / "pki")


def test_folder_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    """If the PKI's folder cannot be made, the error names the test PKI."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidValue, match="test PKI"):
        Pki.open(tmp_path / "file" / "pki")


@pytest.mark.test_data
def test_published_pki_is_read(test_data: Path, tmp_path: Path) -> None:
    """SGP.26's folder can be opened; a key or a role that it lacks is an error when requested."""
    pki = Pki.open(test_data / "sgp26", minted=tmp_path)
    assert pki.ci[Curve.NIST].key_id.hex() == "f54172bdf98a95d65cbeb88a38a1c11d800a85c3"
    assert pki.ci[Curve.BRAINPOOL].key_id.hex() == "c0bc70ba36929d43b467ff57570530e57ab8fcd8"
    assert {one.oid for one in (*pki.dp_auth.values(), *pki.dp_pb.values())} == {"2.999.10"}
    for role in (pki.dp_auth, pki.dp_pb, pki.dp2_auth, pki.dp2_pb):
        for curve, credential in role.items():
            assert issued_by(credential.certificate, pki.ci[curve].certificate)
            assert credential.signed(credential.sign(b"x"), b"x")
    with pytest.raises(NotFound, match="no EUM"):
        pki.issue_euicc(curve=Curve.BRAINPOOL)
    with pytest.raises(NotFound, match="no private key"):
        pki.dp_tls("localhost", curve=Curve.BRAINPOOL)


@pytest.mark.test_data
def test_published_eum_issues_our_card(test_data: Path, tmp_path: Path) -> None:
    """A card's certificate is issued by SGP.26's EUM, kept in another folder, and used again."""
    eid = Eid.with_check_digits("890490320000000000000000000001")
    made = Pki.open(test_data / "sgp26", minted=tmp_path).issue_euicc(eid)
    again = Pki.open(test_data / "sgp26", minted=tmp_path).issue_euicc(eid)
    assert made.der == again.der
    assert issued_by(
        made.certificate, Pki.open(test_data / "sgp26", minted=tmp_path).eum[Curve.NIST].certificate
    )


@pytest.mark.test_data
def test_published_tls_certificates_are_used_for_their_name(test_data: Path, tmp_path: Path) -> None:
    """For SGP.26's name its published certificates are used; for localhost, one is made."""
    pki = Pki.open(test_data / "sgp26", minted=tmp_path)
    name = "testsmdpplus1.example.com"
    folder = test_data / "sgp26" / "dptls"
    for curve in Curve:
        valid = folder / f"CERT_S_SM_DP_TLS_{curve.value}.valid-to-2030.der"
        expired = folder / f"CERT_S_SM_DP_TLS_{curve.value}.expired-2026-08-02.der"
        assert pki.dp_tls(name, curve=curve).der == valid.read_bytes()
        assert pki.dp_tls(name, curve=curve, expired=True).der == expired.read_bytes()
    assert issued_by(pki.dp_tls("localhost").certificate, pki.ci[Curve.NIST].certificate)
