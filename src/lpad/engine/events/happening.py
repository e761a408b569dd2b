"""A happening: an event before it has a number and a place in the outbox."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

from msgspec import field

from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from lpad.engine.events.event_data import Payload
    from lpad.engine.events.event_types import EventType


class Happening(Frozen, kw_only=True):
    """An event, with its time by the wall clock in seconds since 1970.

    A happening with a `key` is a state of a lasting object, such as a card. Such a happening becomes an event
    only if `state` differs from the last state that was an event, even one from before a restart. So the same
    observation may be reported repeatedly, and is not lost in a power cut. `first_counts`: whether the first
    known state becomes an event. `told_as`: the field of the data that gets the previous state.
    """

    type: EventType
    data: Payload
    euicc: str | None = None
    key: str | None = None
    state: str = ""
    first_counts: bool = True
    told_as: str | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    at: float = field(default_factory=time.time)
