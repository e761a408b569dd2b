"""The whole file, as one section of sections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.settings.access import AccessSection
from lpad.settings.deadlines import DeadlinesSection
from lpad.settings.downloads import DownloadsSection
from lpad.settings.euicc import EuiccSection, Provision, check_places
from lpad.settings.history import HistorySection
from lpad.settings.log import LogSection
from lpad.settings.modem_manager import ModemManagerSection
from lpad.settings.policy import PolicySection
from lpad.settings.quantities import Seconds, Text
from lpad.settings.remote import RemoteSection
from lpad.settings.section import Section
from lpad.settings.trust import TrustSection

if TYPE_CHECKING:
    from lpad.settings.report import Report


class Settings(Section, frozen=True):
    """The whole file."""

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
    modem_manager: ModemManagerSection = ModemManagerSection()

    def check(self, report: Report) -> None:
        """Note what sections don't see alone."""
        check_places(self.euiccs, report.below("euiccs"))
