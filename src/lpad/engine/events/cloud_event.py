"""The form in which an event leaves the device: CloudEvents 1.0, in the JSON format.

`source` and `id` together identify an event, and are the same in a repeated delivery. `sequence` counts the
events of a device, as the CloudEvents extension of that name does; it has 12 digits, so that texts sort like
numbers.
"""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from lpad.base.redaction import last_digits
from lpad.engine.change.change import Json
from lpad.engine.events.event_data import IDENTIFIERS
from lpad.remote.trust.tls_failure import CLOCK_UNSET_BEFORE

if TYPE_CHECKING:
    from lpad.engine.events.happening import Happening

MEDIA_TYPE = "application/cloudevents+json"
SEQUENCE_DIGITS = 12


class Identifiers(enum.StrEnum):
    """Whether an endpoint gets the identifiers of cards, profiles and modems in full."""

    FULL = "full"
    REDACTED = "redacted"


class EventBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The part of an event that is stored next to its number and type; identifiers are in full."""

    id: str
    source: str
    time: str
    clockunset: bool = False
    subject: str | None = None
    data: dict[str, Json]

    @classmethod
    def of(cls, happening: Happening, *, source: str) -> EventBody:
        """Create the body of an event.

        Args:
            happening: the event.
            source: the device's name, a URI reference.
        """
        at = datetime.fromtimestamp(happening.at, UTC)
        return cls(
            id=happening.id,
            source=source,
            time=at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            clockunset=happening.at < CLOCK_UNSET_BEFORE,
            subject=happening.euicc,
            data=msgspec.to_builtins(happening.data),
        )


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event in the outbox: its number, its type, whether a full outbox drops it first, and its body."""

    sequence: int
    type: str
    droppable: bool
    body: EventBody

    @property
    def euicc(self) -> str | None:
        """The card's name in the settings; None: the event is not about a card."""
        return self.body.subject

    @property
    def change(self) -> int | None:
        """The number of the change that the event belongs to; None if it belongs to no change."""
        number = self.body.data.get("change")
        return number if isinstance(number, int) else None

    def attributes(self) -> dict[str, str | bool]:
        """Return the context attributes, including `sequence` and, on an unset clock, `clockunset`."""
        found: dict[str, str | bool] = {
            "specversion": "1.0",
            "id": self.body.id,
            "source": self.body.source,
            "type": self.type,
            "time": self.body.time,
            "datacontenttype": "application/json",
        }
        if self.sequence:  # a test event has no number
            found["sequence"] = f"{self.sequence:0{SEQUENCE_DIGITS}d}"
        if self.body.subject is not None:
            found["subject"] = self.body.subject
        if self.body.clockunset:
            found["clockunset"] = True
        return found

    def data(self, identifiers: Identifiers = Identifiers.FULL) -> dict[str, Json]:
        """Return the data, with full or redacted identifiers."""
        if identifiers is Identifiers.FULL:
            return self.body.data
        return {
            name: last_digits(value) if name in IDENTIFIERS and isinstance(value, str) else value
            for name, value in self.body.data.items()
        }

    def structured(self, identifiers: Identifiers = Identifiers.FULL) -> bytes:
        """Return the event as one JSON text, the CloudEvents structured mode."""
        return msgspec.json.encode({**self.attributes(), "data": self.data(identifiers)})
