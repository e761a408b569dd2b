"""What all sections of the settings have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec

if TYPE_CHECKING:
    from lpad.settings.parsing.mistakes import Report


class Section(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A mapping in the settings: its fields are its keys, with their types, ranges and defaults."""

    short: ClassVar[str | None] = None
    """The field that a plain value stands for: `log: info` is `log: {level: info}`."""

    def check(self, report: Report) -> None:
        """Note in the report, which is this section's, what types alone don't tell."""
