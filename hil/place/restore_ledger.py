"""What must outlive a run, however it ends: what was enabled before, and what the bench itself installed."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import msgspec

from lpad.base.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Before(msgspec.Struct, frozen=True):
    """How a card was when the run began."""

    eid: str
    enabled: str | None
    """ICCID."""
    default_smdp: str | None


class Ledger:
    """A place's files, each on the disk before what it speaks of is done."""

    def __init__(self, folder: Path, *, expendable: Iterable[str]) -> None:
        """Open a place's ledger.

        Args:
            folder: the place's own; made when missing.
            expendable: ICCIDs that the bench file gives up.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._before = folder / "before.json"
        self._installed = folder / "installed.json"
        self._expected = folder / "expected.json"
        self._expendable = frozenset(expendable)

    @property
    def before(self) -> Before | None:
        """How the card was, while there is something to restore."""
        if not self._before.exists():
            return None
        return msgspec.json.decode(self._before.read_bytes(), type=Before)

    def remember(self, before: Before) -> None:
        """Note how the card is; the oldest note stays where a run was cut off before it restored."""
        if self.before is None:
            _write(self._before, msgspec.json.encode(before))

    def restored(self) -> None:
        """Forget how it was, since it is so again."""
        self._before.unlink(missing_ok=True)

    def installed(self, iccid: str) -> None:
        """Note that an expendable code installed a profile, which may be deleted therefore."""
        _write(self._installed, json.dumps(sorted({*self._own(), iccid})).encode())

    def expect(self, known: Iterable[str]) -> None:
        """Note that an expendable code is about to install a profile beside those that are known."""
        _write(self._expected, json.dumps(sorted(known)).encode())

    @property
    def expected_beside(self) -> frozenset[str] | None:
        """What was known when a profile was expected of which nobody has heard; None: none is expected."""
        if not self._expected.exists():
            return None
        return frozenset(msgspec.json.decode(self._expected.read_bytes(), type=list[str]))

    def arrived(self) -> None:
        """Expect no profile any more: it was noted, or there is none."""
        self._expected.unlink(missing_ok=True)

    def is_expendable(self, iccid: str) -> bool:
        """Whether a profile may be deleted."""
        return iccid in self._expendable or iccid in self._own()

    def is_own(self, iccid: str) -> bool:
        """Whether an expendable code of this bench installed the profile."""
        return iccid in self._own()

    def check_expendable(self, iccid: str) -> None:
        """Refuse what may not be deleted.

        Raises:
            Conflict: the profile is to be kept.
        """
        if not self.is_expendable(iccid):
            raise Conflict(
                f"the profile …{iccid[-4:]} isn't listed as expendable, so the bench keeps it; list its ICCID"
                " under 'expendable' in the bench file if it may be deleted"
            )

    def _own(self) -> list[str]:
        if not self._installed.exists():
            return []
        return msgspec.json.decode(self._installed.read_bytes(), type=list[str])


def _write(path: Path, content: bytes) -> None:
    beside = path.with_suffix(".new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
