"""What one request to a server may cost: seconds and bytes."""

from __future__ import annotations

from dataclasses import dataclass

LARGEST_HEAD = 64 * 1024
"""Bytes of an answer's head, or of one informational head."""
MOST_INFORMATIONAL = 16
"""Informational heads (HTTP 1xx) before the answer; servers send one or two, or none."""
MOST_REDIRECTIONS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How patient a request is, in seconds; the settings `deadlines.silence` and `deadlines.request`."""

    silence: float = 45.0
    """Without a byte that comes or is taken."""
    request: float = 300.0
    """For all of it, from the name to the last byte of the answer."""
