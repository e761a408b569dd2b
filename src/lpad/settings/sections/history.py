"""`history`: how long ended changes are kept."""

from __future__ import annotations

from typing import Annotated

import msgspec

from lpad.settings.parsing.section_base import Section


class HistorySection(Section, frozen=True):
    """The maximum number of kept changes, and of days; the limit that is reached first counts."""

    changes: Annotated[int, msgspec.Meta(ge=10, le=100_000)] = 500
    days: Annotated[float, msgspec.Meta(gt=0, le=36_500)] = 365
