"""The parts of a server's or card's X.509 certificate that the LPA reads: holder, role and issuing key.

The card verifies the certificates of SGP.22 and OpenSSL those of TLS; this module only reads them, with
lpad's own TLV parser, because a full X.509 library would cost the daemon 8 MB (RFC 5280, 4.1 and 4.2.1).
"""

from __future__ import annotations

from enum import StrEnum

from lpad.base.errors import MalformedError
from lpad.base.frozen import Frozen
from lpad.codec.asn1 import object_identifier, tlv

_SEQUENCE = 0x30
_EXTENSIONS = 0xA3
_SUBJECT_KEY_IDENTIFIER = "2.5.29.14"
_SUBJECT_ALT_NAME = "2.5.29.17"
_KEY_USAGE = "2.5.29.15"
_EXTENDED_KEY_USAGE = "2.5.29.37"
_BASIC_CONSTRAINTS = "2.5.29.19"
_BOOLEAN = 0x01
_CERTIFICATE_POLICIES = "2.5.29.32"
_AUTHORITY_KEY_IDENTIFIER = "2.5.29.35"
_DNS_NAME = 0x82
_REGISTERED_ID = 0x88


_VERSION = 0xA0
_SUBJECT = 4
"""The subject's position after the version: serial number, algorithm, issuer and validity come first."""
_SERIAL_NUMBER = bytes.fromhex("550405")
"""2.5.4.5, the attribute serialNumber of a name."""


class Role(StrEnum):
    """The role that SGP.22 gives the holder of a certificate."""

    CI = "ci"
    EUM = "eum"
    EUICC = "euicc"
    DP_TLS = "dp-tls"
    DP_AUTH = "dp-auth"
    DP_PB = "dp-pb"
    DS_TLS = "ds-tls"
    DS_AUTH = "ds-auth"


_RSP_ROLE = "2.23.146.1.2.1."
# v3 gave the roles new numbers; the old and the new number of a role are equivalent (SGP.22 v3.1, 4.5.2.1).
_ROLES = {
    "0": Role.CI,
    "1": Role.EUICC,
    "2": Role.EUM,
    "3": Role.DP_TLS,
    "4": Role.DP_AUTH,
    "5": Role.DP_PB,
    "6": Role.DS_TLS,
    "7": Role.DS_AUTH,
    "0.0.0": Role.EUM,
    "0.0.0.0.0": Role.EUICC,
    "0.0.1.0": Role.DP_TLS,
    "0.0.1.1": Role.DP_AUTH,
    "0.0.1.2": Role.DP_PB,
    "0.0.2.0": Role.DS_TLS,
    "0.0.2.1": Role.DS_AUTH,
}


class Certificate(Frozen):
    """A certificate's identity; `raw` is its DER.

    `registered_ids` are the dotted object identifiers of its subjectAltName, of which an SM-DP+ has
    one; key identifiers are bytes, None if the extension is missing.
    """

    raw: bytes
    registered_ids: tuple[str, ...]
    dns_names: tuple[str, ...]
    subject_key_identifier: bytes | None
    authority_key_identifier: bytes | None
    policies: tuple[str, ...]
    purposes: tuple[str, ...] | None = None
    """Dotted identifiers of extendedKeyUsage; None if the extension is missing."""
    is_ca: bool = False
    """Whether basicConstraints marks the certificate as a CA."""
    may_sign: bool = True
    """Whether keyUsage includes digitalSignature; true if the extension is missing."""

    @classmethod
    def decode(cls, raw: bytes) -> Certificate:
        """Read a certificate's extensions.

        Raises:
            MalformedError: the bytes are not an X.509 certificate.
        """
        extensions = _extensions(raw)
        names = _members(extensions.get(_SUBJECT_ALT_NAME))
        subject_key = extensions.get(_SUBJECT_KEY_IDENTIFIER)
        authority = _members(extensions.get(_AUTHORITY_KEY_IDENTIFIER))
        policies = _members(extensions.get(_CERTIFICATE_POLICIES))
        constraints = _members(extensions.get(_BASIC_CONSTRAINTS))
        usage = extensions.get(_KEY_USAGE)
        purposes = extensions.get(_EXTENDED_KEY_USAGE)
        return cls(
            raw=raw,
            registered_ids=tuple(
                object_identifier.decode(name.value) for name in names if name.tag == _REGISTERED_ID
            ),
            dns_names=tuple(name.value.decode("ascii", "replace") for name in names if name.tag == _DNS_NAME),
            subject_key_identifier=None if subject_key is None else tlv.parse(subject_key).value,
            authority_key_identifier=next((part.value for part in authority if part.tag == 0x80), None),
            policies=tuple(object_identifier.decode(policy.get(0x06).value) for policy in policies),
            purposes=None if purposes is None else tuple(map(_identifier, _members(purposes))),
            is_ca=any(part.tag == _BOOLEAN and part.value != b"\x00" for part in constraints),
            may_sign=usage is None or bool(tlv.parse(usage).value[1:2] >= b"\x80"),
        )

    @property
    def roles(self) -> tuple[Role, ...]:
        """The roles that the certificate's policies name."""
        found = (
            _ROLES.get(policy.removeprefix(_RSP_ROLE))
            for policy in self.policies
            if policy.startswith(_RSP_ROLE)
        )
        return tuple(role for role in found if role is not None)


def subject_serial_number(raw: bytes) -> str | None:
    """Return the serialNumber in a certificate's subject (of an eUICC: the EID); None if there is none.

    Args:
        raw: the certificate's DER.

    Raises:
        MalformedError: the bytes are not an X.509 certificate.
    """
    fields = tlv.parse(raw).get(_SEQUENCE).children()
    first = 1 if fields and fields[0].tag == _VERSION else 0
    if len(fields) <= first + _SUBJECT:
        raise MalformedError("these bytes are not an X.509 certificate")
    for names in fields[first + _SUBJECT].children():
        for name in names.children():
            parts = name.children()
            if len(parts) > 1 and parts[0].value == _SERIAL_NUMBER:
                return parts[1].value.decode("ascii", "replace")
    return None


def _extensions(raw: bytes) -> dict[str, bytes]:
    """Return each extension's value by its dotted identifier."""
    certificate = tlv.parse(raw)
    if certificate.tag != _SEQUENCE:
        raise MalformedError("these bytes are not an X.509 certificate")
    found = certificate.get(_SEQUENCE).find(_EXTENSIONS)
    extensions = {}
    for extension in () if found is None else found.get(_SEQUENCE).children():
        extensions[object_identifier.decode(extension.get(0x06).value)] = extension.get(0x04).value
    return extensions


def _identifier(element: tlv.Tlv) -> str:
    return object_identifier.decode(element.value)


def _members(value: bytes | None) -> tuple[tlv.Tlv, ...]:
    return () if value is None else tlv.parse(value).children()
