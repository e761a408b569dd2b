"""`downloads`: what becomes of a download that meets what passes."""

from __future__ import annotations

from typing import Annotated

import msgspec

from lpad.settings.parsing.section import Section

Patience = Annotated[float, msgspec.Meta(ge=0, le=30 * 24 * 3600)]


class DownloadsSection(Section, frozen=True):
    """For how many seconds a download is tried again; 0: it fails at once."""

    retry_for: Patience = 24 * 3600
