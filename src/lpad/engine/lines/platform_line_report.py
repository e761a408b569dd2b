"""A platform's last report on the line of an installed profile, as the journal keeps it."""

from __future__ import annotations

import msgspec

from lpad.provisioning.platform_interface import Line


class LineRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The line of one profile.

    Attributes:
        platform: the platform that has the line; empty: none of the platforms in `asked` has the line.
        line: the state of the line.
        word: the state in the platform's own word; None: the platform reported no word.
        line_id: the platform's name for the line.
        imei: the IMEI of the device in which the platform saw the line; None: the platform reports no IMEI.
        told_imei: the IMEI of another device, if an event has reported it.
        seen_at: when lpad received the report, on the steady clock; 0: never.
        due_at: when lpad asks next, on the steady clock.
        failures: the number of failed queries since `seen_at`.
        asked: the platforms that were asked.
    """

    platform: str = ""
    line: str = Line.UNKNOWN.value
    word: str | None = None
    line_id: str | None = None
    imei: str | None = None
    told_imei: str | None = None
    seen_at: float = 0.0
    due_at: float = 0.0
    failures: int = 0
    asked: tuple[str, ...] = ()

    @property
    def state(self) -> Line:
        """The state of the line; unknown if this version of lpad does not know the stored state."""
        return Line(self.line) if self.line in {each.value for each in Line} else Line.UNKNOWN

    @property
    def told(self) -> str:
        """The state of the line, with the platform's own word if that differs."""
        return self.line if self.word in (None, self.line) else f"{self.line} ('{self.word}')"
