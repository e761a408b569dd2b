"""The base of all sections of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec

if TYPE_CHECKING:
    from lpad.settings.parsing.mistakes import Report


class Section(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A mapping in the settings: its fields are its keys, with their types, ranges and defaults."""

    short: ClassVar[str | None] = None
    """The field that a plain value sets: `log: info` is `log: {level: info}`."""

    def check(self, report: Report) -> None:
        """Add to the report this section's mistakes that types alone do not show."""
