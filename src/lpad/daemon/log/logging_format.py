"""The format of the log in systemd's journal or on standard error, usually with redacted identifiers."""

from __future__ import annotations

import logging
import sys

from lpad.base.log.trace_level import TRACE, show_payloads
from lpad.base.redaction import redacted
from lpad.daemon.log.journald import JournalHandler, is_journal
from lpad.daemon.log.repeated_log_lines import RepeatedLogLines

_LEVELS = {
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": TRACE,
}
_QUIET = ("httpx", "httpcore", "asyncio", "uvicorn.error", "dbus_fast")
_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class RedactingFormatter(logging.Formatter):
    """Shortens EIDs, ICCIDs, IMSIs and IMEIs to their last 4 digits, and activation codes to the server."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the redacted log line."""
        return redacted(super().format(record))


def set_up_logging(level: str, *, redact: bool = True) -> None:
    """Log to systemd's journal if standard error leads there, else as text; may be called again.

    Args:
        level: error, warning, info, debug or trace.
        redact: whether identifiers and codes are shortened, and traces show no payloads.
    """
    handler: logging.Handler
    formatter = RedactingFormatter if redact else logging.Formatter
    if is_journal(sys.stderr):
        handler = JournalHandler()
        handler.setFormatter(formatter("%(message)s"))
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(formatter(_TEXT))
    finish_logging()
    handler.addFilter(RepeatedLogLines(handler.emit))
    logging.basicConfig(level=_LEVELS[level], handlers=[handler], force=True)
    show_payloads(not redact)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def finish_logging() -> None:
    """Log the pending counts of repeated lines; called at the end and before the settings change."""
    for handler in logging.getLogger().handlers:
        for each in handler.filters:
            if isinstance(each, RepeatedLogLines):
                each.flush()
