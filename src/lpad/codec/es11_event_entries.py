"""The answer of an SM-DS to AuthenticateClient (SGP.22 v2.5, 5.8.2): the events that wait for a card.

The requests of ES11, and its answer to InitiateAuthentication, are those of ES9+.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import InvalidValue, MalformedError
from lpad.base.frozen import Frozen
from lpad.base.server_address import ServerAddress

if TYPE_CHECKING:
    from lpad.base.identifiers import TransactionId
    from lpad.codec.es9plus import Answer

MOST_ENTRIES = 1000
"""The maximum number of entries of one answer that lpad reads; further entries are only counted."""
LONGEST_EVENT_ID = 255
_ENTRIES = "eventEntries"


class EventEntry(Frozen):
    """One event: the server that the event leads to, and its ID there."""

    event_id: str
    """The event ID as the SM-DS wrote it; it is the matching ID at that server."""
    address: ServerAddress
    """The address of an SM-DP+, or of another SM-DS."""


class EventEntries(Frozen):
    """The readable events for the card, in the order of the SM-DS, without duplicates."""

    transaction_id: TransactionId
    entries: tuple[EventEntry, ...]
    unreadable: int
    """Entries without a usable event ID or address, and those beyond the first `MOST_ENTRIES`."""

    @classmethod
    def of(cls, answer: Answer) -> EventEntries:
        """Read the events in an answer; an answer without the list means that there are no events.

        Raises:
            MalformedError: the transaction ID is missing or impossible, or the events are not a list.
        """
        listed = answer.fields.get(_ENTRIES)
        if listed is None:
            listed = []
        if not isinstance(listed, list):
            raise MalformedError(f"'{_ENTRIES}' is not a list")
        read = [_entry(each) for each in listed[:MOST_ENTRIES]]
        return cls(
            transaction_id=answer.transaction_id,
            entries=tuple(dict.fromkeys(each for each in read if each is not None)),
            unreadable=read.count(None) + max(0, len(listed) - MOST_ENTRIES),
        )


def lists_events(answer: Answer) -> bool:
    """Return whether an answer to AuthenticateClient comes from an SM-DS, judged by its content."""
    return _ENTRIES in answer.fields and "profileMetadata" not in answer.fields


def _entry(entry: object) -> EventEntry | None:
    """Return an entry; None if it is unusable, because one odd entry must not hide the others."""
    if not isinstance(entry, dict):
        return None
    event_id, address = entry.get("eventId"), entry.get("rspServerAddress")
    if not isinstance(event_id, str) or not isinstance(address, str):
        return None
    if not 0 < len(event_id) <= LONGEST_EVENT_ID or not event_id.isprintable():
        return None
    try:
        return EventEntry(event_id, ServerAddress.parse(address))
    except InvalidValue:
        return None
