"""The stream of CloudEvents from the outbox, which a listener can resume by number, even after a restart."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing, nullcontext
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from lpad.api.request.api_call import MOST_CHANGES, either, wake
from lpad.api.request.roles import Role
from lpad.base.errors import LpadError
from lpad.base.frozen import Frozen
from lpad.base.untrusted_number import whole_number

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from lpad.api.request.api_call import Call
    from lpad.engine.engine import Engine
    from lpad.engine.events.cloud_event import Event

log = logging.getLogger(__name__)

HEARTBEAT = 120.0
"""Seconds between comments on a quiet stream; the comments reveal a dead listener, but wake the daemon."""
AT_ONCE = 100
"""The maximum number of events that are read from the disk in one step."""
_HEARTBEAT = b": still here\n\n"


class Filters(Frozen, kw_only=True):
    """The wanted change and card; None: all."""

    change: int | None
    euicc: str | None

    def admit(self, change: int | None, euicc: str | None) -> bool:
        """Return whether an event about this change and this card is wanted."""
        return (self.change is None or change == self.change) and (self.euicc is None or euicc == self.euicc)


async def from_outbox(
    call: Call, filters: Filters, after: str | None, *, listener: str | None = None
) -> AsyncIterator[bytes]:
    """Yield the events after a number, then new ones as they occur.

    The first event is `listening`; `lost` has the `count` of events that the outbox no longer has.

    Args:
        filters: which events are wanted.
        after: the number of the last event that the listener has; None: the listener gets only new events;
            any text other than such a number: it gets all events that still exist.
        listener: the name of an admitted listener; None: the stream belongs to no named listener.
    """
    listeners = call.engine.listeners
    presence = nullcontext() if listener is None else listeners.listening(listener)
    with presence:
        async with aclosing(_from_outbox(call, filters, after)) as stream:
            async for each in stream:
                if each is _HEARTBEAT and listener is not None:
                    await asyncio.to_thread(listeners.seen, listener)
                yield each


async def _from_outbox(call: Call, filters: Filters, after: str | None) -> AsyncGenerator[bytes, None]:
    loop = asyncio.get_running_loop()
    news = asyncio.Event()
    forget = call.engine.events.on_news(partial(wake, loop, news))
    try:
        last = await asyncio.to_thread(call.engine.events.last)
        seen = last if after is None else whole_number(after, most=MOST_CHANGES)
        known = seen is not None and seen <= last
        position = seen if seen is not None and known else 0
        yield wire(str(position), "listening", b"{}")
        if not known:
            yield _lost(position, 1)
        while not call.closing.is_set() and call.has(Role.READ):
            news.clear()
            found = await asyncio.to_thread(_read, call.engine, position)
            for event in found:
                missing = event.sequence - position - 1
                if missing and (known or position):
                    yield _lost(position, missing)
                position = event.sequence
                if filters.admit(event.change, event.euicc):
                    yield wire(str(position), event.type, event.structured())
            if not found and not await either(news, call.closing, within=HEARTBEAT):
                yield _HEARTBEAT
    finally:
        forget()


def _read(engine: Engine, position: int) -> list[Event]:
    """Return the next events; none while the journal is unreadable, because its recovery wakes the stream."""
    try:
        return engine.events.after(position, limit=AT_ONCE)
    except LpadError as error:
        log.debug("cannot read events: %s", error)
        return []


def wire(id_: str, type_: str, data: bytes) -> bytes:
    """Return one Server-Sent Event."""
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (id_.encode(), type_.encode(), data)


def _lost(position: int, count: int) -> bytes:
    return wire(str(position), "lost", msgspec.json.encode({"count": count}))
