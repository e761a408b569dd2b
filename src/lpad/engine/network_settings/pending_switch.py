"""A card's unfinished switch with network settings: on disk from the first step to the last.

lpad settles entries that remain after a power cut or a failed switch by the card's state: the enabled profile
gets its settings, and preparations for another one are undone.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import msgspec

from lpad.base.errors import LpadError
from lpad.network.applier_interface import MOST_MEMORY

if TYPE_CHECKING:
    from lpad.engine.journal.named_values import NamedValues

log = logging.getLogger(__name__)


class PendingSwitch(msgspec.Struct, frozen=True, kw_only=True):
    """The change that began the switch, the profiles, and the data with which the applier undoes its part.

    `prepared` is false until the applier is asked to get ready; until then, there is nothing to undo.
    """

    change: int
    eid: str
    iccid: str
    previous: str | None = None
    memory: dict[str, str] = {}
    prepared: bool = True


class PendingSwitches:
    """The unfinished switches by the card's name, at most one for each card; usable from every thread."""

    def __init__(self, memos: NamedValues) -> None:
        self._memos = memos
        self._lock = threading.Lock()
        self._known: dict[str, PendingSwitch | None] = {}

    def of(self, euicc: str) -> PendingSwitch | None:
        """Return a card's unfinished switch; None without one, or if the journal cannot be read."""
        with self._lock:
            if euicc not in self._known:
                try:
                    self._known[euicc] = self._memos.get(_name(euicc), PendingSwitch)
                except LpadError as error:
                    log.warning("%s: the pending network settings cannot be read: %s", euicc, error)
                    return None
            return self._known[euicc]

    def begin(self, euicc: str, pending: PendingSwitch) -> None:
        """Record a switch that begins; the applier's data is left out if it is too long.

        Raises:
            JournalUnavailable: the journal cannot be written.
        """
        size = sum(len(name) + len(value) for name, value in pending.memory.items())
        if size > MOST_MEMORY:
            log.warning(
                "%s: did not store the applier's data, because it is too long (%d characters)", euicc, size
            )
            pending = msgspec.structs.replace(pending, memory={})
        with self._lock:
            self._memos.put(_name(euicc), pending)
            self._known[euicc] = pending

    def end(self, euicc: str) -> None:
        """Record the end of the switch.

        If the end cannot be written, the switch is settled again after a restart.
        """
        with self._lock:
            if self._known.get(euicc) is None:
                return
            self._known[euicc] = None
            try:
                self._memos.drop(_name(euicc))
            except LpadError as error:
                log.warning("%s: cannot drop the pending network settings: %s (%s)", euicc, error, error.kind)


def _name(euicc: str) -> str:
    return f"network-switch:{euicc}"
