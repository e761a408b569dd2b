"""Independent libraries accept lpad's webhook signatures, and invalid key files are refused."""

from __future__ import annotations

import base64
import json
import time

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from lpad.base.errors import InvalidSettings
from lpad.engine.webhooks.ed25519 import Ed25519Key
from lpad.engine.webhooks.signing_keys import AsymmetricKey, HmacKey, read_key, signature_headers
from lpad.provisioning.desk_callback_signatures import Callback, verify

OLD, NEW = ("whsec_" + base64.b64encode(each * 32).decode() for each in (b"o", b"n"))
SEED = bytes(range(32))
BODY = b'{"type":"org.lpad.profile.enabled.v1"}'

# RFC 8032, 7.1: seed, public key, message and signature.
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b",
        "d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c",
        "387b2eaeb4302aeeb00d291612bb0c00",
    ),
]


@given(body=st.binary(max_size=200), id_=st.uuids())
def test_standard_webhooks_own_library_verifies_each_key(body: bytes, id_: object) -> None:
    """A receiver with either of the two keys accepts the signatures; one with neither key refuses them."""
    headers = signature_headers(
        [read_key(OLD, where="old"), read_key(NEW, where="new")], id_=str(id_), at=time.time(), body=body
    )
    callback = Callback("POST", "https://example.com/", headers, body)
    for secret in (OLD, NEW):
        assert verify("standard-webhooks", callback, secret=secret) is not None
        try:
            Webhook(secret).verify(body, headers)
        except json.JSONDecodeError:
            pass  # The library verifies the request, and then reads the body as JSON.
        except UnicodeDecodeError:
            return  # The library signs only text.
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + base64.b64encode(b"x" * 32).decode()).verify(body, headers)


@given(message=st.binary(max_size=300), seed=st.binary(min_size=32, max_size=32))
def test_cryptography_makes_the_same_signature(message: bytes, seed: bytes) -> None:
    """Public key and signature of lpad's Ed25519 key are those of the library cryptography, byte for byte."""
    key, theirs = Ed25519Key(seed), Ed25519PrivateKey.from_private_bytes(seed)
    assert key.public == theirs.public_key().public_bytes_raw()
    assert key.sign(message) == theirs.sign(message)


@pytest.mark.parametrize(("seed", "public", "message", "first", "rest"), VECTORS)
def test_the_vectors_of_the_standard(seed: str, public: str, message: str, first: str, rest: str) -> None:
    """Ed25519 signatures match the test vectors of RFC 8032."""
    key = Ed25519Key(bytes.fromhex(seed))
    assert key.public.hex() == public
    assert key.sign(bytes.fromhex(message)).hex() == first + rest


def test_a_receiver_needs_the_public_key_only() -> None:
    """Each of a request's two signatures verifies it, and Ed25519 refuses a changed body."""
    text = "whsk_" + base64.b64encode(SEED).decode()
    key = read_key(text, where="key")
    assert key.public is not None
    headers = signature_headers([read_key(OLD, where="old"), key], id_="1", at=time.time(), body=BODY)
    assert [each.partition(",")[0] for each in headers["webhook-signature"].split()] == ["v1", "v1a"]
    callback = Callback("POST", "https://example.com/", headers, BODY)
    assert verify("standard-webhooks", callback, secret=key.public) is not None
    signature = base64.b64decode(headers["webhook-signature"].partition("v1a,")[2])
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.public.removeprefix("whpk_")))
    public.verify(signature, b"1." + headers["webhook-timestamp"].encode() + b"." + BODY)
    with pytest.raises(InvalidSignature):
        public.verify(signature, b"1." + headers["webhook-timestamp"].encode() + b"." + BODY + b" ")


def test_a_private_key_may_come_with_its_public_one() -> None:
    """A key may have its private and public half in 64 bytes; halves that do not match are refused."""
    public = Ed25519Key(SEED).public
    both = read_key("whsk_" + base64.b64encode(SEED + public).decode(), where="key")
    assert both.public == "whpk_" + base64.b64encode(public).decode()
    with pytest.raises(InvalidSettings, match="halves"):
        read_key("whsk_" + base64.b64encode(SEED + bytes(32)).decode(), where="key")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        "whsec_",
        "whsec_!!!",
        "whsec_" + base64.b64encode(b"s" * 23).decode(),
        "whsec_" + base64.b64encode(b"s" * 65).decode(),
        "whsk_" + base64.b64encode(b"s" * 31).decode(),
        "whpk_" + base64.b64encode(SEED).decode(),
    ],
)
def test_an_invalid_key_file_is_named(text: str) -> None:
    """The error for an invalid key file names the file, and does not quote its content."""
    with pytest.raises(InvalidSettings) as caught:
        read_key(text, where="/etc/lpad/webhook-key")
    assert "/etc/lpad/webhook-key" in str(caught.value)
    assert len(text) < 7 or text[6:] not in str(caught.value)


def test_a_key_shows_nothing_of_itself() -> None:
    """The text form of a key object does not contain the key."""
    keys = (HmacKey(b"s" * 32), AsymmetricKey(Ed25519Key(SEED)))
    assert [repr(each) for each in keys] == ["HmacKey()", "AsymmetricKey()"]
