"""One call of the API for a handler: the caller, the request, and the engine."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import msgspec
from starlette.responses import Response

from lpad.base.errors import InvalidValue
from lpad.base.frozen import Frozen
from lpad.base.untrusted_number import decimal_number, whole_number
from lpad.engine.change.event_subscriptions import PROGRESS
from lpad.engine.change.idempotency import IdempotencyKey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lpad.api.request.peer import Peer
    from lpad.api.request.roles import AccessRules, Role
    from lpad.api.request.settings_file_state import Configuration
    from lpad.engine.change.change import Change
    from lpad.engine.change.idempotency import Submission
    from lpad.engine.engine import Engine

_Body = TypeVar("_Body")

LONGEST_WAIT = 3600.0
LONGEST_KEY = 255
MOST_CHANGES = 10**18 - 1
"""The largest possible number of a change or an event."""


class Call(Frozen, kw_only=True):
    """A request, as a handler gets it; `body` has the route's type.

    `rules` returns the access rules in force, which a reload may change during an answer.
    """

    engine: Engine
    peer: Peer
    rules: Callable[[], AccessRules]
    configuration: Configuration
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    closing: asyncio.Event
    body: object = None

    def body_of(self, type_: type[_Body]) -> _Body:
        """Return the body as the route's type."""
        assert isinstance(self.body, type_), "app.py decodes it as the route's type"
        return self.body

    def check(self, role: Role) -> None:
        """Check that the caller has a role.

        Raises:
            NotPermitted: the caller lacks the role.
        """
        self.rules().check(self.peer, role)

    def has(self, role: Role) -> bool:
        """Return whether the caller still has a role."""
        return role in self.rules().roles(self.peer)

    def key(self, *request: object) -> IdempotencyKey | None:
        """Return the caller's key for a request, from the header Idempotency-Key; None without the header.

        Raises:
            InvalidValue: the header is not a valid key.
        """
        text = self.headers.get("idempotency-key")
        if text is None:
            return None
        if not (0 < len(text) <= LONGEST_KEY and all("!" <= each <= "~" for each in text)):
            raise InvalidValue(
                f"an Idempotency-Key must have 1 to {LONGEST_KEY} ASCII characters without spaces, such as a"
                " UUID"
            )
        content = msgspec.json.encode(request, order="sorted")
        return IdempotencyKey.of(self.peer.uid, text, request=content)

    @property
    def change_id(self) -> int:
        """The number of the change in the path.

        Raises:
            InvalidValue: the `id` in the path is not a number.
        """
        number = whole_number(self.path["id"], most=MOST_CHANGES)
        if number is None:
            raise InvalidValue("name the change by its number; GET /v1/changes lists the changes")
        return number

    @property
    def wait(self) -> float:
        """Seconds to wait for a change to end, from `?wait=`; 0 if `wait` is missing.

        Raises:
            InvalidValue: the value is not a number of seconds up to an hour.
        """
        seconds = decimal_number(self.query.get("wait", "0"), most=LONGEST_WAIT)
        if seconds is None:
            raise InvalidValue(f"'wait' must be a number of seconds from 0 to {LONGEST_WAIT:.0f}")
        return seconds


def json_response(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON answer."""
    return Response(msgspec.json.encode(value), status, headers, "application/json")


async def submission_response(call: Call, submission: Submission) -> Response:
    """Answer with a request's change; a header shows whether an earlier request led to the change."""
    response = await change_response(call, submission.change)
    if submission.repeated:
        response.headers["Idempotent-Replayed"] = "true"
    return response


async def change_response(call: Call, change: Change) -> Response:
    """Answer with a change: 202 and its Location while it is unfinished, 200 once it has ended.

    With `?wait=`, the answer comes once the change has ended or asks a question, the time has passed, or lpad
    stops.
    """
    if call.wait:
        change = await _settled(call, change.id)
    status = 200 if change.state.ended else 202
    return json_response(change, status, {"Location": f"/v1/changes/{change.id}"})


def wake(loop: asyncio.AbstractEventLoop, news: asyncio.Event) -> None:
    """Set a loop's event from another thread; do nothing if the loop has ended."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(news.set)


async def either(*events: asyncio.Event, within: float | None = None) -> bool:
    """Wait until any of the events is set; return whether this happened in time."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        done, _ = await asyncio.wait(waiting, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()
    return bool(done)


async def _settled(call: Call, change_id: int) -> Change:
    loop = asyncio.get_running_loop()
    news = asyncio.Event()
    subscription = call.engine.subscribe(partial(wake, loop, news), ignored=PROGRESS)
    try:
        async with asyncio.timeout(call.wait):
            while True:
                news.clear()
                subscription.take()
                change = await asyncio.to_thread(call.engine.change, change_id)
                if change.state.ended or change.question is not None or call.closing.is_set():
                    return change
                await either(news, call.closing)
    except TimeoutError:
        return await asyncio.to_thread(call.engine.change, change_id)
    finally:
        subscription.close()
