"""The trace level: the exchange with cards and servers, below DEBUG, redacted by default."""

from __future__ import annotations

import logging

TRACE = 5
"""The number of this log level, whose name in the log is "TRACE"."""

_PAYLOADS = logging.getLogger("lpad.payloads")

logging.addLevelName(TRACE, "TRACE")


def show_payloads(shown: bool) -> None:  # noqa: FBT001 - the only argument
    """Select whether traces show payloads, which identify the subscriber, or only their tags and lengths."""
    _PAYLOADS.setLevel(TRACE if shown else logging.CRITICAL)


def payloads_shown() -> bool:
    """Return whether traces show the payloads."""
    return _PAYLOADS.level == TRACE
