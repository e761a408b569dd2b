"""`log`: the level and the form of the log."""

from __future__ import annotations

from typing import ClassVar, Literal

from lpad.settings.parsing.bounded_types import Text
from lpad.settings.parsing.section_base import Section


class LogSection(Section, frozen=True):
    """The settings of the log; `log: info` is a short form with only the level."""

    short: ClassVar[str | None] = "level"

    level: Literal["error", "warning", "info", "debug", "trace"] = "info"
    redact: bool = True
    apdus: Text | None = None
