"""The data that must outlive a run: the card's previous state, and the profiles that were installed."""

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
    """The state of a card when the run began."""

    eid: str
    enabled: str | None
    """The ICCID of the enabled profile; None: no profile was enabled."""
    default_smdp: str | None


class Ledger:
    """The files of a place; each record is on the disk before the bench continues."""

    def __init__(self, folder: Path, *, expendable: Iterable[str]) -> None:
        """Open a place's ledger.

        Args:
            folder: the place's own folder; created if missing.
            expendable: ICCIDs that the bench file lists as expendable.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._before = folder / "before.json"
        self._installed = folder / "installed.json"
        self._expected = folder / "expected.json"
        self._expendable = frozenset(expendable)

    @property
    def before(self) -> Before | None:
        """The card's previous state, until it is restored; None: there is nothing to restore."""
        if not self._before.exists():
            return None
        return msgspec.json.decode(self._before.read_bytes(), type=Before)

    def remember(self, before: Before) -> None:
        """Record the card's state, unless an interrupted run has left an older record."""
        if self.before is None:
            _write(self._before, msgspec.json.encode(before))

    def restored(self) -> None:
        """Delete the record of the previous state, because the card has been restored."""
        self._before.unlink(missing_ok=True)

    def installed(self, iccid: str) -> None:
        """Record that an expendable code has installed a profile, so that it may be deleted."""
        _write(self._installed, json.dumps(sorted({*self._own(), iccid})).encode())

    def expect(self, known: Iterable[str]) -> None:
        """Record that an expendable code is about to install a profile in addition to the known profiles."""
        _write(self._expected, json.dumps(sorted(known)).encode())

    @property
    def expected_beside(self) -> frozenset[str] | None:
        """The profiles known before an installation with an unknown result; None: every result is known."""
        if not self._expected.exists():
            return None
        return frozenset(msgspec.json.decode(self._expected.read_bytes(), type=list[str]))

    def arrived(self) -> None:
        """Delete the record of an expected profile, because the result of the installation is known."""
        self._expected.unlink(missing_ok=True)

    def is_expendable(self, iccid: str) -> bool:
        """Return whether the bench may delete a profile."""
        return iccid in self._expendable or iccid in self._own()

    def is_own(self, iccid: str) -> bool:
        """Return whether an expendable code of this bench has installed the profile."""
        return iccid in self._own()

    def check_expendable(self, iccid: str) -> None:
        """Refuse a profile that must not be deleted.

        Raises:
            Conflict: the profile must be kept.
        """
        if not self.is_expendable(iccid):
            raise Conflict(
                f"cannot delete the profile …{iccid[-4:]}: it is not expendable; to allow this, list "
                f"its ICCID under 'expendable' in the bench file"
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
