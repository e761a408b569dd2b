"""Repeated requests: by the caller's key, lpad finds the change of the first request."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from lpad.engine.change.change import Change


class IdempotencyKey(Frozen, kw_only=True):
    """A key and its request, in a form that reveals neither.

    Requests contain short codes, which must not be guessable from the disk. So lpad does not store the long
    random key itself, and stores the request only as an HMAC with that key.
    """

    uid: int
    """The caller's user ID, so that the keys of different users cannot collide."""
    digest: bytes
    """SHA-256 of the key."""
    request: bytes
    """HMAC-SHA-256 of the request, made with the key."""

    @classmethod
    def of(cls, uid: int, key: str, *, request: bytes) -> IdempotencyKey:
        """Return the key of a caller's request.

        Args:
            uid: the caller's user ID.
            key: the caller's own string.
            request: everything that identifies the request, in a canonical form.
        """
        secret = key.encode()
        return cls(
            uid=uid,
            digest=hashlib.sha256(secret).digest(),
            request=hmac.digest(secret, request, "sha256"),
        )


class Submission(Frozen):
    """The change for a request, and whether an earlier request created it."""

    change: Change
    repeated: bool = False
