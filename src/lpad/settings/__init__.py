"""The settings: from YAML to checked types, with all mistakes reported together, each with its line."""

from lpad.settings.file import SettingsFile
from lpad.settings.sections.access import AccessSection, WhoSection
from lpad.settings.sections.euiccs.device_capabilities import device_capabilities, version_bytes
from lpad.settings.sections.euiccs.euicc import EuiccSection
from lpad.settings.settings import Settings

__all__ = [
    "AccessSection",
    "EuiccSection",
    "Settings",
    "SettingsFile",
    "WhoSection",
    "device_capabilities",
    "version_bytes",
]
