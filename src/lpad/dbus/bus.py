"""A connection to the system bus whose calls block. The only module that imports dbus-fast.

The connection has its own thread. Calls from any thread wait for their answer; listeners receive signals in
the connection's thread, where they may begin a call but must not wait for one.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib.util
import logging
import os
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from lpad.dbus.call_failures import BusError, BusRefused, BusUnanswered, BusUnreachable
from lpad.dbus.calls_and_signals import DBUS, OBJECT_MANAGER, PROPERTIES, Call, Signal
from lpad.dbus.typed_properties import Properties, of_objects
from lpad.dbus.variant import Variant

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

    from lpad.base.deadline import Deadline
    from lpad.dbus.calls_and_signals import Rule

_log = logging.getLogger(__name__)

_SYSTEM_BUS = "unix:path=/var/run/dbus/system_bus_socket"
_ENDING = 5.0
"""Seconds to wait for the end of the connection's thread, which itself waits for no other program."""

_T = TypeVar("_T")
_Answer = tuple[Any, ...]


def can_ask() -> bool:
    """Return whether dbus-fast and a system bus exist, without the cost of loading dbus-fast."""
    address = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS", _SYSTEM_BUS)
    path = address.partition(",")[0].removeprefix("unix:path=")
    no_bus = path.startswith("/") and not Path(path).exists()
    return not no_bus and importlib.util.find_spec("dbus_fast") is not None


class Bus:
    """One connection to the system bus; a context manager that closes it at the end.

    Requests that last as long as the requesting program is connected, such as an inhibition, end with
    `close`. Methods with a deadline raise the same errors as `call`.
    """

    def __init__(self, *, deadline: Deadline, lost: Callable[[], None] | None = None) -> None:
        """Connect to the system bus, at DBUS_SYSTEM_BUS_ADDRESS if this environment variable is set.

        Args:
            deadline: for connecting.
            lost: called in the connection's thread if the bus ends the connection.

        Raises:
            BusUnreachable: there is no bus, the bus refuses lpad's user, or dbus-fast is missing.
            BusUnanswered: the bus did not answer in time.
            Cancelled: see `Deadline`.
        """
        if importlib.util.find_spec("dbus_fast") is None:
            raise BusUnreachable("dbus-fast is missing (pip install 'lpad[modemmanager]')", for_good=True)
        self._bus: MessageBus | None = None
        self._listeners: list[tuple[Rule, Callable[[Signal], None]]] = []
        self._begun: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._closed = False
        self._lost = lost
        self._thread = threading.Thread(target=self._run, name="dbus", daemon=True)
        self._thread.start()
        try:
            self._wait_for(self._connect(), deadline=deadline)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def connected(self) -> bool:
        """Whether the bus can still be used."""
        return not self._closed and self._bus is not None and self._bus.connected

    def close(self) -> None:
        """Close the connection; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_ENDING)

    def call(self, call: Call, *, deadline: Deadline) -> tuple[Any, ...]:
        """Call a method and wait for the answer; a listener must not do this.

        Returns:
            The answer's values. The caller must check the number and types of the values.

        Raises:
            BusRefused: the answer is an error.
            BusUnanswered: there was no answer in time; the request may still be carried out.
            BusUnreachable: the connection to the bus was lost.
            Cancelled: see `Deadline`.
        """
        return self._wait_for(self._ask(call), deadline=deadline)

    def begin(self, call: Call, then: Callable[[BusError | None], None]) -> None:
        """Call a method without waiting for the answer; allowed in every thread, even in a listener.

        Args:
            then: called in the connection's thread once there is an answer; gets its error, or None.
        """
        with suppress(RuntimeError):  # the connection was just closed, so nothing waits for an answer
            self._loop.call_soon_threadsafe(self._begin, call, then)

    def listen(self, rule: Rule, hear: Callable[[Signal], None], *, deadline: Deadline) -> None:
        """Pass the signals that match a rule to a listener, as long as this object is connected."""
        self._listeners.append((rule, hear))
        self._ask_bus("AddMatch", str(rule), deadline=deadline)

    def has_owner(self, name: str, *, deadline: Deadline) -> bool:
        """Return whether a program has this name on the bus; calling a missing program may start it."""
        return self._ask_bus("NameHasOwner", name, deadline=deadline)[:1] == (True,)

    def properties(self, to: str, path: str, interface: str, *, deadline: Deadline) -> Properties:
        """Return the properties of one interface of an object."""
        answer = self.call(
            Call(
                to=to,
                path=path,
                interface=PROPERTIES,
                member="GetAll",
                signature="s",
                body=(interface,),
            ),
            deadline=deadline,
        )
        return Properties(answer[0] if answer else None)

    def objects(self, to: str, path: str, *, deadline: Deadline) -> dict[str, dict[str, Properties]]:
        """Return all objects of a program, with their properties by interface."""
        answer = self.call(
            Call(to=to, path=path, interface=OBJECT_MANAGER, member="GetManagedObjects"), deadline=deadline
        )
        return of_objects(answer[0] if answer else None)

    def _ask_bus(self, member: str, argument: str, *, deadline: Deadline) -> tuple[Any, ...]:
        return self.call(
            Call(
                to=DBUS,
                path="/org/freedesktop/DBus",
                interface=DBUS,
                member=member,
                signature="s",
                body=(argument,),
            ),
            deadline=deadline,
        )

    def _wait_for(self, work: Coroutine[Any, Any, _T], *, deadline: Deadline) -> _T:
        if self._closed:
            work.close()
            raise BusUnreachable("the connection to the bus is closed")
        try:
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError as error:  # another thread has just closed the connection
            work.close()
            raise BusUnreachable("the connection to the bus was closed") from error

        def give_up() -> None:
            future.cancel()

        with ExitStack() as stack:
            if deadline.cancellation is not None:
                stack.enter_context(deadline.cancellation.waking(give_up))
            try:
                return future.result(deadline.remaining())
            except concurrent.futures.CancelledError as error:
                deadline.check()
                raise BusUnreachable("the connection to the bus was closed") from error
            except concurrent.futures.TimeoutError as error:
                future.cancel()
                raise BusUnanswered("no answer in time") from error

    # The following methods run in the connection's thread.

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._finish())
            self._loop.close()

    async def _finish(self) -> None:
        if self._bus is not None:
            self._bus.remove_message_handler(self._hear)
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        if self._bus is not None and self._bus.connected:
            self._bus.disconnect()
            await asyncio.sleep(0)

    async def _connect(self) -> None:
        from dbus_fast import BusType  # noqa: PLC0415 - an optional dependency, and time to import it
        from dbus_fast.aio import MessageBus  # noqa: PLC0415 - an optional dependency
        from dbus_fast.errors import AuthError, InvalidAddressError  # noqa: PLC0415 - an optional dependency

        try:
            self._bus = MessageBus(bus_type=BusType.SYSTEM)
            await self._bus.connect()
        except (OSError, EOFError, AuthError, InvalidAddressError) as error:
            raise BusUnreachable(f"there is no system bus ({error})") from error
        self._bus.add_message_handler(self._hear)
        if self._lost is not None:
            task = self._loop.create_task(self._await_loss(self._bus, self._lost))
            self._begun.add(task)
            task.add_done_callback(self._begun.discard)

    async def _await_loss(self, bus: MessageBus, lost: Callable[[], None]) -> None:
        try:
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # the library has no types here
        except (EOFError, OSError) as error:
            _log.debug("the connection to the bus was lost: %s", error)
        finally:
            if not self._closed:
                lost()

    async def _ask(self, call: Call) -> _Answer:
        from dbus_fast import Message, MessageType  # noqa: PLC0415 - see _connect

        if self._bus is None or not self._bus.connected:
            raise BusUnreachable("the connection to the bus was lost")
        asked = Message(
            destination=call.to,
            path=call.path,
            interface=call.interface,
            member=call.member,
            signature=call.signature,
            body=[_outward(each) for each in call.body],
        )
        try:
            answer = await self._bus.call(asked)
        except (EOFError, OSError) as error:
            raise BusUnreachable("the connection to the bus was lost") from error
        if answer.message_type is not MessageType.METHOD_RETURN:
            raise BusRefused(answer.error_name or "", " ".join(map(str, answer.body[:1])))
        return tuple(_inward(each) for each in answer.body)

    def _begin(self, call: Call, then: Callable[[BusError | None], None]) -> None:
        task = self._loop.create_task(self._ask_and_tell(call, then))
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)

    async def _ask_and_tell(self, call: Call, then: Callable[[BusError | None], None]) -> None:
        error: BusError | None = None
        try:
            await self._ask(call)
        except BusError as caught:
            error = caught
        then(error)

    def _hear(self, message: Message) -> None:
        from dbus_fast import MessageType  # noqa: PLC0415 - see _connect

        if message.message_type is not MessageType.SIGNAL:
            return
        body = tuple(_inward(each) for each in message.body)
        signal = Signal(message.path or "", message.interface or "", message.member or "", body)
        for rule, hear in tuple(self._listeners):
            if rule.takes(signal):
                try:
                    hear(signal)
                except Exception:  # noqa: BLE001 - one odd signal must not end the connection
                    _log.exception("cannot handle the signal %s.%s", signal.interface, signal.member)


def _inward(value: Any) -> Any:
    """Convert the library's variants to lpad's."""
    from dbus_fast import Variant as Foreign  # noqa: PLC0415 - see Bus._connect

    if isinstance(value, Foreign):
        return Variant(value.signature, _inward(value.value))
    if isinstance(value, dict):
        return {_inward(key): _inward(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_inward(each) for each in value]
    return value


def _outward(value: Any) -> Any:
    """Convert lpad's variants to the library's."""
    from dbus_fast import Variant as Foreign  # noqa: PLC0415 - see Bus._connect

    if isinstance(value, Variant):
        return Foreign(value.signature, _outward(value.value))
    if isinstance(value, dict):
        return {_outward(key): _outward(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_outward(each) for each in value]
    return value
