"""A damaged journal on its way out: kept beside the new one, under its name and the date."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

KEPT = 3
"""Damaged files that are kept, the latest ones: a disk that damages one a day must not fill up with them."""
_PARTS = ("", "-wal", "-shm")


def set_aside(path: Path) -> Path | None:
    """Rename a damaged journal, and what belongs to it; None where that can't be done.

    Its write-ahead log goes with it: left behind, it would be taken for the new file's.
    """
    # Numbered, since the date is wrong on a board without a clock.
    last = max(
        (int(each.name.rpartition("-")[0].rpartition("-")[2]) for each in damaged_files(path)), default=0
    )
    date = f"{datetime.now(UTC):%Y%m%dT%H%M%S}Z"
    target = path.with_name(f"{path.name}.damaged-{last + 1:04d}-{date}")
    try:
        for part in reversed(_PARTS):
            source = path.with_name(path.name + part)
            if source.exists():
                source.rename(target.with_name(target.name + part))
    except OSError as error:
        log.warning("the damaged journal %s can't be moved away: %s", path, error.strerror)
        return None
    for old in damaged_files(path)[:-KEPT]:
        for part in _PARTS:
            with suppress(OSError):
                old.with_name(old.name + part).unlink(missing_ok=True)
    return target


def damaged_files(path: Path) -> list[Path]:
    """Return the damaged journals that were set aside, the oldest first."""
    try:
        found = list(path.parent.glob(f"{path.name}.damaged-[0-9][0-9][0-9][0-9]-*Z"))
    except OSError:
        return []
    return sorted(found)
