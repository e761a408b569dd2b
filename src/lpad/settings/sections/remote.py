"""`remote`: connections to servers: SM-DP+, SM-DS, platforms and the endpoints of webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from lpad.remote.https.host_overrides import HostOverrides
from lpad.remote.https.proxy_and_interface import Proxy, check_interface
from lpad.settings.parsing.bounded_types import Text
from lpad.settings.parsing.section_base import Section

if TYPE_CHECKING:
    from lpad.settings.parsing.mistakes import Report

ProtocolVersion = Annotated[str, msgspec.Meta(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")]


class RemoteSection(Section, frozen=True):
    """The settings for connections to servers; `protocol_version` is for SM-DP+ and SM-DS."""

    hosts: dict[str, str] = {}
    protocol_version: ProtocolVersion = "2.2.2"
    minimum_tls: Literal["1.2", "1.3"] = "1.2"
    proxy: Text | None = None
    proxy_credentials: Text | None = None
    interface: Text | None = None

    def check(self, report: Report) -> None:
        """Report invalid hosts, proxies and interfaces."""
        for name, target in self.hosts.items():
            report.parsed(HostOverrides.parse, {name: target}, "hosts", name)
        if self.proxy is not None:
            report.parsed(Proxy.parse, self.proxy, "proxy")
        elif self.proxy_credentials is not None:
            report.wrong("'proxy' is missing; these credentials are for it", "proxy_credentials")
        if self.interface is not None:
            report.parsed(check_interface, self.interface, "interface")
