"""The types that several sections share: text and numbers with a range."""

from __future__ import annotations

from typing import Annotated

import msgspec

Seconds = Annotated[float, msgspec.Meta(gt=0, le=7 * 24 * 3600)]
Text = Annotated[str, msgspec.Meta(min_length=1)]
"""Non-empty text; the conversion refuses control characters everywhere."""
