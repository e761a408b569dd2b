"""Standard Webhooks' signatures: HMAC-SHA256, or Ed25519, for which the backend needs no secret.

A key's text begins with `whsec_` (HMAC, 24 to 64 bytes in base64) or `whsk_` (Ed25519: a seed of 32 bytes, or
seed and public key). A signature covers `id.timestamp.body` (standardwebhooks.com, specification, "Signature
scheme").
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING, ClassVar, Protocol

from lpad.base.errors import InvalidSettings
from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpad.engine.webhooks.ed25519 import Ed25519Key

HMAC_PREFIX, SECRET_PREFIX, PUBLIC_PREFIX = "whsec_", "whsk_", "whpk_"
_LEAST, _MOST = 24, 64
_SEED = 32


class SigningKey(Protocol):
    """A key that signs requests to an endpoint."""

    def signature(self, signed: bytes) -> str:
        """Return the signature as `VERSION,BASE64`."""

    @property
    def public(self) -> str | None:
        """The public key for a receiver, as `whpk_` and base64; None: the receiver needs the secret."""


class HmacKey(Frozen):
    """A secret that the receiver shares."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"secret"})
    secret: bytes

    def signature(self, signed: bytes) -> str:
        """Return the signature as `v1,BASE64`."""
        return f"v1,{base64.b64encode(hmac.digest(self.secret, signed, hashlib.sha256)).decode()}"

    @property
    def public(self) -> None:
        """None, because the receiver has the same secret."""
        return


class AsymmetricKey(Frozen):
    """A private key; the receiver has the public one."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"key"})
    key: Ed25519Key

    def signature(self, signed: bytes) -> str:
        """Return the signature as `v1a,BASE64`."""
        return f"v1a,{base64.b64encode(self.key.sign(signed)).decode()}"

    @property
    def public(self) -> str:
        """The public key for the receiver, as `whpk_` and base64."""
        return PUBLIC_PREFIX + base64.b64encode(self.key.public).decode()


def read_key(text: str, *, where: str) -> SigningKey:
    """Read a key from the text of its file.

    Args:
        text: the text, without a line break.
        where: the file, for errors.

    Raises:
        InvalidSettings: the text is not a valid key.
    """
    if text.startswith(HMAC_PREFIX):
        secret = _decoded(text.removeprefix(HMAC_PREFIX), where)
        if not _LEAST <= len(secret) <= _MOST:
            raise InvalidSettings(f"the key in {where} must have {_LEAST} to {_MOST} bytes in base64")
        return HmacKey(secret)
    if text.startswith(SECRET_PREFIX):
        private = _decoded(text.removeprefix(SECRET_PREFIX), where)
        if len(private) not in (_SEED, 2 * _SEED):
            raise InvalidSettings(f"the key in {where} must have {_SEED} or {2 * _SEED} bytes in base64")
        from lpad.engine.webhooks.ed25519 import Ed25519Key  # noqa: PLC0415 - only for Ed25519 keys

        key = Ed25519Key(private[:_SEED])
        if private[_SEED:] not in (b"", key.public):
            raise InvalidSettings(f"the two halves of the key in {where} do not belong together")
        return AsymmetricKey(key)
    raise InvalidSettings(
        f"{where} does not contain a key for webhooks: it must begin with {HMAC_PREFIX} or {SECRET_PREFIX}"
    )


def signature_headers(keys: Sequence[SigningKey], *, id_: str, at: float, body: bytes) -> dict[str, str]:
    """Return the three headers of Standard Webhooks.

    Args:
        keys: each makes a signature, so that a receiver may have either the next key or the previous one.
        id_: the event's ID, the same for each attempt.
        at: the time at which the request is sent, in seconds since 1970.
        body: the request's body, byte for byte.
    """
    timestamp = f"{at:.0f}"
    signed = f"{id_}.{timestamp}.".encode() + body
    return {
        "webhook-id": id_,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(key.signature(signed) for key in keys),
    }


def _decoded(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidSettings(f"the key in {where} is not base64") from None
