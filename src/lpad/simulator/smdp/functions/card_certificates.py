"""The check of a card's certificates: EUM under the CI, eUICC under the EUM (SGP.22 v2.5, 5.6.3)."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from cryptography.x509.oid import NameOID

from lpad.base.errors import InvalidValue, MalformedError
from lpad.base.identifiers import Eid
from lpad.codec.asn1 import tlv
from lpad.simulator.pki.certificate_making import ROLES_EUICC, ROLES_EUM
from lpad.simulator.pki.credential import (
    Credential,
    authority_key_id,
    certified_by,
    issued_by,
    policies,
    read_certificate,
)
from lpad.simulator.smdp.functions import status_codes
from lpad.simulator.smdp.functions.status_codes import Refusal, Status

_PERMITTED_EINS = x509.ObjectIdentifier("2.23.146.1.2.2.0")


def verify_chain(euicc_der: bytes, eum_der: bytes, ci: Credential) -> tuple[Credential, Eid]:
    """Return the card's certificate and EID if the chain up to `ci` is valid.

    Raises:
        Refusal: with status code 8.11.1/3.9 for another CI, and for the EUM's or the card's certificate with
            8.1.2 or 8.1.3 and 6.1 (invalid) or 6.3 (expired).
    """
    eum = _load(eum_der, status_codes.EUM_INVALID)
    if authority_key_id(eum) != ci.key_id:
        raise Refusal(status_codes.UNKNOWN_CI)
    if not certified_by(eum, ci.certificate) or not _is_authority(eum) or not ROLES_EUM & {*policies(eum)}:
        raise Refusal(status_codes.EUM_INVALID)
    if _out_of_time(eum):
        raise Refusal(status_codes.EUM_EXPIRED)
    euicc = _load(euicc_der, status_codes.EUICC_INVALID)
    if not issued_by(euicc, eum) or not ROLES_EUICC & {*policies(euicc)}:
        raise Refusal(status_codes.EUICC_INVALID)
    if _out_of_time(euicc):
        raise Refusal(status_codes.EUICC_EXPIRED)
    return Credential(euicc), _eid(euicc, eum)


def _load(der: bytes, invalid: Status) -> x509.Certificate:
    try:
        return read_certificate(der)
    except MalformedError as error:
        raise Refusal(invalid) from error


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _out_of_time(certificate: x509.Certificate) -> bool:
    now = datetime.now(UTC)
    return not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _eid(euicc: x509.Certificate, eum: x509.Certificate) -> Eid:
    """Return the EID in the card's certificate; check that the EUM may issue this EID."""
    serials = _attribute(euicc.subject, NameOID.SERIAL_NUMBER)
    try:
        eid = Eid.parse(serials or "")
    except InvalidValue as error:
        raise Refusal(status_codes.EUICC_INVALID) from error
    allowed = _permitted_names(eum)
    if allowed and not any(_within(euicc.subject, name) for name in allowed):
        raise Refusal(status_codes.EUICC_INVALID, subject_identifier=eid.digits)
    eins = _permitted_eins(eum)
    if eins and not eid.digits.startswith(eins):
        raise Refusal(status_codes.EUICC_INVALID, subject_identifier=eid.digits)
    return eid


def _within(subject: x509.Name, permitted: x509.Name) -> bool:
    """Return whether the organisation is the permitted one, and the EID begins with the permitted IIN.

    This differs from name constraints in RFC 5280: SGP.22 compares organisation and serial number, regardless
    of their position in the name.
    """
    organisation = _attribute(permitted, NameOID.ORGANIZATION_NAME)
    iin = _attribute(permitted, NameOID.SERIAL_NUMBER)
    own = _attribute(subject, NameOID.SERIAL_NUMBER) or ""
    return organisation in (None, _attribute(subject, NameOID.ORGANIZATION_NAME)) and own.startswith(
        iin or ""
    )


def _attribute(name: x509.Name, oid: x509.ObjectIdentifier) -> str | None:
    found = name.get_attributes_for_oid(oid)
    return str(found[0].value) if found else None


def _permitted_names(eum: x509.Certificate) -> list[x509.Name]:
    try:
        constraints = eum.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return []
    subtrees = constraints.permitted_subtrees or []
    return [one.value for one in subtrees if isinstance(one, x509.DirectoryName)]


def _permitted_eins(eum: x509.Certificate) -> tuple[str, ...]:
    """Return the EUM identification numbers in the extension of SGP.22 v3."""
    try:
        extension = eum.extensions.get_extension_for_oid(_PERMITTED_EINS).value
    except x509.ExtensionNotFound:
        return ()
    if not isinstance(extension, x509.UnrecognizedExtension):
        return ()
    try:
        return tuple(one.value.decode() for one in tlv.parse(extension.value).children())
    except (MalformedError, UnicodeDecodeError) as error:
        raise Refusal(status_codes.EUM_INVALID) from error
