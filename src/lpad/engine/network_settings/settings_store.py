"""The network settings of profiles, by ICCID, as the owner set them and as orders delivered them.

The settings contain passwords. Only lpad's own user can read the file; only the applier and hooks get the
password.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from lpad.base.errors import LpadError
from lpad.network.network_settings import GivenBy, NetworkSettings
from lpad.network.network_settings_choice import choose

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from lpad.engine.journal.named_values import NamedValues
    from lpad.network.network_settings_choice import Chosen, Pattern

log = logging.getLogger(__name__)

_PREFIX = "network:"


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    """A profile's stored settings, not yet typed; `card` is the EID of the card that contained the profile.

    `ordered_by` is the change that stored `order`, and `ordered_for` the EID of its card.
    """

    owner: dict[str, Any] | None = None
    order: dict[str, Any] | None = None
    card: str | None = None
    ordered_by: int | None = None
    ordered_for: str | None = None


class StoredSettings(Struct, frozen=True, kw_only=True):
    """The stored settings of one profile."""

    owner: NetworkSettings | None = None
    order: NetworkSettings | None = None


class NetworkStore:
    """The journal's network settings, thread-safe; data is on the disk when a call returns.

    Methods that write raise JournalUnavailable if writing fails.
    """

    def __init__(self, memos: NamedValues) -> None:
        self._memos = memos
        self._lock = threading.Lock()
        self._rows: dict[str, _Row] | None = None

    def get(self, iccid: str) -> StoredSettings:
        """Return the stored settings of a profile; settings that are damaged on the disk are omitted."""
        with self._lock:
            row = self._row(iccid)
        return StoredSettings(
            owner=_sensible(row.owner, GivenBy.OWNER), order=_sensible(row.order, GivenBy.ORDER)
        )

    def chosen(self, iccid: str, *, patterns: Sequence[Pattern], provider: str | None) -> Chosen:
        """Return the settings that apply to a profile: the stored ones, or those of a pattern.

        Args:
            iccid: the profile's ICCID.
            patterns: the entries of the setting `network.patterns`.
            provider: the profile's service provider; None: it is not known.
        """
        stored = self.get(iccid)
        return choose(iccid, owner=stored.owner, order=stored.order, patterns=patterns, provider=provider)

    def put(self, iccid: str, settings: NetworkSettings) -> None:
        """Store the owner's settings of a profile, replacing the owner's earlier ones."""
        with self._lock:
            self._write(iccid, replace(self._row(iccid), owner=msgspec.to_builtins(settings)))

    def put_ordered(self, iccid: str, settings: NetworkSettings, *, change: int, eid: str | None) -> None:
        """Store the settings that an order has delivered, replacing those of an earlier order.

        Args:
            iccid: the profile's ICCID.
            settings: the settings.
            change: the change that carries out the order.
            eid: the EID of the change's card.
        """
        with self._lock:
            row = self._row(iccid)
            kept = msgspec.to_builtins(settings)
            self._write(iccid, replace(row, order=kept, ordered_by=change, ordered_for=eid))

    def drop_unused(
        self, eid: str, *, lacks: Callable[[str], bool], ended: Callable[[int], bool]
    ) -> tuple[str, ...]:
        """Remove the settings of orders whose profile was never installed; return the ICCIDs.

        The owner's settings stay, because they may be for a future profile.

        Args:
            eid: the EID of a card.
            lacks: returns whether this card certainly has no profile with an ICCID.
            ended: returns whether a change has ended.
        """
        dropped = []
        with self._lock:
            for iccid, row in list(self._known().items()):
                candidate = row.order is not None and row.card is None and row.ordered_for == eid
                if candidate and row.ordered_by is not None and lacks(iccid) and ended(row.ordered_by):
                    self._write(iccid, replace(row, order=None, ordered_by=None, ordered_for=None))
                    dropped.append(iccid)
        return tuple(dropped)

    def clear(self, iccid: str) -> None:
        """Remove the owner's settings of a profile."""
        with self._lock:
            self._write(iccid, replace(self._row(iccid), owner=None))

    def follow(self, eid: str, iccids: Collection[str], *, complete: bool) -> tuple[str, ...]:
        """Remove the settings of profiles that are no longer on their card; return their ICCIDs.

        Profiles that other programs deleted count, too. A removal that a power cut interrupts is repeated at
        the next reading of the card. Settings for a future profile stay.

        Args:
            eid: the EID of a card.
            iccids: the ICCIDs of the card's profiles.
            complete: whether the list is complete; if not, a missing profile may still be on the card.
        """
        gone = []
        with self._lock:
            for iccid, row in list(self._known().items()):
                if iccid in iccids:
                    self._write(iccid, replace(row, card=eid))
                elif complete and row.card == eid:
                    self._write(iccid, _Row())
                    gone.append(iccid)
        return tuple(gone)

    def _known(self) -> dict[str, _Row]:
        """Return all rows; the journal is read once."""
        if self._rows is None:
            read = {name: self._memos.get(name, _Row) for name in self._memos.names(_PREFIX)}
            self._rows = {name.removeprefix(_PREFIX): row for name, row in read.items() if row is not None}
        return self._rows

    def _row(self, iccid: str) -> _Row:
        return self._known().get(iccid, _Row())

    def _write(self, iccid: str, row: _Row) -> None:
        known = self._known()
        if row == known.get(iccid, _Row()):
            return
        if row.owner is None and row.order is None:
            self._memos.drop(_PREFIX + iccid)
            known.pop(iccid, None)
        else:
            self._memos.put(_PREFIX + iccid, row)
            known[iccid] = row


def _sensible(kept: dict[str, Any] | None, given_by: GivenBy) -> NetworkSettings | None:
    """Return stored settings; None if there are none, or they cannot be read."""
    try:
        return None if kept is None else msgspec.convert(kept, NetworkSettings)
    except (LpadError, msgspec.ValidationError):
        log.warning("ignoring unreadable network settings given by the %s", given_by)
        return None
