"""The limits of one request to a server: seconds and bytes."""

from __future__ import annotations

from msgspec import Struct

LARGEST_HEAD = 64 * 1024
"""The maximum number of bytes of an answer's head, or of one informational head."""
MOST_INFORMATIONAL = 16
"""The maximum number of informational heads (HTTP 1xx) before the answer; servers send at most one or two."""
MOST_REDIRECTIONS = 5


class Limits(Struct, frozen=True, kw_only=True):
    """Time limits of a request, in seconds; the settings `deadlines.silence` and `deadlines.request`."""

    silence: float = 45.0
    """The maximum number of seconds without a received or sent byte."""
    request: float = 300.0
    """The maximum number of seconds for a request, from the name resolution to the answer's last byte."""
