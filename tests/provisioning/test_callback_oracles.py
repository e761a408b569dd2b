"""Lpad's verdict on signed callbacks agrees with other libraries and with vectors."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError
from twilio.request_validator import RequestValidator

from lpad.base.errors import InvalidValue
from lpad.provisioning.desk_callback_signatures import Callback, verify

TOKEN = "0123456789abcdef0123456789abcdef"
TELNYX: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("telnyx_vectors.json").read_text(encoding="utf-8")
)["telnyx_ed25519"]
"""Lpad's own vectors; the file explains how they were made."""

_TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
_FIELDS = st.lists(st.tuples(_TEXTS, _TEXTS), max_size=6)
_HOSTS = st.sampled_from(["desk.example.com", "desk.example.com:443", "desk.example.com:8443"])
_QUERIES = st.sampled_from(["", "?a=1&b=", "?a=1&a=2"])
_URLS = st.builds("{}://{}/callback{}".format, st.sampled_from(["https", "http"]), _HOSTS, _QUERIES)
_SETTINGS = settings(max_examples=60, deadline=None, derandomize=True, database=None)


class Form(dict[str, list[str]]):
    """A form with repeated fields, in the form in which Twilio's validator reads it."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        super().__init__()
        for name, value in fields:
            self.setdefault(name, []).append(value)

    def getlist(self, name: str) -> list[str]:
        """Return all values of a field."""
        return self[name]


def accepted(scheme: str, callback: Callback, secret: str) -> bool:
    """Return whether lpad accepts a callback's signature."""
    try:
        verify(scheme, callback, secret=secret)
    except InvalidValue:
        return False
    return True


@_SETTINGS
@given(signed_url=_URLS, url=_URLS, signed=_FIELDS, sent=_FIELDS, altered=st.booleans())
@pytest.mark.parametrize("algorithm", [None, "HMAC_SHA1", "HMAC_SHA256"])
def test_twilios_validator_on_forms(
    algorithm: str | None,
    signed_url: str,
    url: str,
    signed: list[tuple[str, str]],
    sent: list[tuple[str, str]],
    *,
    altered: bool,
) -> None:
    """For each port and algorithm, lpad's verdict on a signed form matches that of Twilio's library."""
    validator = RequestValidator(TOKEN)
    sent = sent if altered else signed
    signature = validator.compute_signature(signed_url, Form(signed), algorithm)
    headers = {"X-Twilio-Signature": signature}
    if algorithm is not None:
        headers["X-Twilio-Webhooks-Signature-Settings"] = f"key=webhooks_sharedkey_1,algorithm={algorithm}"
    callback = Callback("POST", url, headers, urlencode(sent).encode())
    assert accepted("twilio", callback, TOKEN) is validator.validate(url, Form(sent), signature, algorithm)
    if not altered:
        itself = Callback("POST", signed_url, headers, urlencode(signed).encode())
        assert accepted("twilio", itself, TOKEN)


@_SETTINGS
@given(url=_URLS, signed=_TEXTS, altered=st.booleans())
def test_twilios_validator_on_json(url: str, signed: str, *, altered: bool) -> None:
    """For a JSON body with its hash in the URL, lpad's verdict matches that of Twilio's library."""
    validator = RequestValidator(TOKEN)
    body = json.dumps({"text": signed})
    url = f"{url}{'&' if '?' in url else '?'}bodySHA256={hashlib.sha256(body.encode()).hexdigest()}"
    signature = validator.compute_signature(url, {})
    sent = f"{body} " if altered else body
    callback = Callback("POST", url, {"X-Twilio-Signature": signature}, sent.encode())
    assert accepted("twilio", callback, TOKEN) is validator.validate(url, sent, signature) is not altered


def test_an_algorithm_that_twilio_does_not_know() -> None:
    """Both lpad and Twilio's validator refuse a signature with an unknown algorithm."""
    validator = RequestValidator(TOKEN)
    signature = validator.compute_signature("https://desk.example.com/", {})
    headers = {"X-Twilio-Signature": signature, "X-Twilio-Webhooks-Signature-Settings": "algorithm=HMAC_MD5"}
    callback = Callback("POST", "https://desk.example.com/", headers, b"")
    assert not validator.validate(callback.url, {}, signature, "HMAC_MD5")
    with pytest.raises(InvalidValue, match="HMAC_MD5"):
        verify("twilio", callback, secret=TOKEN)


@_SETTINGS
@given(
    key=st.binary(min_size=1, max_size=64),
    body=_TEXTS,
    sent=_TEXTS,
    form=st.sampled_from(["", "whsec_", "="]),
)
def test_the_standard_webhooks_library(key: bytes, body: str, sent: str, form: str) -> None:
    """Lpad accepts signatures of the Standard Webhooks library, and refuses what the library refuses."""
    encoded = base64.b64encode(key).decode()
    secret = encoded.rstrip("=") if form == "=" else form + encoded
    library = Webhook(secret)
    moment = datetime.now(UTC)
    signature = library.sign("msg_1", moment, body)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": signature,
    }
    callback = Callback("POST", "https://desk.example.com/", headers, body.encode())
    assert verify("standard-webhooks", callback, secret=secret) == int(moment.timestamp())
    other = Callback("POST", "https://desk.example.com/", headers, sent.encode())
    try:
        library.verify(sent, headers, json_parse=False)
        right = True
    except WebhookVerificationError:
        right = False
    assert accepted("standard-webhooks", other, secret) is right is (sent == body)


@pytest.mark.parametrize("vector", TELNYX, ids=lambda each: each["what"])
def test_vectors_for_telnyx_get_their_verdict(vector: dict[str, Any]) -> None:
    """Lpad's verdict on each of its own vectors for Telnyx is the one in the vector."""
    headers = {
        "telnyx-timestamp": vector["timestamp"],
        "telnyx-signature-ed25519": vector["signature"],
    }
    callback = Callback("POST", "https://desk.example.com/", headers, vector["body"].encode())
    assert accepted("telnyx", callback, vector["public_key"]) is vector["right"]
