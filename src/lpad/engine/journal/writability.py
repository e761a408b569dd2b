"""Whether the journal can be written, and if not, why and what the reader can do."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lpad.base.errors import JournalUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class JournalState(enum.StrEnum):
    """How the journal is."""

    OK = "ok"
    FULL = "full"  # no space on its disk
    READ_ONLY = "read-only"  # its file, folder or file system may not be written
    LOCKED = "locked"  # another program holds it
    DAMAGED = "damaged"  # not a database any more, and it could not be moved away
    NEWER = "newer"  # written by a later lpad
    UNWRITABLE = "unwritable"  # the disk fails, or something else


_ADVICE: Mapping[JournalState, str] = {
    JournalState.FULL: "make space on its disk",
    JournalState.READ_ONLY: "see that its file and folder belong to lpad's user and that the file system is"
    " mounted read-write",
    JournalState.LOCKED: "stop the other lpad, or the other program that has it open, or name another"
    " 'state_folder' in the settings",
    JournalState.DAMAGED: "lpad sets it aside and begins an empty one as soon as its folder can be written",
    JournalState.NEWER: "install that lpad again, or name another 'state_folder' in the settings",
    JournalState.UNWRITABLE: "check that the disk works and that the file's folder is there",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalHealth:
    """The journal's state, the error that it answers writing with, and damaged files that were kept."""

    state: JournalState = JournalState.OK
    error: JournalUnavailable | None = None
    set_aside: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it can be written."""
        return self.state is JournalState.OK


def unavailable(path: Path, state: JournalState, why: object) -> JournalUnavailable:
    """Return the error for a journal that can't be written: what it is, and what the reader can do."""
    return JournalUnavailable(
        f"the journal {path} can't be written ({state}: {why}), so nothing that alters a card is done;"
        f" {_ADVICE[state]}",
        retryable=state not in (JournalState.NEWER, JournalState.DAMAGED),
        reason=f"journal-{state}",
    )
