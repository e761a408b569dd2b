"""`euiccs.NAME.failover`: profiles that replace each other when one is unhealthy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from lpad.base.errors import InvalidValue
from lpad.base.guard_condition import Condition, ConditionKind
from lpad.base.identifiers import profile_target
from lpad.settings.parsing.section_base import Section

if TYPE_CHECKING:
    from lpad.settings.parsing.mistakes import Report

Interval = Annotated[float, msgspec.Meta(ge=10, le=24 * 3600)]
Lasting = Annotated[float, msgspec.Meta(ge=0, le=7 * 24 * 3600)]
Within = Annotated[float, msgspec.Meta(ge=1, le=24 * 3600)]
Cooldown = Annotated[float, msgspec.Meta(ge=60, le=7 * 24 * 3600)]


class HealthSection(Section, frozen=True):
    """One profile and its health rule; `interval` and `lasting` are in seconds."""

    iccid: str
    healthy: list[str]
    interval: Interval = 60
    lasting: Lasting = 600

    def check(self, report: Report) -> None:
        """Report a value that is neither an ICCID nor an AID, and invalid conditions of health."""
        if report.sound("iccid"):
            report.parsed(profile_target, self.iccid, "iccid")
        if report.sound("healthy"):
            if not self.healthy:
                report.wrong("expected a condition such as registered", "healthy")
            for index, text in enumerate(self.healthy):
                report.parsed(_health, text, "healthy", index)


class FailoverSection(Section, frozen=True):
    """The order of profiles, the seconds to become healthy, and the pause after a switch in seconds."""

    profiles: list[HealthSection] = []
    within: Within = 180
    cooldown: Cooldown = 3600

    def check(self, report: Report) -> None:
        """Report an order with fewer than two profiles, and duplicates."""
        if len(self.profiles) == 1:
            report.wrong("expected at least two profiles: one to leave and one to try", "profiles")
        if report.sound("profiles"):
            seen = [str(profile_target(each.iccid)) for each in self.profiles]
            for index, iccid in enumerate(seen):
                if iccid in seen[:index]:
                    report.wrong("this profile is already in the order", "profiles", index, "iccid")


def _health(text: str) -> None:
    if Condition.parse(text).kind is ConditionKind.CONFIRM:
        raise InvalidValue(
            "failover cannot use 'confirm', because no program confirms a failover; use registered or a"
            " reachability check"
        )
