"""The signatures of platforms' callbacks: valid ones, published ones and invalid ones."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lpad.base.errors import InvalidValue
from lpad.provisioning.desk_callback_signatures import SCHEMES, Callback, verify

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://desk.example.com/callback?x=1"
BODY = b'{"type": "esim.installed"}'
NOW = 1_700_000_000


def signed(scheme: str) -> tuple[Callback, str]:
    """Return a valid callback, signed according to the scheme's document, and its secret."""
    if scheme == "twilio":
        form = urlencode({"Status": "available", "Sid": "HP1"}).encode()
        text = URL + "SidHP1Statusavailable"
        mac = base64.b64encode(hmac.new(b"token", text.encode(), hashlib.sha1).digest()).decode()
        return Callback("POST", URL, {"X-Twilio-Signature": mac}, form), "token"
    if scheme == "kore":
        digest = hashlib.sha256(b"secretPOSThttps://desk.example.com/callback" + BODY).hexdigest()
        return Callback("POST", URL, {"kore-signature": digest}, BODY), "secret"
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    if scheme == "telnyx":
        mac = base64.b64encode(key.sign(f"{NOW}|".encode() + BODY)).decode()
        headers = {"telnyx-timestamp": str(NOW), "telnyx-signature-ed25519": mac}
        return Callback("POST", URL, headers, BODY), public
    raw = hmac.new(b"k" * 24, f"msg_1.{NOW}.".encode() + BODY, hashlib.sha256).digest()
    headers = {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(NOW),
        "Webhook-Signature": f"v1,AAAA v1,{base64.b64encode(raw).decode()}",
    }
    return Callback("POST", URL, headers, BODY), "whsec_" + base64.b64encode(b"k" * 24).decode()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_right_signature_is_accepted(scheme: str) -> None:
    """A valid signature is accepted; the result is the signed time, or None without one."""
    callback, secret = signed(scheme)
    assert verify(scheme, callback, secret=secret) in (None, NOW)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("wrong", ["body", "secret", "signature", "no-header"])
def test_a_wrong_signature_is_refused(scheme: str, wrong: str) -> None:
    """A callback with a wrong body, secret or signature, or without the header, is refused."""
    callback, secret = signed(scheme)
    headers = dict(callback.headers)
    name = next(each for each in headers if "signature" in each.lower())
    body = callback.body + b"&more=1" if wrong == "body" else callback.body
    if wrong == "secret":
        secret = base64.b64encode(b"z" * 32).decode()
    elif wrong == "signature":
        headers[name] = headers[name][:-6] + "AAAAA="
    elif wrong == "no-header":
        del headers[name]
    with pytest.raises(InvalidValue):
        verify(scheme, Callback(callback.method, callback.url, headers, body), secret=secret)


@pytest.mark.parametrize("scheme", ["twilio", "kore", "standard-webhooks"])
def test_a_signature_is_compared_in_constant_time(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each signature in a callback is compared with `hmac.compare_digest`, even after a match."""
    callback, secret = signed(scheme)
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return True

    monkeypatch.setattr(hmac, "compare_digest", compare)
    name = next(each for each in callback.headers if "signature" in each.lower())
    wrong = {**callback.headers, name: "v1,AAAA v1,BBBB" if scheme == "standard-webhooks" else "AAAA"}
    verify(scheme, Callback(callback.method, callback.url, wrong, callback.body), secret=secret)
    assert len({other for _, other in compared}) == (2 if scheme == "standard-webhooks" else 1)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("secret", ["", " ", "whsec_"])
def test_an_empty_secret(scheme: str, secret: str) -> None:
    """An empty secret is refused, even if the signature was made with it."""
    text = f"{URL}type=x".encode()
    digest = hashlib.sha256(b"POSThttps://desk.example.com/callback" + BODY).hexdigest()
    raw = hmac.new(b"", f"msg_1.{NOW}.".encode() + BODY, hashlib.sha256).digest()
    headers = {
        "X-Twilio-Signature": base64.b64encode(hmac.new(b"", text, hashlib.sha1).digest()).decode(),
        "kore-signature": digest,
        "webhook-id": "msg_1",
        "webhook-timestamp": str(NOW),
        "webhook-signature": f"v1,{base64.b64encode(raw).decode()}",
        "telnyx-timestamp": str(NOW),
        "telnyx-signature-ed25519": "",
    }
    with pytest.raises(InvalidValue, match="secret is empty"):
        verify(scheme, Callback("POST", URL, headers, BODY), secret=secret)


def test_twilio_with_a_json_body() -> None:
    """With a signed hash of the JSON body in the URL, another body is refused."""
    url = f"{URL}&bodySHA256={hashlib.sha256(BODY).hexdigest()}"
    mac = base64.b64encode(hmac.new(b"token", url.encode(), hashlib.sha1).digest()).decode()
    headers = {"X-Twilio-Signature": mac}
    verify("twilio", Callback("POST", url, headers, BODY), secret="token")
    with pytest.raises(InvalidValue, match="the body does not match"):
        verify("twilio", Callback("POST", url, headers, BODY + b" "), secret="token")


def test_twilio_with_and_without_the_port() -> None:
    """A signature over a URL with the default port is valid for the URL without the port."""
    text = "https://desk.example.com:443/callback?x=1"
    mac = base64.b64encode(hmac.new(b"token", text.encode(), hashlib.sha1).digest()).decode()
    verify("twilio", Callback("POST", URL, {"X-Twilio-Signature": mac}, b""), secret="token")


def test_an_empty_signature() -> None:
    """An empty signature in KORE's header is refused."""
    with pytest.raises(InvalidValue, match="empty"):
        verify("kore", Callback("POST", URL, {"kore-signature": ""}, BODY), secret="secret")


def test_standard_webhooks_with_a_public_key() -> None:
    """An Ed25519 signature (v1a) of Standard Webhooks is verified with the public key."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    mac = base64.b64encode(key.sign(f"msg_1.{NOW}.".encode() + BODY)).decode()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(NOW), "webhook-signature": f"v1a,{mac}"}
    assert verify("standard-webhooks", Callback("POST", URL, headers, BODY), secret=f"whpk_{public}") == NOW


@pytest.mark.test_data
def test_published_signatures_are_valid(test_data: Path) -> None:
    """The published signatures of KORE and Twilio are accepted."""
    path = test_data / "platforms" / "signature_vectors.json"
    found: dict[str, list[dict[str, Any]]] = json.loads(path.read_text())
    for each in found["kore_webhook_sha256"]:
        headers = {"kore-signature": each["signature"]}
        callback = Callback(each["method"], each["uri"], headers, each["body"].encode())
        verify("kore", callback, secret=each["secret"])
    for each in found["twilio_request_hmac_sha1_base64"]:
        headers = {"X-Twilio-Signature": each["signature"]}
        callback = Callback("POST", each["uri"], headers, urlencode(each["params"]).encode())
        verify("twilio", callback, secret=each["token"])


@pytest.mark.parametrize("scheme", ["twilio", "kore", "standard-webhooks", "telnyx"])
@pytest.mark.parametrize("odd", ["https://[x", "http://a\u2100b/", "\ud800", "https://a:99999999/"])
def test_odd_texts_are_refused(scheme: str, odd: str) -> None:
    """A callback with an invalid URL and with odd headers is refused with InvalidValue."""
    names = (
        "x-twilio-signature",
        "kore-signature",
        "webhook-id",
        "webhook-signature",
        "telnyx-signature-ed25519",
    )
    headers = dict.fromkeys(names, odd) | {"webhook-timestamp": str(NOW), "telnyx-timestamp": str(NOW)}
    with pytest.raises(InvalidValue):
        verify(scheme, Callback("POST", odd, headers, BODY), secret="c2VjcmV0")
