"""`euiccs.NAME.switching`: protected profiles of a card, the fallback order and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from lpad.base.errors import InvalidValue
from lpad.base.guard_condition import Condition, ConditionKind
from lpad.base.identifiers import profile_target
from lpad.engine.change.guard import LONGEST
from lpad.settings.parsing.section_base import Section

if TYPE_CHECKING:
    from lpad.settings.parsing.mistakes import Report

PerDay = Annotated[int, msgspec.Meta(ge=1, le=10_000)]


class DefaultGuardSection(Section, frozen=True):
    """The guard of a switch whose request contains none."""

    until: list[str] = msgspec.field(default_factory=lambda: ["registered"])
    within: Annotated[float, msgspec.Meta(ge=1, le=LONGEST)] = 180

    def check(self, report: Report) -> None:
        """Report invalid conditions, and those that need a user."""
        if not self.until:
            report.wrong("expected a condition such as registered, or null for no default guard", "until")
        for index, text in enumerate(self.until):
            report.parsed(_unattended, text, "until", index)


def _unattended(text: str) -> None:
    if Condition.parse(text).kind is ConditionKind.CONFIRM:
        raise InvalidValue(
            "a default guard cannot wait for a confirmation; name registered or a reachability check"
        )


class SwitchingSection(Section, frozen=True):
    """The protected profiles and the fallback order, as ICCIDs or AIDs; the limits and the default guard."""

    protected: list[str] = []
    keep_enabled: bool = False
    fallback: list[str] = []
    per_day: PerDay | None = None
    default_guard: DefaultGuardSection | None = DefaultGuardSection()
    accept_offline: bool = False

    def check(self, report: Report) -> None:
        """Report values that are neither an ICCID nor an AID."""
        for name in ("protected", "fallback"):
            for index, iccid in enumerate(getattr(self, name)):
                report.parsed(profile_target, iccid, name, index)
