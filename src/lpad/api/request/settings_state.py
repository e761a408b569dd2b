"""What has become of the settings file since the daemon was started."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The settings in force.

    `restart_needed` names the keys that were changed and count from the next start only; `error` says what is
    wrong with the file as it was read last, when the settings before go on.
    """

    read_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    restart_needed: tuple[str, ...] = ()
    error: str | None = None
