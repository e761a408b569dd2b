"""The asynchronous client against the real API, over its socket."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING

import pytest

from api.gateway import Gateway
from client.async_text import TARGET, text
from engine.lab import CARD, FIRST, Lab
from lpad.client import ApiError, Client, DaemonUnreachable
from lpad.client.async_client import AsyncClient, AsyncListeners, AsyncWebhooks
from lpad.client.listeners import Listeners
from lpad.client.webhooks import Webhooks
from lpad.engine.snapshot.snapshot import CardState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAIT = 30.0


@pytest.fixture
def path(lab: Lab) -> Iterator[str]:
    with Gateway(lab) as gateway:
        lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
        yield str(gateway.path)


def test_the_file_is_fresh() -> None:
    """The file equals the text made from the synchronous client; CONTRIBUTING.md has the command."""
    assert TARGET.read_text(encoding="utf-8") == text()


@pytest.mark.parametrize(
    ("made", "source"), [(AsyncClient, Client), (AsyncWebhooks, Webhooks), (AsyncListeners, Listeners)]
)
def test_every_method_is_there_and_asynchronous(made: type, source: type) -> None:
    """The asynchronous client has every method of the synchronous one, with the same arguments."""
    names = [name for name, _ in inspect.getmembers(source, inspect.isfunction) if not name.startswith("_")]
    assert names
    for name in names:
        mine, theirs = getattr(made, name), getattr(source, name)
        assert inspect.iscoroutinefunction(mine) or inspect.isasyncgenfunction(mine), name
        assert inspect.signature(mine).parameters.keys() == inspect.signature(theirs).parameters.keys()


def test_the_life_of_a_profile(lab: Lab, path: str) -> None:
    """Requests are awaited, even several at a time, and a change is followed to its end."""

    async def live() -> None:
        async with AsyncClient(path) as client:
            system, euiccs, ports = await asyncio.gather(client.system(), client.euiccs(), client.ports())
            assert (system.health.cards_ready, [each.name for each in euiccs]) == (1, [CARD])
            assert ports.serial is not None
            change = await client.download(CARD, activation_code=lab.code(lab.order()))
            seen = [event async for event in client.follow(change.id)]
            assert seen[-1].change.check().result is not None
            assert "progress" in {event.type for event in seen}
            (await client.enable(CARD, FIRST, wait=WAIT)).check()
            (profile,) = await client.profiles(CARD)
            assert (profile.iccid, profile.state) == (FIRST, "enabled")
            page = await client.changes(limit=1)
            assert (len(page), page.next) == (1, 2)
            assert await client.webhooks.all() == []
            assert await client.listeners.all() == []
            assert b'"profiles"' in await client.request("GET", "/v1/euiccs/{}/profiles", CARD)

    asyncio.run(live())


def test_errors_are_those_of_the_synchronous_client(tmp_path: Path, path: str) -> None:
    """A refusal raises ApiError with kind and status, and a missing daemon raises DaemonUnreachable."""

    async def fail() -> None:
        async with AsyncClient(path) as client:
            with pytest.raises(ApiError) as raised:
                await client.change(99)
            assert (raised.value.kind, raised.value.status) == ("not-found", 404)
        async with AsyncClient(str(tmp_path / "none")) as client:
            with pytest.raises(DaemonUnreachable):
                await client.system()

    asyncio.run(fail())


def test_a_cancelled_wait_leaves_the_client_usable(path: str) -> None:
    """A task that is cancelled closes its connection; the next request opens another."""

    async def wait() -> None:
        async with AsyncClient(path) as client:
            change = await client.refresh(CARD, wait=WAIT)
            heard = asyncio.Event()

            async def listen() -> None:
                async for event in client.events():
                    assert event.type == "listening"
                    heard.set()

            listening = asyncio.create_task(listen())
            await asyncio.wait_for(heard.wait(), WAIT)
            listening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await listening
            assert (await client.change(change.id)).state == "done"

    asyncio.run(wait())


def test_a_stopped_daemon_ends_the_stream(lab: Lab) -> None:
    """If the daemon stops, the error from `follow` states that lpad will report the outcome later."""

    async def follow(gateway: Gateway) -> None:
        code = lab.code(lab.order(confirmation_code="code-1234"))
        async with AsyncClient(str(gateway.path)) as client:
            change = await client.download(CARD, activation_code=code)

            async def to_the_end() -> None:
                async for event in client.follow(change.id):
                    if event.type == "change" and event.change.question is not None:
                        await asyncio.to_thread(gateway.server.stop)

            with pytest.raises(DaemonUnreachable, match=f"outcome of change {change.id}"):
                await to_the_end()

    with Gateway(lab) as gateway:
        lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
        asyncio.run(follow(gateway))
