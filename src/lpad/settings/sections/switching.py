"""`euiccs.NAME.switching`: protected profiles of a card, the fallback order and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from lpad.base.identifiers import profile_target
from lpad.settings.parsing.section import Section

if TYPE_CHECKING:
    from lpad.settings.parsing.mistakes import Report

PerDay = Annotated[int, msgspec.Meta(ge=1, le=10_000)]


class SwitchingSection(Section, frozen=True):
    """ICCIDs or AIDs of protected profiles and of the fallback order; limits."""

    protected: list[str] = []
    keep_enabled: bool = False
    fallback: list[str] = []
    per_day: PerDay | None = None

    def check(self, report: Report) -> None:
        """Report names that are not profiles."""
        for name in ("protected", "fallback"):
            for index, iccid in enumerate(getattr(self, name)):
                report.parsed(profile_target, iccid, name, index)
