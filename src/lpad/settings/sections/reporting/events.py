"""`events`: the device's name in its events, and how many of them the outbox keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from lpad.base.lazy_pattern import LazyPattern
from lpad.settings.parsing.bounded_types import Text
from lpad.settings.parsing.section_base import Section

if TYPE_CHECKING:
    from lpad.settings.parsing.mistakes import Report

_NAME = LazyPattern(r"[A-Za-z0-9][A-Za-z0-9._~:/@-]{0,127}")


class EventsSection(Section, frozen=True):
    """The `source` of all events, and the number of kept events."""

    device: Text | None = None
    keep: Annotated[int, msgspec.Meta(ge=100, le=100_000)] = 2000

    def check(self, report: Report) -> None:
        """Report a name that cannot be the source of a CloudEvent."""
        if self.device is not None and not _NAME.fullmatch(self.device):
            report.wrong(
                "a device name must have at most 128 letters, digits and . _ ~ : / @ -, and begin with a"
                " letter or a digit",
                "device",
            )
