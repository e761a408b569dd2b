"""The causes of failed TLS handshakes, by OpenSSL's numbers."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from lpad.remote.trust import tls_failure
from lpad.remote.trust.tls_failure import CLOCK_UNSET_BEFORE, is_without_anchor, untrusted

EXPIRED = 10


def failed(code: int) -> ssl.SSLCertVerificationError:
    """Return Python's exception for one of OpenSSL's X509_V_ERR_ numbers."""
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    error.verify_message = "OpenSSL's own words"
    return error


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (2, "unknown-ca"),
        (7, "wrong-signature"),
        (18, "unknown-ca"),
        (19, "unknown-ca"),
        (20, "unknown-ca"),
        (21, "unknown-ca"),
        (22, "path-too-long"),
        (24, "issuer-is-no-ca"),
        (25, "path-too-long"),
        (26, "wrong-purpose"),
        (27, "unknown-ca"),
        (32, "issuer-is-no-ca"),
        (34, "unknown-extension"),
        (47, "name-not-permitted"),
        (48, "name-not-permitted"),
        (62, "certificate-for-other-name"),
        (64, "certificate-for-other-name"),
        (66, "too-weak"),
        (67, "too-weak"),
        (68, "too-weak"),
        (79, "issuer-is-no-ca"),
        (23, "certificate-invalid"),
    ],
)
def test_each_verdict_has_its_cause(code: int, cause: str) -> None:
    """Each known number of openssl/x509_vfy.h has its cause; for others, OpenSSL's text is given."""
    found = untrusted(failed(code), server="smdp.example.com")
    assert found.details["cause"] == cause
    assert ("OpenSSL's own words" in found.sentence) is (cause == "certificate-invalid")
    assert is_without_anchor(failed(code)) is (cause == "unknown-ca")


@pytest.mark.parametrize(
    ("code", "seconds", "cause"),
    [
        (9, -1, "clock-not-set"),
        (9, 0, "certificate-not-yet-valid"),
        (EXPIRED, -1, "clock-not-set"),
        (EXPIRED, 0, "certificate-expired"),
        (7, -1, "wrong-signature"),
    ],
)
def test_a_clock_that_was_never_set_is_blamed(
    monkeypatch: pytest.MonkeyPatch, code: int, seconds: int, cause: str
) -> None:
    """If the clock shows a time before lpad's release, errors about dates have the cause clock-not-set."""
    now = CLOCK_UNSET_BEFORE + seconds
    monkeypatch.setattr(tls_failure, "time", SimpleNamespace(time=lambda: now))
    found = untrusted(failed(code), server="smdp.example.com")
    assert found.details["cause"] == cause
    assert found.retryable is (cause == "clock-not-set")


def test_the_clock_was_unset_before_the_month_of_this_version() -> None:
    """CLOCK_UNSET_BEFORE is the first day of November 2026."""
    assert datetime.fromtimestamp(CLOCK_UNSET_BEFORE, tz=UTC) == datetime(2026, 11, 1, tzinfo=UTC)
