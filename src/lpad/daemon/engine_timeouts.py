"""The timeouts of the engine, as one table of the settings that they come from."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from lpad.engine.running.operation_context import Timeouts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.settings import Settings

TIMEOUTS: Mapping[str, str] = {
    "open": "deadlines.open",
    "read": "deadlines.read",
    "switch": "deadlines.switch",
    "download": "deadlines.download",
    "delivery": "deadlines.delivery",
    "absence": "deadlines.absence",
    "answer": "answer_within",
    "retry": "downloads.retry_for",
}
"""The setting from which each timeout of the engine is read."""


def timeouts(settings: Settings) -> Timeouts:
    """Return the time limits in the settings."""
    return Timeouts(**{name: attrgetter(path)(settings) for name, path in TIMEOUTS.items()})
