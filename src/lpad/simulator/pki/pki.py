"""The test PKI: created on first use, or read from a folder with the layout of SGP.26.

    ci/      CERT_CI_ECDSA_NIST.der             SK_CI_ECDSA_NIST.pem             the root
    eum/     CERT_EUM_ECDSA_NIST.der            SK_EUM_ECDSA_NIST.pem            the card maker
    dpauth/  CERT_S_SM_DPauth_ECDSA_NIST.der    SK_S_SM_DPauth_ECDSA_NIST.pem    DP2auth: another server
    dppb/    CERT_S_SM_DPpb_ECDSA_NIST.der      SK_S_SM_DPpb_ECDSA_NIST.pem      DP2pb: another server
    dptls/   CERT_S_SM_DP_TLS_NIST[.word].der   SK_S_SM_DP_TLS_NIST.pem
    euicc/   CERT_EUICC_<EID>_ECDSA_NIST.der    SK_EUICC_<EID>_ECDSA_NIST.pem    minted on demand

and the same files with BRP in place of NIST. A role may be missing on one of the curves: the
published folder has no brainpool EUM, and no private key of the brainpool CI.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from lpad.base.errors import InvalidValue, MalformedError, NotFound
from lpad.base.identifiers import Eid
from lpad.simulator.pki import certificate_making as making
from lpad.simulator.pki.certificate_making import Validity
from lpad.simulator.pki.credential import Credential, Curve, read_certificate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

DEFAULT_EID = Eid.with_check_digits(making.EUM_IIN + "1234512345123456789012")
DEFAULT_TLS_NAMES = ("localhost", "testsmdpplus1.example.com")
OID_DP1 = "2.999.10"
OID_DP2 = "2.999.12"
OID_ROOT_DS = "2.999.15"
OID_DS1 = "2.999.15.2"

_ROLE_FILES = {
    "ci": ("ci", "CI_ECDSA"),
    "eum": ("eum", "EUM_ECDSA"),
    "dp_auth": ("dpauth", "S_SM_DPauth_ECDSA"),
    "dp_pb": ("dppb", "S_SM_DPpb_ECDSA"),
    "dp2_auth": ("dpauth", "S_SM_DP2auth_ECDSA"),
    "dp2_pb": ("dppb", "S_SM_DP2pb_ECDSA"),
}
_TLS_FOLDER, _TLS_STEM = "dptls", "S_SM_DP_TLS"


@dataclass(frozen=True, slots=True)
class Pki:
    """The credentials of the CIs, the card maker and the servers; mappings contain the available curves."""

    ci: Mapping[Curve, Credential]
    eum: Mapping[Curve, Credential]
    dp_auth: Mapping[Curve, Credential]
    dp_pb: Mapping[Curve, Credential]
    dp2_auth: Mapping[Curve, Credential]
    dp2_pb: Mapping[Curve, Credential]
    tls: tuple[Credential, ...] = ()
    minted: Path | None = None
    tls_role: str = making.ROLE_DP_TLS
    _euiccs: dict[tuple[str, Curve], Credential] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, folder: Path, *, minted: Path | None = None) -> Pki:
        """Read the PKI in `folder`; create one there first if there is none.

        Args:
            folder: a folder as this module describes it; may be read-only if it contains a CI.
            minted: the folder for certificates of cards; by default `folder`, or only memory if `folder`
                cannot be written.

        Raises:
            InvalidValue: `folder` contains files other than certificates or keys, or cannot be created.
        """
        if not _complete(folder):
            try:
                _create(folder)
            except OSError as error:
                raise InvalidValue(f"cannot make a test PKI in {folder}: {error.strerror}") from error
        if minted is None and os.access(folder, os.W_OK):
            minted = folder
        role = {name: _read_role(folder, *place) for name, place in _ROLE_FILES.items()}
        return cls(
            ci=role["ci"],
            eum=role["eum"],
            dp_auth=role["dp_auth"],
            dp_pb=role["dp_pb"],
            dp2_auth=role["dp2_auth"],
            dp2_pb=role["dp2_pb"],
            tls=_read_tls(folder),
            minted=minted,
        )

    def issue_euicc(self, eid: Eid = DEFAULT_EID, curve: Curve = Curve.NIST) -> Credential:
        """Return the credential of the card `eid`, created at the first request.

        Raises:
            NotFound: there is no EUM with a private key on `curve`.
        """
        known = self._euiccs.get((eid.digits, curve))
        if known is not None:
            return known
        stem = f"EUICC_{eid}_ECDSA"
        credential = None
        if self.minted is not None:
            credential = _read_role(self.minted, "euicc", stem).get(curve)
        if credential is None:
            credential = making.make_euicc(self._eum(curve), eid)
            if self.minted is not None:
                _write(self.minted / "euicc", f"{stem}_{curve.value}", credential)
        self._euiccs[eid.digits, curve] = credential
        return credential

    def of_smds(self, oid: str) -> Pki:
        """Return the PKI of an SM-DS under the same CIs; the server's credentials are the SM-DS's.

        An SM-DS does not bind packages. Its credential for binding is an SM-DP+'s for authentication, for the
        fault in which a certificate has the wrong role. A CI without a private key in the folder issues no
        certificate for the SM-DS.
        """
        auth = {
            curve: making.make_dp(ci, making.ROLE_DS_AUTH, oid=oid, name="TEST SM-DS")
            for curve, ci in self.ci.items()
            if ci.private_key is not None
        }
        return replace(self, dp_auth=auth, dp_pb=self.dp_auth, tls=(), tls_role=making.ROLE_DS_TLS)

    def dp_tls(
        self, *names: str, curve: Curve = Curve.NIST, oid: str = OID_DP1, expired: bool = False
    ) -> Credential:
        """Return a server's TLS credential for `names`: one of the folder's, or a new one.

        Args:
            names: host names or IP addresses, by default localhost and SGP.26's name.
            curve: the issuing CI's curve.
            oid: registered ID of the server.
            expired: whether the certificate must be expired.

        Raises:
            NotFound: the folder has no credential for these names, and no CI key to create one.
        """
        names = names or DEFAULT_TLS_NAMES
        now = datetime.now(UTC)
        for own in self.tls:
            good = own.certificate.not_valid_before_utc <= now <= own.certificate.not_valid_after_utc
            if own.curve is curve and own.oid == oid and good is not expired and _covers(own, names):
                return own
        ci = self.ci.get(curve)
        if ci is None:
            raise NotFound(f"there is no CI on the curve {curve.name}: use the other curve")
        validity = Validity.past() if expired else None
        return making.make_dp_tls(ci, *names, oid=oid, validity=validity, role=self.tls_role)

    def strangers_tls(self, *names: str) -> Credential:
        """Return a web server's credential of an unknown CI."""
        stranger = making.make_ci(Curve.NIST, name="Unknown CI")
        return making.make_dp_tls(stranger, *(names or DEFAULT_TLS_NAMES))

    def _eum(self, curve: Curve) -> Credential:
        eum = self.eum.get(curve)
        if eum is None:
            raise NotFound(
                f"there is no EUM on the curve {curve.name}: use the other curve, or name an empty folder, "
                "in which lpad creates a test PKI"
            )
        return eum


def _covers(credential: Credential, names: tuple[str, ...]) -> bool:
    told = credential.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    known = [*told.get_values_for_type(x509.DNSName), *map(str, told.get_values_for_type(x509.IPAddress))]
    return all(name in known for name in names)


def _complete(folder: Path) -> bool:
    return any((folder / "ci").glob("CERT_CI_ECDSA_*.der"))


def _create(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        # Another process, such as a server started at the same time, has created the PKI.
        if _complete(folder):
            return
        for curve in Curve:
            ci = making.make_ci(curve)
            made = {
                "eum": making.make_eum(ci),
                "dp_auth": making.make_dp(ci, making.ROLE_DP_AUTH, oid=OID_DP1),
                "dp_pb": making.make_dp(ci, making.ROLE_DP_PB, oid=OID_DP1),
                "dp2_auth": making.make_dp(ci, making.ROLE_DP_AUTH, oid=OID_DP2, name="TEST SM-DP+2"),
                "dp2_pb": making.make_dp(ci, making.ROLE_DP_PB, oid=OID_DP2, name="TEST SM-DP+2"),
            }
            tls = making.make_dp_tls(ci, *DEFAULT_TLS_NAMES)
            _write(folder / _TLS_FOLDER, f"{_TLS_STEM}_{curve.value}", tls)
            for role, credential in made.items():
                place, stem = _ROLE_FILES[role]
                _write(folder / place, f"{stem}_{curve.value}", credential)
            made_cis = folder / "ci.unfinished"
            _write(made_cis, f"CI_ECDSA_{curve.value}", ci)
        # The roots appear last and atomically, so that a folder with a CI is complete.
        made_cis.replace(folder / "ci")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read_role(folder: Path, place: str, stem: str) -> dict[Curve, Credential]:
    found = {}
    for curve in Curve:
        certificate = folder / place / f"CERT_{stem}_{curve.value}.der"
        if certificate.exists():
            found[curve] = _read(certificate, folder / place / f"SK_{stem}_{curve.value}.pem")
    return found


def _read_tls(folder: Path) -> tuple[Credential, ...]:
    found = []
    for curve in Curve:
        stem = f"{_TLS_STEM}_{curve.value}"
        key = folder / _TLS_FOLDER / f"SK_{stem}.pem"
        found += [_read(path, key) for path in sorted((folder / _TLS_FOLDER).glob(f"CERT_{stem}*.der"))]
    return tuple(one for one in found if one.private_key is not None)


def _read(certificate: Path, key: Path) -> Credential:
    try:
        loaded = read_certificate(certificate.read_bytes())
        if not key.exists():
            return Credential(loaded)
        private = load_pem_private_key(_key_block(key.read_bytes()), password=None)
    except (OSError, ValueError, TypeError, MalformedError) as error:
        raise InvalidValue(f"cannot read {certificate} with its key: {error}") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise InvalidValue(f"{key} contains no elliptic-curve key")
    return Credential(loaded, private)


def _key_block(pem: bytes) -> bytes:
    """Return only the key's block, because OpenSSL writes a block EC PARAMETERS before it."""
    start = pem.rfind(b"-----BEGIN")
    return pem[max(start, 0) :]


def _write(folder: Path, stem: str, credential: Credential) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pem = credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _replace(folder / f"SK_{stem}.pem", pem, mode=0o600)
    _replace(folder / f"CERT_{stem}.der", credential.der, mode=0o644)


def _replace(path: Path, data: bytes, *, mode: int) -> None:
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
    draft.replace(path)
