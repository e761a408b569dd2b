"""Redirections that repeat a request at the same server (HTTP 307 and 308); no others are followed.

Another host would not be the server that the activation code or the card names, and a 301, 302
or 303 turns a POST into a GET.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from lpad.base.lazy_pattern import LazyPattern

if TYPE_CHECKING:
    from lpad.base.server_address import ServerAddress

_REPEATS = frozenset({307, 308})
_TARGET = LazyPattern(r"/[\x21-\x22\x24-\x7e]*")
_LONGEST = 2048
_HTTPS = 443


def repeated_at(status: int, location: str | None, *, target: str, server: ServerAddress) -> str | None:
    """Return the path (with its query) at which the request must be repeated; None: do not repeat it."""
    if status not in _REPEATS or location is None or len(location) > _LONGEST:
        return None
    here = f"https://{server.host}:{server.port}{target}"
    try:
        there = urlsplit(urljoin(here, location.strip()))
        port = there.port or _HTTPS
        host = there.hostname
    except ValueError:
        return None
    if there.scheme != "https" or host != server.host.lower() or port != server.port or there.username:
        return None
    path = (there.path or "/") + (f"?{there.query}" if there.query else "")
    return path if _TARGET.fullmatch(path) else None
