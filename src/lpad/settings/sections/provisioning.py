"""`provisioning`: the sources of a profile for an empty card, the limit of orders, and the guard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from lpad.base.guard_condition import Condition
from lpad.settings.parsing.bounded_types import Text
from lpad.settings.parsing.section_base import Section
from lpad.settings.sections.platforms import RESERVED

if TYPE_CHECKING:
    from collections.abc import Collection

    from lpad.settings.parsing.mistakes import Report

Orders = Annotated[int, msgspec.Meta(ge=1, le=100)]
Within = Annotated[float, msgspec.Meta(ge=1, le=7 * 24 * 3600)]


class ProvisioningSection(Section, frozen=True):
    """The sources of profiles for cards without operational profiles, the limit of orders, and the guard."""

    on_empty: list[Text] | None = None
    on_failover: Text | None = None
    most_orders: Orders = 1
    until: list[Text] = []
    within: Within = 180

    def check(self, report: Report) -> None:
        """Report invalid conditions."""
        for index, condition in enumerate(self.until):
            report.parsed(Condition.parse, condition, "until", index)

    def check_failover(self, platforms: Collection[str], report: Report) -> None:
        """Report a platform for failover that the settings do not name."""
        if self.on_failover is not None and self.on_failover not in platforms:
            report.wrong(
                f"'{self.on_failover}' is not a platform; 'platforms' names {', '.join(platforms) or 'none'}",
                "on_failover",
            )

    def check_sources(self, platforms: Collection[str], report: Report, *, discovers: bool) -> None:
        """Report sources that the settings do not name, and a discovery that may install nothing."""
        for index, source in enumerate(self.on_empty or ()):
            if source == "discovery" and not discovers:
                report.wrong(
                    "needs 'discovery.install: ask' or 'discovery.install: allowed'", "on_empty", index
                )
            elif source not in (*RESERVED, *platforms):
                report.wrong(
                    f"'{source}' is neither default-smdp, discovery nor a platform; 'platforms' names"
                    f" {', '.join(platforms) or 'none'}",
                    "on_empty",
                    index,
                )
