"""The state of the settings file since the daemon's start."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The settings in force.

    `restart_needed` lists the changed keys that take effect only after a restart; `error` describes the
    mistakes in the file when it was last read, if the previous settings stay in force.
    """

    read_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    restart_needed: tuple[str, ...] = ()
    error: str | None = None
