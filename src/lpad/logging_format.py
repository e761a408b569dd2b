"""How the log looks: one line an event, on standard error, with identifiers redacted."""

from __future__ import annotations

import logging
import re
import sys

_IDENTIFIER = re.compile(r"(?<![0-9A-Za-z])[0-9]{11,28}([0-9]{4})[Ff]?(?![0-9A-Za-z])")
_LEVELS = {
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": 5,
}
_QUIET = ("httpx", "httpcore", "asyncio", "uvicorn.error")


class RedactingFormatter(logging.Formatter):
    """Shortens every EID, ICCID, IMSI and IMEI to its last four digits."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return redacted(super().format(record))


def redacted(text: str) -> str:
    """Return a text in which numbers of 15 to 32 digits keep their last four."""
    return _IDENTIFIER.sub(r"…\1", text)


def set_up_logging(level: str) -> None:
    """Log to standard error.

    Args:
        level: error, warning, info, debug or trace.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=_LEVELS[level], handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
