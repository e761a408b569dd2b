"""`discovery`: the discovery servers (SM-DS), and when lpad queries them without a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from lpad.base.server_address import ServerAddress
from lpad.settings.parsing.bounded_types import Text
from lpad.settings.parsing.section_base import Section

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lpad.settings.parsing.mistakes import Report
    from lpad.settings.sections.policy import CardPolicySection, PolicySection

When = Literal["never", "on_empty", "daily", "interval"]
Install = Literal["never", "ask", "allowed"]
Interval = Annotated[float, msgspec.Meta(ge=6 * 3600, le=30 * 24 * 3600)]
"""GSMA's root SM-DS asks for fair use, so lpad queries at most four times a day."""
Jitter = Annotated[float, msgspec.Meta(ge=0, le=24 * 3600)]

_DAY = 24 * 3600.0


class DiscoverySection(Section, frozen=True):
    """The times of queries without a request, further SM-DSs, and the use of the events found."""

    when: When = "never"
    interval: Interval = _DAY
    jitter: Jitter = 3600
    servers: list[Text] = []
    install: Install = "never"

    @property
    def every(self) -> float | None:
        """Seconds between two periodic discoveries; None if there are no periodic discoveries."""
        return {"daily": _DAY, "interval": self.interval}.get(self.when)

    def check(self, report: Report) -> None:
        """Report invalid addresses, and a discovery on an empty card that could install nothing."""
        for index, address in enumerate(self.servers):
            report.parsed(ServerAddress.parse, address, "servers", index)
        if self.when == "on_empty" and self.install == "never":
            report.wrong(
                "'when: on_empty' requests a first profile: it needs 'install: ask' or 'install: allowed'",
                "install",
            )

    def check_policies(
        self, general: PolicySection, own: Iterable[CardPolicySection], report: Report
    ) -> None:
        """Report a policy that lets lpad install from any server that an SM-DS names."""
        if self.install != "allowed":
            return
        if any("*" in each for each in (general.servers, *(each.servers or () for each in own))):
            report.wrong(
                "'allowed' installs without a question every profile that an SM-DS leads to, so"
                " 'policy.servers' must name the operators' servers instead of '*'",
                "install",
            )
