"""Cookies of one session with one server (RFC 6265): some servers use them to keep a transaction on one node.

Cookies live as long as the connection object, are sent only to their server, and are never stored on disk.
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from lpad.base.frozen import Frozen
from lpad.base.lazy_pattern import LazyPattern

_TOKEN = LazyPattern(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = LazyPattern(r"[\x20-\x3a\x3c-\x7e]*")
_AGE = LazyPattern(r"-?[0-9]+")
_LAST_CENTURY = LazyPattern(r"\b19[0-9]{2}\b")
_MOST = 20
_LONGEST = 4096


class Cookies(Frozen):
    """The cookies of one server; for each name and path, the latest one counts."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"_kept"})
    host: str
    _kept: dict[tuple[str, str], str] = field(default_factory=dict)

    def take(self, set_cookie: str, *, path: str) -> None:
        """Keep a cookie, or delete it if the server requests that.

        Invalid cookies and other servers' cookies are ignored.

        Args:
            set_cookie: the value of a Set-Cookie header.
            path: the path of the answered request, without a query.
        """
        pair, *attributes = set_cookie.split(";")
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value) or len(pair) > _LONGEST:
            return
        told = {}
        for attribute in attributes:
            key, _, said = attribute.partition("=")
            told[key.strip().lower()] = said.strip()
        domain = told.get("domain", "").lower().removeprefix(".")
        if domain and self.host.lower() != domain and not self.host.lower().endswith(f".{domain}"):
            return
        below = told.get("path", "")
        if not below.startswith("/"):
            below = path.rpartition("/")[0] or "/"
        self._kept.pop((name, below), None)
        if not _is_over(told):
            self._kept[name, below] = value
        while len(self._kept) > _MOST:
            del self._kept[next(iter(self._kept))]

    def header(self, path: str) -> str | None:
        """Return the value of the Cookie header for a request; None if there is none to send."""
        sent = [
            (below, f"{name}={value}")
            for (name, below), value in self._kept.items()
            if _is_below(path, below)
        ]
        sent.sort(key=lambda each: -len(each[0]))
        return "; ".join(pair for _, pair in sent) or None


def _is_below(path: str, cookies: str) -> bool:
    return path == cookies or path.startswith(cookies if cookies.endswith("/") else f"{cookies}/")


def _is_over(told: dict[str, str]) -> bool:
    """Return whether a cookie must be deleted.

    Only dates in the distant past (such as 1970) count, because this device's clock may be wrong, and a
    session is shorter than any other lifetime.
    """
    age = told.get("max-age", "")
    if _AGE.fullmatch(age):
        return age.startswith("-") or not age.strip("0")
    return _LAST_CENTURY.search(told.get("expires", "")) is not None
