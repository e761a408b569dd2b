"""`network`: the applier and the network settings of the profiles' data connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from lpad.base.lazy_pattern import LazyPattern
from lpad.engine.policy.network_policy import STEP_LIMIT
from lpad.network.hook_runner_client import SOCKET
from lpad.network.network_settings import NetworkSettings
from lpad.settings.parsing.bounded_types import Text
from lpad.settings.parsing.section_base import Section

if TYPE_CHECKING:
    from lpad.settings.parsing.mistakes import Report

ApplierName = Literal["none", "networkmanager", "modemmanager", "at", "command"]

_ICCID_PREFIX = LazyPattern(r"[0-9A-Ea-e]{1,20}")


class PatternSection(Section, frozen=True):
    """Network settings for the profiles with this beginning of the ICCID and this provider; empty: any."""

    iccid: str = ""
    provider: str = ""
    apn: str = ""
    username: str = ""
    password: str = ""
    authentication: Literal["none", "pap", "chap"] = "none"
    ip: Literal["ipv4", "ipv6", "ipv4v6"] = "ipv4v6"
    roaming: bool = True
    initial_bearer: Literal["same", "apn", "leave"] = "same"
    initial_bearer_apn: str = ""
    mtu: int | None = None

    def settings(self) -> NetworkSettings:
        """Return the settings for matching profiles.

        Raises:
            InvalidValue: the settings contradict each other.
        """
        return msgspec.convert(self, NetworkSettings, from_attributes=True)

    def check(self, report: Report) -> None:
        """Report a pattern that selects nothing, an invalid ICCID prefix, and contradictory settings."""
        if not self.iccid and not self.provider:
            report.wrong("give 'iccid', 'provider' or both, to select the profiles")
        if self.iccid and not _ICCID_PREFIX.fullmatch(self.iccid):
            report.wrong("expected the first 1 to 20 digits of an ICCID, in quotes", "iccid")
        report.parsed(PatternSection.settings, self)


class NetworkSection(Section, frozen=True):
    """The applier, the hooks and their runner, the effect of a failure, and the table of patterns."""

    applier: ApplierName = "none"
    connect: bool = False
    hooks: bool = False
    runner: Text = SOCKET
    on_failure: Literal["stop", "ignore"] = "stop"
    step_limit: Annotated[float, msgspec.Meta(ge=1, le=600)] = STEP_LIMIT
    patterns: list[PatternSection] = []
