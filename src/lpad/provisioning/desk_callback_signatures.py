"""Signatures of platforms' callbacks, for authors of an owner's desk; gateways receive no callbacks.

    twilio             X-Twilio-Signature: base64 HMAC of the URL and the form's fields, with SHA-1 unless
                       X-Twilio-Webhooks-Signature-Settings names another algorithm; the URL contains the hash
                       of a JSON body
    kore               kore-signature: hex SHA-256 of secret, method, URL and body, which is a weak proof
    standard-webhooks  webhook-signature: HMAC-SHA256 or Ed25519 of id, time and body (standardwebhooks.com)
    telnyx             telnyx-signature-ed25519: Ed25519 of time and body

The duration of a comparison does not depend on the compared values.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, parse_qsl, urlsplit, urlunsplit

from lpad.base.errors import InvalidValue
from lpad.base.frozen import Frozen
from lpad.base.untrusted_number import whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_DEFAULT_PORTS = {"https": 443, "http": 80}
_ED25519_KEY = 32
_MOST_SIGNATURES = 16
_TWILIO_ALGORITHMS = {"HMAC_SHA1": hashlib.sha1, "HMAC_SHA256": hashlib.sha256}
_TWILIO_SETTINGS = "x-twilio-webhooks-signature-settings"
"""The header that names the signature's key and algorithm (twilio-python, request_validator.py)."""


class Callback(Frozen):
    """A captured callback; the case of header names does not matter."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str:
        """Return a header's value.

        Raises:
            InvalidValue: the callback has no such header.
        """
        value = self.optional_header(name)
        if value is None:
            raise InvalidValue(f"the callback has no header '{name}', so nothing proves its origin")
        return value

    def optional_header(self, name: str) -> str | None:
        """Return a header's value; None if there is no such header."""
        return next((value.strip() for each, value in self.headers.items() if each.lower() == name), None)


def verify(scheme: str, callback: Callback, *, secret: str) -> int | None:
    """Check a callback's signature.

    Args:
        scheme: a key of SCHEMES.
        callback: the captured callback, with its unchanged body.
        secret: the account's token, the shared secret, or the public key in base64.

    Returns:
        The time of the signature, in seconds since 1970; None: the scheme has no time. The receiver must
        refuse old callbacks, which an attacker may have captured and sent again.

    Raises:
        InvalidValue: the signature is wrong or missing, or the secret does not fit the scheme.
    """
    if secret.strip() in ("", "whsec_"):
        raise InvalidValue("the secret is empty, so anyone could have made the signature")
    try:
        return SCHEMES[scheme](callback, secret)
    except ValueError as error:  # the address is not a URL, or a text has half a surrogate pair
        raise InvalidValue("the callback's URL or one of its headers cannot be read") from error


def _twilio(callback: Callback, secret: str) -> None:
    given = callback.header("x-twilio-signature")
    query = parse_qs(urlsplit(callback.url).query)
    hashed = query.get("bodySHA256", [""])[0]
    if hashed:
        fields = ""
        if not _same(hashlib.sha256(callback.body).hexdigest(), hashed.lower()):
            raise InvalidValue("the body does not match the hash in the callback's URL")
    else:
        pairs = parse_qsl(callback.body.decode("utf-8", "replace"), keep_blank_values=True)
        # A field that comes several times counts once for each different value, in sorted order.
        fields = "".join(name + value for name, value in sorted({*pairs}))
    # Twilio signs the URL with or without the port (twilio-python, request_validator.py).
    urls = {callback.url, *_with_other_port(callback.url)}
    algorithm = _twilios_algorithm(callback.optional_header(_TWILIO_SETTINGS) or "")
    made = [hmac.new(secret.encode(), (url + fields).encode(), algorithm).digest() for url in sorted(urls)]
    _check(any([_same(base64.b64encode(each).decode(), given) for each in made]))  # noqa: C419 - compares every signature, even after a match


def _twilios_algorithm(told: str) -> Callable[[], hashlib._Hash]:
    """Return the algorithm in `key=KEY,algorithm=NAME`; SHA-1 if none is named."""
    parts = (part.partition("=") for part in told.split(","))
    names = [value.strip().upper() for name, _, value in parts if name.strip() == "algorithm"]
    name = next(filter(None, names), "HMAC_SHA1")
    if name not in _TWILIO_ALGORITHMS:
        raise InvalidValue(
            f"cannot check a signature by '{name[:40]}': lpad knows {' and '.join(_TWILIO_ALGORITHMS)}"
        )
    return _TWILIO_ALGORITHMS[name]


def _kore(callback: Callback, secret: str) -> None:
    given = callback.header("kore-signature")
    if not given:
        raise InvalidValue(
            "the signature is empty: KORE signs only after a secret was created for the webhook"
        )
    parts = urlsplit(callback.url)
    url = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    signed = secret.encode() + callback.method.upper().encode() + url.encode() + callback.body
    _check(_same(hashlib.sha256(signed).hexdigest(), given.lower()))


def _standard_webhooks(callback: Callback, secret: str) -> int:
    moment = _moment(callback.header("webhook-timestamp"))
    identity = callback.header("webhook-id")
    signed = f"{identity}.{moment}.".encode() + callback.body
    given = callback.header("webhook-signature").split()[:_MOST_SIGNATURES]
    if secret.startswith("whpk_"):
        key = _decoded(secret.removeprefix("whpk_"))
        found = [each.removeprefix("v1a,") for each in given if each.startswith("v1a,")]
        _check(any([_ed25519(key, each, signed) for each in found]))  # noqa: C419 - compares every signature, even after a match
    else:
        key = _decoded(_padded(secret.removeprefix("whsec_")))
        made = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        found = [each.removeprefix("v1,") for each in given if each.startswith("v1,")]
        _check(any([_same(made, each) for each in found]))  # noqa: C419 - compares every signature, even after a match
    return moment


def _telnyx(callback: Callback, secret: str) -> int:
    moment = _moment(callback.header("telnyx-timestamp"))
    signed = f"{moment}|".encode() + callback.body
    _check(_ed25519(_decoded(secret), callback.header("telnyx-signature-ed25519"), signed))
    return moment


SCHEMES: dict[str, Callable[[Callback, str], int | None]] = {
    "twilio": _twilio,
    "kore": _kore,
    "standard-webhooks": _standard_webhooks,
    "telnyx": _telnyx,
}


def _with_other_port(url: str) -> list[str]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as error:
        raise InvalidValue("the callback's URL has an impossible port") from error
    name = parts.netloc.rpartition(":")[0] if port is not None else parts.netloc
    default = _DEFAULT_PORTS.get(parts.scheme)
    other = name if port is not None else f"{name}:{default}"
    return [urlunsplit(parts._replace(netloc=other))] if default is not None else []


def _moment(text: str) -> int:
    moment = whole_number(text)
    if moment is None:
        raise InvalidValue("the callback's timestamp is not a number of seconds since 1970")
    return moment


def _padded(text: str) -> str:
    """Return base64 with the padding that some secrets lack."""
    return text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidValue("the secret or public key is not base64") from error


def _ed25519(key: bytes, signature: str, signed: bytes) -> bool:
    from ecdsa import BadSignatureError, Ed25519, VerifyingKey  # noqa: PLC0415 - the daemon checks no callbacks
    from ecdsa.errors import MalformedPointError  # noqa: PLC0415 - the daemon checks no callbacks

    if len(key) != _ED25519_KEY:
        raise InvalidValue(f"an Ed25519 public key must have {_ED25519_KEY} bytes in base64")
    try:
        VerifyingKey.from_string(key, curve=Ed25519).verify(
            base64.b64decode(signature, validate=True), signed
        )
    except (BadSignatureError, MalformedPointError, binascii.Error, ValueError):
        return False
    return True


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _check(right: bool) -> None:  # noqa: FBT001 - the only argument
    if not right:
        raise InvalidValue(
            "the signature is wrong: check the secret, and that URL and body are the ones that were sent,"
            " byte for byte"
        )
