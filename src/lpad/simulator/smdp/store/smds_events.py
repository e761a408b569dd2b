"""The events of an SM-DS, in its folder: the command that adds an order registers them (ES12).

    events/<id>.json           an event
    events/<id>.json.deleted   one that the SM-DP+ has deleted, because its order has ended

For an event at an alternative SM-DS, a second event at the root SM-DS leads to the alternative SM-DS:

    root:          event_id R, address: the alternative SM-DS
    alternative:   event_id E, forwarded_as R, address: the SM-DP+
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lpad.simulator.smdp.store.atomic_writing import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable

_DELETED = ".deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event.

    Attributes:
        event_id: the event's ID, the matching ID at `address`.
        eid: the EID of the event's card, 32 digits.
        address: the server that the event leads to, an SM-DP+ or another SM-DS.
        forwarded_as: the ID under which another SM-DS leads to this event; None: no SM-DS does.
        created: the time at which the event was registered.
        expires: the time at which the event expires; None: never.
    """

    event_id: str
    eid: str
    address: str
    forwarded_as: str | None = None
    created: datetime
    expires: datetime | None = None

    @property
    def expired(self) -> bool:
        """Whether the event has expired."""
        return self.expires is not None and datetime.now(UTC) >= self.expires


class Events:
    """The events of one SM-DS; each method reads the folder again."""

    def __init__(self, folder: Path) -> None:
        """Keep the events in `folder`, which is created if missing."""
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def register(
        self,
        *,
        eid: str,
        address: str,
        event_id: str | None = None,
        forwarded_as: str | None = None,
        expires: datetime | None = None,
    ) -> str:
        """Register an event (ES12.RegisterEvent) and return the path of its file, for `delete_events`.

        Args:
            eid: the card's EID, 32 digits.
            address: the server that has a profile or another event for the card.
            event_id: by default a random one.
            forwarded_as: the ID of the root's event that leads to this one.
            expires: the time at which the event expires; None: never.
        """
        event = Event(
            event_id=event_id or new_event_id(),
            eid=eid,
            address=address,
            forwarded_as=forwarded_as,
            created=datetime.now(UTC),
            expires=expires,
        )
        path = self._folder / f"{secrets.token_hex(6)}.json"
        write_whole(path, msgspec.json.encode(event))
        return str(path)

    def of(self, eid: str, event_id: str, *, deleted: bool = False) -> tuple[Event, ...]:
        """Return the events for a card that have not expired, oldest first.

        Args:
            eid: the card's EID.
            event_id: the only event to return, by its own ID or the root's; empty: all.
            deleted: whether deleted events are returned, too.
        """
        paths = [*self._folder.glob("*.json"), *(self._folder.glob(f"*{_DELETED}") if deleted else ())]
        events = [msgspec.json.decode(path.read_bytes(), type=Event) for path in paths]
        meant = [
            each
            for each in events
            if each.eid == eid and not each.expired and event_id in ("", each.event_id, each.forwarded_as)
        ]
        return tuple(sorted(meant, key=lambda event: event.created))


def new_event_id() -> str:
    """Return a random event ID."""
    return secrets.token_hex(10).upper()


def delete_events(files: Iterable[str]) -> None:
    """Delete events at their SM-DSs (ES12.DeleteEvent); missing ones are ignored."""
    for path in map(Path, files):
        if path.exists():
            path.rename(path.with_name(path.name + _DELETED))
