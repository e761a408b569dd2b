"""The meaning of a failed TLS handshake, for users without a packet trace."""

from __future__ import annotations

import ssl
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError, ServerUntrusted
from lpad.codec.x509.certificate_key_and_signature import SignedCertificate

if TYPE_CHECKING:
    from collections.abc import Sequence

# A clock that shows an earlier time has not been set, as on a board without a clock battery.
CLOCK_UNSET_BEFORE = datetime(2026, 11, 1, tzinfo=UTC).timestamp()

# Keys are OpenSSL's X509_V_ERR_ numbers (openssl/x509_vfy.h), for which Python's ssl has no names.
_NOT_YET_VALID = 9
_EXPIRED = 10
# Issuer not found, locally or at all; self-signed, alone or in a chain; not trusted for this use.
_WITHOUT_ANCHOR = frozenset({2, 18, 19, 20, 21, 27})
_UNKNOWN_CA = (
    "unknown-ca",
    "is not trusted by the card or by this system; see 'lpactl trust check' and the setting 'trust'",
)
_OTHER_NAME = (
    "certificate-for-other-name",
    "is for another name; check the address, and that no system in between intercepts TLS",
)
_NO_CA = ("issuer-is-no-ca", "was issued with a certificate that may not issue others; it cannot be trusted")
_TOO_WEAK = (
    "too-weak",
    "or of a CA above it has a key or a signature that is too weak; its operator must renew it",
)
_OTHER_NAMES = (
    "name-not-permitted",
    "was issued by a CA that may not issue for this name; tell its operator",
)
_VERDICTS: dict[int, tuple[str, str]] = {
    _NOT_YET_VALID: (
        "certificate-not-yet-valid",
        "or of a CA above it is not valid yet; check this device's clock",
    ),
    _EXPIRED: (
        "certificate-expired",
        "or of a CA above it has expired; the server's operator must renew it",
    ),
    **dict.fromkeys(_WITHOUT_ANCHOR, _UNKNOWN_CA),
    7: (
        "wrong-signature",
        "or of a CA above it has a wrong signature; check that no system in between alters it",
    ),
    22: ("path-too-long", "has more CAs above it than are allowed; tell its operator"),
    24: _NO_CA,  # this error has the number 79 since OpenSSL 3.0
    25: ("path-too-long", "has more CAs above it than one of them allows; tell its operator"),
    26: ("wrong-purpose", "is not for TLS servers; tell its operator"),
    32: _NO_CA,
    34: ("unknown-extension", "has a critical extension that lpad does not know; tell its operator"),
    47: _OTHER_NAMES,
    48: _OTHER_NAMES,
    62: _OTHER_NAME,
    64: _OTHER_NAME,
    66: _TOO_WEAK,
    67: _TOO_WEAK,
    68: _TOO_WEAK,
    79: _NO_CA,
}


def is_no_shared_cipher(error: ssl.SSLError) -> bool:
    """Return whether the server accepts no cipher of the offer; OpenSSL's wording of the alert varies."""
    return "HANDSHAKE_FAILURE" in (error.reason or "")


def is_of_certificate(error: ssl.SSLError) -> bool:
    """Return whether OpenSSL rejected the server's certificate."""
    return isinstance(error, ssl.SSLCertVerificationError)


def is_without_anchor(error: ssl.SSLError) -> bool:
    """Return whether an anchor for the server's chain is missing."""
    return isinstance(error, ssl.SSLCertVerificationError) and error.verify_code in _WITHOUT_ANCHOR


def untrusted(error: ssl.SSLError, *, server: str, presented: Sequence[bytes] = ()) -> ServerUntrusted:
    """Return the error to raise; its detail `certain` means that a wrong clock cannot be the reason."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        reason = (error.reason or "handshake failed").replace("_", " ").lower()
        return ServerUntrusted(
            f"TLS with {server} failed: {reason}; the server must speak TLS 1.2 or 1.3 and share a cipher, "
            "and no system in between may intercept the connection",
            cause="tls-failed",
        )
    code = error.verify_code
    if code in (_NOT_YET_VALID, _EXPIRED) and time.time() < CLOCK_UNSET_BEFORE:
        return ServerUntrusted(
            f"the certificate of {server} cannot be verified: this device's clock shows "
            f"{datetime.fromtimestamp(time.time(), tz=UTC):%Y-%m-%d}; set it, or wait until NTP has",
            cause="clock-not-set",
            retryable=True,
        )
    cause, finding = _VERDICTS.get(
        code, ("certificate-invalid", f"is not acceptable: {error.verify_message}")
    )
    certain = {"certain": True} if code == _EXPIRED and _expired_for_certain(presented) else {}
    return ServerUntrusted(f"the certificate of {server} {finding}", cause=cause, **certain)


def _expired_for_certain(presented: Sequence[bytes]) -> bool:
    """Return whether one of the certificates had expired before this lpad was built."""
    for each in presented:
        with suppress(MalformedError):
            if SignedCertificate.decode(each).not_after.timestamp() < CLOCK_UNSET_BEFORE:
                return True
    return False
