"""The trace level: what is exchanged with cards and servers, below DEBUG, redacted unless told otherwise."""

from __future__ import annotations

import logging

TRACE = 5
"""The level: "TRACE" in the log."""

_PAYLOADS = logging.getLogger("lpad.payloads")

logging.addLevelName(TRACE, "TRACE")


def show_payloads(shown: bool) -> None:  # noqa: FBT001 - its one argument
    """Say whether traces show what is carried, which names the subscriber, or only how long it is."""
    _PAYLOADS.setLevel(TRACE if shown else logging.CRITICAL)


def payloads_shown() -> bool:
    """Return whether traces show what is carried."""
    return _PAYLOADS.level == TRACE
