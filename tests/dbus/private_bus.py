"""A message bus of a test's own, and programs on it that answer as the test defines."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE = 60.0
"""Seconds for which a test waits at most, which suffice even on a slow machine."""


@contextmanager
def private_bus(folder: Path) -> Iterator[str]:
    """Run a message bus for the test, and yield its address."""
    process = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address=1", f"--address=unix:path={folder}/bus"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate()


class ScriptedService:
    """A program on the bus, in a thread of its own; a function of the test gives its answers."""

    def __init__(self, address: str, name: str, answer: Callable[[Message], Message | None]) -> None:
        """Connect to the bus, and take a name.

        Args:
            address: the bus's address.
            name: the name under which others find the program.
            answer: called with each method call in the service's thread; None leaves it unanswered.
        """
        self._answer = answer
        self._heard: dict[str, Callable[[Message], None]] = {}
        self._loop = asyncio.new_event_loop()
        self.calls: list[Message] = []
        """Every call, oldest first."""
        self._thread = threading.Thread(target=self._run, name="scripted service", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._begin(address, name), self._loop).result(PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Leave the bus; leaving twice does nothing."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)

    def send(self, *messages: Message) -> None:
        """Send signals, in order."""
        self.do(lambda: [self._bus.send(message) for message in messages])

    def hear(self, sender: str, member: str, then: Callable[[Message], None]) -> None:
        """Subscribe to the signals of a name; the service's thread passes them to `then`."""

        async def asked() -> None:
            rule = f"type='signal',sender='{sender}',member='{member}'"
            dbus = "org.freedesktop.DBus"
            path = "/org/freedesktop/DBus"
            call = Message(dbus, path, dbus, "AddMatch", signature="s", body=[rule])
            await self._bus.call(call)
            self._heard[member] = then

        asyncio.run_coroutine_threadsafe(asked(), self._loop).result(PATIENCE)

    def do(self, what: Callable[[], object]) -> None:
        """Run a function in the service's thread, and wait until it returns."""

        async def asked() -> None:
            what()

        asyncio.run_coroutine_threadsafe(asked(), self._loop).result(PATIENCE)

    async def _begin(self, address: str, name: str) -> None:
        self._bus = await MessageBus(bus_address=address).connect()
        self._bus.add_message_handler(self._handle)
        await self._bus.request_name(name)

    def _handle(self, message: Message) -> Message | bool | None:
        if message.message_type is not MessageType.METHOD_CALL:
            if message.message_type is MessageType.SIGNAL and message.member in self._heard:
                self._heard[message.member](message)
            return None
        self.calls.append(message)
        answer = self._answer(message)
        # True means that the call was handled, and that nothing else is sent.
        return True if answer is None else answer

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        if self._bus.connected:
            self._bus.disconnect()
            await asyncio.sleep(0)
