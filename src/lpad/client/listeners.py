"""The Python client's part for named listeners of the event stream."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from lpad.client import decoding

if TYPE_CHECKING:
    from lpad.client.connection import Connection
    from lpad.client.views import Page


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """A named listener and its position; docs/api.md describes the fields."""

    name: str
    user: int
    connected: bool
    position: int
    pending: int | None = None
    absent_seconds: float = 0.0


class Listeners:
    """The methods of `Client.listeners`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self, *, limit: int | None = None, after: int | str | None = None) -> Page[Listener]:
        """Return the named listeners, sorted by name; `limit` and `after` as in `Client.euiccs`."""
        query = {"limit": limit, "after": after}
        return self._connection.get_list("/v1/listeners", "listeners", Listener, query)

    def acknowledge(self, name: str, position: int) -> Listener:
        """Report that a listener has processed all events up to the number `position`."""
        answer = self._connection.request("PUT", _path(name), {"position": position})
        return decoding.decoded(answer, Listener)

    def forget(self, name: str) -> Listener:
        """Have the daemon forget a listener, whose events then no longer count as awaited."""
        return decoding.decoded(self._connection.request("DELETE", _path(name)), Listener)


def _path(name: str) -> str:
    return f"/v1/listeners/{quote(name, safe='')}"
