"""`history`: which changes are kept once they have ended."""

from __future__ import annotations

from typing import Annotated

import msgspec

from lpad.settings.parsing.section import Section


class HistorySection(Section, frozen=True):
    """How many changes are kept, and for how many days; the one that is reached first counts."""

    changes: Annotated[int, msgspec.Meta(ge=10, le=100_000)] = 500
    days: Annotated[float, msgspec.Meta(gt=0, le=36_500)] = 365
