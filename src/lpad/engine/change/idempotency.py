"""Requests that come twice: by a key of the caller's, what was asked for once is found again."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lpad.engine.change.change import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """A key and the request that it stands for, in a form that tells neither of them.

    Requests hold codes of few digits, and what is kept on disk must not let anybody guess them: so the key
    itself, which is long and random, is not kept, and the request only as a code made with it.
    """

    uid: int
    """The caller's: nobody comes upon another's key."""
    digest: bytes
    """SHA-256 of the key."""
    request: bytes
    """HMAC-SHA-256 of the request, made with the key."""

    @classmethod
    def of(cls, uid: int, key: str, *, request: bytes) -> IdempotencyKey:
        """Return the key of a caller's request.

        Args:
            uid: the caller's user.
            key: as the caller made it up.
            request: all that makes it the same request, in one spelling.
        """
        secret = key.encode()
        return cls(
            uid=uid,
            digest=hashlib.sha256(secret).digest(),
            request=hmac.digest(secret, request, "sha256"),
        )


@dataclass(frozen=True, slots=True)
class Submission:
    """The change that a request asks for, and whether it was there before."""

    change: Change
    repeated: bool = False
