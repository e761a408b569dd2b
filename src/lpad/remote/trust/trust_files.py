"""The operator's own CA certificates and revocation lists, as files in PEM or DER form."""

from __future__ import annotations

import logging
import re
import ssl
import time
from base64 import b64decode
from typing import TYPE_CHECKING

from msgspec import Struct

from lpad.base.errors import InvalidSettings, MalformedError
from lpad.base.lazy_pattern import LazyPattern
from lpad.base.regular_file import read_regular
from lpad.codec.x509.revocation_list import RevocationList

if TYPE_CHECKING:
    from pathlib import Path

_LOG = logging.getLogger(__name__)

_DER_SEQUENCE = b"\x30"
_PEM_BLOCK = LazyPattern(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_PEM_LIST = LazyPattern(r"-----BEGIN X509 CRL-----(.*?)-----END X509 CRL-----", re.DOTALL)
_KEY_ALONE = LazyPattern(
    rb"(?:-----BEGIN EC PARAMETERS-----[^-]*-----END EC PARAMETERS-----\s*)?"
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*-----END [A-Z ]*PRIVATE KEY-----"
)
_SUFFIXES = frozenset({".pem", ".crt", ".cer", ".der", ".crl"})
_LARGEST = 4 * 1024 * 1024


class TrustFile(Struct, frozen=True):
    """The content of a file: CA certificates (DER) and revocation lists."""

    certificates: tuple[bytes, ...] = ()
    revocations: tuple[RevocationList, ...] = ()


def trust_files(path: Path) -> list[Path]:
    """Return the file, or the files of a folder that end in .pem, .crt, .cer, .der or .crl and are not keys.

    Raises:
        InvalidSettings: the folder, or a file in it, cannot be read.
    """
    try:
        if not path.is_dir():
            return [path]
        named = sorted(file for file in path.iterdir() if file.suffix.lower() in _SUFFIXES)
        return [file for file in named if not _KEY_ALONE.fullmatch(read_regular(file, most=_LARGEST).strip())]
    except OSError as error:
        which = error.filename or path
        raise InvalidSettings(f"cannot read the CA certificates in {which}: {error.strerror}") from error


def read_trust_file(path: Path) -> TrustFile:
    """Return the content of a file; each certificate is checked, so that an error names the bad file.

    Raises:
        InvalidSettings: the file cannot be read, or contains neither a certificate nor a revocation list.
    """
    try:
        content = read_regular(path, most=_LARGEST)
    except OSError as error:
        raise InvalidSettings(
            f"cannot read the CA certificates in {path}: {error.strerror}; check the path and its permissions"
        ) from error
    try:
        found = _der(content) if content.startswith(_DER_SEQUENCE) else _pem(content.decode("latin-1"))
    except (ssl.SSLError, ValueError, MalformedError) as error:
        raise InvalidSettings(
            f"{path} contains something other than certificates and revocation lists in PEM or DER form"
        ) from error
    if not (found.certificates or found.revocations):
        raise InvalidSettings(
            f"{path} contains neither a certificate nor a revocation list in PEM or DER form"
        )
    for each in found.revocations:
        if each.next_update is not None and each.next_update.timestamp() < time.time():
            _LOG.warning(
                "the revocation list in %s has been out of date since %s", path, each.next_update.date()
            )
    return found


def _der(content: bytes) -> TrustFile:
    try:
        _try(content)
    except ssl.SSLError:
        return TrustFile(revocations=(RevocationList.decode(content),))
    return TrustFile((content,))


def _pem(text: str) -> TrustFile:
    certificates = tuple(ssl.PEM_cert_to_DER_cert(block) for block in _PEM_BLOCK.findall(text))
    for certificate in certificates:
        _try(certificate)
    lists = (RevocationList.decode(b64decode(block)) for block in _PEM_LIST.findall(text))
    return TrustFile(certificates, tuple(lists))


def _try(certificate: bytes) -> None:
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=certificate)
