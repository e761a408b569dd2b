"""The state of the settings file since the daemon's start."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import field

from lpad.base.frozen import Frozen


class Configuration(Frozen, kw_only=True):
    """When lpad read the settings in force, and how the settings file has changed since then.

    `restart_needed` lists the changed keys that take effect only after a restart. `error` describes the
    mistakes in the file when it was last read, if the previous settings stay in force.
    """

    read_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    restart_needed: tuple[str, ...] = ()
    error: str | None = None
