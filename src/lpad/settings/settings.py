"""The whole settings file, as a section that contains all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.settings.parsing.bounded_types import Seconds, Text
from lpad.settings.parsing.section_base import Section
from lpad.settings.sections.access import AccessSection
from lpad.settings.sections.deadlines import DeadlinesSection
from lpad.settings.sections.downloads import DownloadsSection
from lpad.settings.sections.euiccs.euicc import EuiccSection, Provision, check_places
from lpad.settings.sections.history import HistorySection
from lpad.settings.sections.log import LogSection
from lpad.settings.sections.modem_manager import ModemManagerSection
from lpad.settings.sections.network import NetworkSection
from lpad.settings.sections.platforms import PlatformSection
from lpad.settings.sections.policy import PolicySection
from lpad.settings.sections.provisioning import ProvisioningSection
from lpad.settings.sections.remote import RemoteSection
from lpad.settings.sections.reporting.events import EventsSection
from lpad.settings.sections.reporting.webhooks import WebhookSection
from lpad.settings.sections.sources.discovery import DiscoverySection
from lpad.settings.sections.trust import TrustSection

if TYPE_CHECKING:
    from lpad.settings.parsing.mistakes import Report


class Settings(Section, frozen=True):
    """All sections of the settings file."""

    euiccs: dict[str, EuiccSection] = {}
    socket: Text = "/run/lpad/lpad.sock"
    state_folder: Text = "/var/lib/lpad"
    log: LogSection = LogSection()
    answer_within: Seconds = 300
    policy: PolicySection = PolicySection()
    trust: TrustSection = TrustSection()
    remote: RemoteSection = RemoteSection()
    access: AccessSection = AccessSection()
    history: HistorySection = HistorySection()
    deadlines: DeadlinesSection = DeadlinesSection()
    downloads: DownloadsSection = DownloadsSection()
    provision: Provision = "never"
    provisioning: ProvisioningSection = ProvisioningSection()
    platforms: dict[str, PlatformSection] = {}
    discovery: DiscoverySection = DiscoverySection()
    modem_manager: ModemManagerSection = ModemManagerSection()
    network: NetworkSection = NetworkSection()
    events: EventsSection = EventsSection()
    webhooks: dict[str, WebhookSection] = {}

    def check(self, report: Report) -> None:
        """Report mistakes that concern several sections."""
        check_places(self.euiccs, report.below("euiccs"))
        self.provisioning.check_sources(
            self.platforms, report.below("provisioning"), discovers=self.discovery.install != "never"
        )
        own = (each.policy for each in self.euiccs.values())
        self.discovery.check_policies(self.policy, own, report.below("discovery"))
        self.provisioning.check_failover(self.platforms, report.below("provisioning"))

    def sources(self, euicc: EuiccSection) -> tuple[str, ...]:
        """Return the sources of a profile for an empty card, in order; none if its `provision` is never.

        `provision` alone means default-smdp; `discovery.when: on_empty` adds discovery at the end.
        """
        if euicc.provision == "never":
            return ()
        named = self.provisioning.on_empty
        if named is None:
            named = ["default-smdp"] if (euicc.provision or self.provision) == "on_empty" else []
        if self.discovery.when == "on_empty" and "discovery" not in named:
            return (*named, "discovery")
        return tuple(named)
