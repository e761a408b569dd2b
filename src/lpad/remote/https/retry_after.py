"""The header Retry-After (RFC 9110, 10.2.3)."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

from lpad.base.lazy_pattern import LazyPattern
from lpad.base.untrusted_number import whole_number

LONGEST_WAIT = 86400
"""The maximum number of seconds in Retry-After; a larger value counts as this maximum."""
_NUMBER = LazyPattern(r"[0-9]+")


def retry_after(header: str | None) -> int | None:
    """Return the seconds of a Retry-After header, or until its date, at most a day; None: no valid value."""
    if header is None:
        return None
    seconds = whole_number(header.strip())
    if seconds is None:
        try:
            seconds = round(parsedate_to_datetime(header).timestamp() - time.time())
        except (ValueError, TypeError, IndexError, OverflowError):
            return LONGEST_WAIT if _NUMBER.fullmatch(header.strip()) else None
    return min(max(seconds, 0), LONGEST_WAIT)
