"""`modem_manager`: the cooperation with ModemManager."""

from __future__ import annotations

from typing import Literal

from lpad.settings.parsing.bounded_types import Seconds
from lpad.settings.parsing.section_base import Section


class ModemManagerSection(Section, frozen=True):
    """The cooperation with ModemManager; `hold` is in seconds."""

    inhibit: Literal["auto", "never"] = "auto"
    hold: Seconds = 5
