"""The API's types for events that leave the device."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from lpad.api.request.request_bodies import Request


class EventTypeView(msgspec.Struct, frozen=True, kw_only=True):
    """A type of event: its name, its meaning, and the JSON schema of its data.

    `droppable`: whether a full outbox drops such events before other events that a receiver still awaits.
    """

    type: str
    means: str
    droppable: bool
    data_schema: dict[str, Any]


class EventTypeList(msgspec.Struct, frozen=True, kw_only=True):
    """All types of events."""

    types: list[EventTypeView]
    next: str | None = None


class WebhookView(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint: its address, its events and its progress.

    `state` is active, paused (by a user) or ended (the endpoint answered 410). `pending` is the number of
    waiting events, null if the journal cannot be read. `attempts` and `next_attempt_at` belong to the current
    event. `set_aside` has the numbers of events that were not accepted in time; `last` is the last
    outcome. A receiver needs the `public_keys` to check Ed25519 signatures. The address is shown without its
    path, which may be a secret.
    """

    name: str
    server: str
    types: list[str]
    identifiers: str
    mode: str
    public_keys: list[str]
    state: str
    position: int
    pending: int | None
    attempts: int
    next_attempt_at: datetime | None
    last: str
    last_status: int | None
    delivered: int
    given_up: int
    set_aside: list[int]


class WebhookList(msgspec.Struct, frozen=True, kw_only=True):
    """All endpoints, and, by type, the number of events that were dropped before the endpoints got them."""

    webhooks: list[WebhookView]
    dropped: dict[str, int]
    next: str | None = None


class WebhookTestResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a test event: `told` is the outcome in words; `status` is null without an HTTP answer."""

    accepted: bool
    status: int | None
    told: str
    seconds: float


class RedeliverRequest(Request, frozen=True, kw_only=True):
    """The number of an event to send again; without it, every set-aside event."""

    sequence: int | None = None


class Redelivered(msgspec.Struct, frozen=True, kw_only=True):
    """The number of events that lpad sends again."""

    events: int


class ListenerView(msgspec.Struct, frozen=True, kw_only=True):
    """A program on this device that listens to events under a name.

    The listener belongs to the user with the ID `user`. `position` is the last event that the listener
    acknowledged; `pending` is the number of later events in the outbox, null if the journal cannot be read.
    `absent_seconds` is the time for which lpad has run since the program last listened, 0 while `connected`.
    """

    name: str
    user: int
    connected: bool
    position: int
    pending: int | None
    absent_seconds: float


class ListenerList(msgspec.Struct, frozen=True, kw_only=True):
    """All named listeners."""

    listeners: list[ListenerView]
    next: str | None = None


class Acknowledgement(Request, frozen=True, kw_only=True):
    """The number of the last event that a listener no longer needs."""

    position: int
