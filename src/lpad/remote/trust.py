"""The trust anchors: against what a server's certificate is verified.

TLS is always verified. The anchors are the system's and those in the operator's files.
"""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Self

from lpad.errors import InvalidSettings
from lpad.remote.brainpool import offer_brainpool

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_DER_SEQUENCE = b"\x30"
_PEM_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_KEY_ALONE = re.compile(
    rb"(?:-----BEGIN EC PARAMETERS-----[^-]*-----END EC PARAMETERS-----\s*)?"
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*-----END [A-Z ]*PRIVATE KEY-----"
)
_SUFFIXES = frozenset({".pem", ".crt", ".cer", ".der"})


class Trust:
    """The anchors and the TLS contexts made of them; one object serves the whole process."""

    def __init__(self, extra: Iterable[bytes] = (), *, use_system_roots: bool = True) -> None:
        """Trust the system's roots and more.

        Args:
            extra: CA certificates, DER.
            use_system_roots: False leaves the system's roots out.
        """
        self._extra = b"".join(extra)
        self._use_system_roots = use_system_roots
        self._usual: ssl.SSLContext | None = None
        self._brainpool: ssl.SSLContext | None = None
        self._brainpool_hosts: set[str] = set()

    @classmethod
    def load(cls, paths: Iterable[Path] = (), *, use_system_roots: bool = True) -> Self:
        """Read CA certificates from PEM or DER files; a folder stands for its .pem, .crt, .cer and .der.

        Raises:
            InvalidSettings: a file can't be read or holds no certificate.
        """
        certificates = [
            certificate for path in paths for file in _files(path) for certificate in _certificates(file)
        ]
        return cls(certificates, use_system_roots=use_system_roots)

    def context_for(self, host: str) -> ssl.SSLContext:
        """Return the context for a handshake with `host`."""
        if host in self._brainpool_hosts:
            self._brainpool = self._brainpool or offer_brainpool(self._new_context())
            return self._brainpool
        self._usual = self._usual or self._new_context()
        return self._usual

    def needs_brainpool(self, host: str) -> bool:
        """Note that `host` shares no cipher with the usual context; say whether that is news.

        A server with a certificate on brainpoolP256r1 fails the handshake of clients that don't offer the
        curve, and OpenSSL's default does not.
        """
        if host in self._brainpool_hosts:
            return False
        self._brainpool_hosts.add(host)
        return True

    def forget_brainpool(self, host: str) -> None:
        """Take back `needs_brainpool`: the curve was not what was missing."""
        self._brainpool_hosts.discard(host)

    def _new_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies chain and name unless told otherwise
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        # An operator may trust a sub-CA, or one server's own certificate, without the root above it.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        if self._use_system_roots:
            context.load_default_certs()
        if self._extra:
            context.load_verify_locations(cadata=self._extra)
        return context


def _files(path: Path) -> list[Path]:
    """Return the file, or those of a folder that are meant as certificates: keys may lie beside them."""
    try:
        if not path.is_dir():
            return [path]
        named = sorted(file for file in path.iterdir() if file.suffix.lower() in _SUFFIXES)
        return [file for file in named if not _KEY_ALONE.fullmatch(file.read_bytes().strip())]
    except OSError as error:
        raise InvalidSettings(f"can't list the CA certificates in {path}: {error.strerror}") from error


def _certificates(path: Path) -> list[bytes]:
    """Return the DER certificates of a file, each tried, so that a bad file is named when it is read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidSettings(f"can't read the CA certificates in {path}: {error.strerror}") from error
    try:
        if content.startswith(_DER_SEQUENCE):
            certificates = [content]
        else:
            blocks = _PEM_BLOCK.findall(content.decode("latin-1"))
            certificates = [ssl.PEM_cert_to_DER_cert(block) for block in blocks]
        for certificate in certificates:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=certificate)
    except (ssl.SSLError, ValueError) as error:
        raise InvalidSettings(f"{path} holds what is no certificate in PEM or DER form") from error
    if not certificates:
        raise InvalidSettings(f"{path} holds no certificate in PEM or DER form")
    return certificates
