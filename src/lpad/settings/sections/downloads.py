"""`downloads`: how long a download is retried after temporary failures."""

from __future__ import annotations

from typing import Annotated

import msgspec

from lpad.settings.parsing.section_base import Section

Patience = Annotated[float, msgspec.Meta(ge=0, le=30 * 24 * 3600)]


class DownloadsSection(Section, frozen=True):
    """The seconds after its first failed attempt for which a download is retried; 0: it is not retried."""

    retry_for: Patience = 24 * 3600
