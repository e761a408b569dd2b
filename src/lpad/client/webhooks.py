"""The Python client's part for webhooks: the endpoints to which the daemon sends events."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from lpad.client import decoding

if TYPE_CHECKING:
    from lpad.client.connection import Connection
    from lpad.client.views import Page


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint and its progress; docs/api.md describes the fields."""

    name: str
    server: str
    state: str
    position: int
    pending: int | None = None
    attempts: int = 0
    next_attempt_at: datetime | None = None
    last: str = ""
    last_status: int | None = None
    delivered: int = 0
    given_up: int = 0
    types: tuple[str, ...] = ()
    identifiers: str = "full"
    mode: str = "structured"
    public_keys: tuple[str, ...] = ()
    set_aside: tuple[int, ...] = ()


class WebhookTest(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a test event."""

    accepted: bool
    told: str
    seconds: float
    status: int | None = None


class Redelivered(msgspec.Struct, frozen=True, kw_only=True):
    """The number of events that are sent again."""

    events: int


class Webhooks:
    """The methods of `Client.webhooks`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self, *, limit: int | None = None, after: int | str | None = None) -> Page[Webhook]:
        """Return the endpoints, in the order of the settings; `limit` and `after` as in `Client.euiccs`."""
        query = {"limit": limit, "after": after}
        return self._connection.get_list("/v1/webhooks", "webhooks", Webhook, query)

    def test(self, name: str) -> WebhookTest:
        """Have lpad send a test event now, and return the result."""
        return decoding.decoded(self._post(name, "test"), WebhookTest)

    def pause(self, name: str) -> Webhook:
        """Have lpad send nothing to an endpoint until `resume`."""
        return decoding.decoded(self._post(name, "pause"), Webhook)

    def resume(self, name: str) -> Webhook:
        """Have lpad resume sending to a paused or ended endpoint, and try immediately."""
        return decoding.decoded(self._post(name, "resume"), Webhook)

    def redeliver(self, name: str, sequence: int | None = None) -> int:
        """Have lpad send one event again, or all set-aside events; return the number of events."""
        body = {} if sequence is None else {"sequence": sequence}
        return decoding.decoded(self._post(name, "redeliver", body), Redelivered).events

    def _post(self, name: str, action: str, body: dict[str, int] | None = None) -> bytes:
        path = f"/v1/webhooks/{quote(name, safe='')}/{action}"
        return self._connection.request("POST", path, body)
