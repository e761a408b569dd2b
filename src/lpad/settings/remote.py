"""`remote`: how to speak to SM-DP+ servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from lpad.remote.hosts import Hosts
from lpad.settings.section import Section

if TYPE_CHECKING:
    from lpad.settings.report import Report

ProtocolVersion = Annotated[str, msgspec.Meta(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")]


class RemoteSection(Section, frozen=True):
    """How to speak to SM-DP+ servers."""

    hosts: dict[str, str] = {}
    protocol_version: ProtocolVersion = "2.2.2"

    def check(self, report: Report) -> None:
        """Note hosts that lead nowhere."""
        for name, target in self.hosts.items():
            report.parsed(Hosts.parse, {name: target}, "hosts", name)
