"""A platform's token, kept until shortly before it expires, even across restarts.

Platforms limit how often a client may log in (emnify: 100 times in 5 minutes for one address), so a daemon
that keeps restarting must not request a token each time.
"""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, ClassVar

import msgspec

from lpad.base.frozen import Frozen
from lpad.base.regular_file import read_regular

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LOG = logging.getLogger(__name__)
_LARGEST = 64 * 1024
_EARLY = 60.0
"""The number of seconds before its end at which a token is renewed; at most a tenth of its lifetime."""


class Token(Frozen):
    """The token; its times are in seconds since 1970 by this device's clock."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"value", "second"})
    value: str
    second: str = ""
    expires_at: float = 0.0
    issued_at: float = 0.0
    account: str = ""
    """A digest of the credentials for which the token was issued; other credentials need another token."""


class Tokens:
    """Keeps one platform's token in memory, and in a file that only lpad can read."""

    def __init__(
        self, path: Path | None = None, *, account: str = "", wall: Callable[[], float] = time.time
    ) -> None:
        """Read the stored token, if there is one.

        Args:
            path: the file with the token; None: the token is not kept across restarts.
            account: a digest of the credentials.
            wall: this device's clock, in seconds since 1970.
        """
        self._path = path
        self._account = account
        self._wall = wall
        self._token = self._read()

    def current(self) -> Token | None:
        """Return the token; None if there is none, or it expires soon."""
        token = self._token
        if token is None:
            return None
        early = min(_EARLY, (token.expires_at - token.issued_at) / 10)
        return token if self._wall() < token.expires_at - early else None

    def keep(self, value: str, second: str, *, seconds: float) -> Token:
        """Store and return a token that was just issued."""
        now = self._wall()
        self._token = Token(value, second, now + seconds, now, self._account)
        self._write(msgspec.json.encode(self._token))
        return self._token

    def forget(self) -> None:
        """Drop a token that the platform no longer accepts."""
        self._token = None
        if self._path is not None:
            try:
                self._path.unlink(missing_ok=True)
            except OSError as error:
                _LOG.warning("cannot remove %s: %s", self._path, error.strerror)

    def _read(self) -> Token | None:
        if self._path is None:
            return None
        try:
            token = msgspec.json.decode(read_regular(self._path, most=_LARGEST), type=Token)
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            _LOG.info("%s cannot be read; lpad gets another token", self._path)
            return None
        return token if token.account == self._account else None

    def _write(self, content: bytes) -> None:
        if self._path is None:
            return
        draft = self._path.with_name(self._path.name + ".new")
        try:
            draft.unlink(missing_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
            draft.replace(self._path)  # not synced, because lpad can request a new token
        except OSError as error:
            _LOG.warning("cannot store the token of a platform in %s: %s", self._path, error.strerror)
