"""A happening: an event before it has a number and a place in the outbox."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lpad.engine.events.event_data import Payload
    from lpad.engine.events.event_types import EventType


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """An event, with its time by the wall clock in seconds since 1970.

    A happening with a `key` is a new state of something that lasts, such as a card: it is an event only if
    `state` differs from the last one that was an event, even before a restart. So an observation may be
    repeated, and a power cut loses none. `first_counts`: whether it is an event even if no state of it is
    known yet. `told_as`: the field of the data that gets the previous state.
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
