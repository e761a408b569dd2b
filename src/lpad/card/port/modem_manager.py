"""ModemManager, which claims every modem, asked over D-Bus to let one go. The one home of dbus-fast.

InhibitDevice makes it close a modem's ports and forget the modem, until it is told otherwise or the
connection on which it was asked is gone. So a modem is handed back even when lpad is killed.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib.util
import logging
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from lpad.base.errors import CardBusy

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

    from lpad.base.deadline import Deadline

_log = logging.getLogger(__name__)

_NAME = "org.freedesktop.ModemManager1"
_PATH = "/org/freedesktop/ModemManager1"
_MODEM = "org.freedesktop.ModemManager1.Modem"
_OBJECTS = "org.freedesktop.DBus.ObjectManager"
_DBUS = "org.freedesktop.DBus"
_NOT_PERMITTED = (
    "org.freedesktop.ModemManager1.Error.Core.Unauthorized",
    "org.freedesktop.DBus.Error.AccessDenied",
)
_GONE = (
    "org.freedesktop.DBus.Error.ServiceUnknown",
    "org.freedesktop.DBus.Error.NameHasNoOwner",
    "org.freedesktop.DBus.Error.NoReply",
)
_SYSTEM_BUS = "unix:path=/var/run/dbus/system_bus_socket"
_ENDING = 5.0
"""Seconds for the thread to end; nothing in it waits for anybody by then."""

_T = TypeVar("_T")


class _Refused(Exception):
    """The bus or ModemManager answered with an error."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


def can_ask() -> bool:
    """Tell whether there are dbus-fast and a system bus, without the cost of loading the former."""
    address = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS", _SYSTEM_BUS)
    path = address.partition(",")[0].removeprefix("unix:path=")
    no_bus = path.startswith("/") and not os.path.exists(path)  # noqa: PTH110 - a path in text
    return not no_bus and importlib.util.find_spec("dbus_fast") is not None


class Inhibition:
    """ModemManager keeps off one modem for as long as this is not ended.

    It may also come later than lpad, or start anew: then it is told as soon as it shows the modem.
    """

    def __init__(self, port: str, *, deadline: Deadline) -> None:
        """Have the modem let go that has a port; without ModemManager there is nothing to do.

        Args:
            port: the modem's, such as /dev/serial/by-id/usb-Quectel_EG25-G-if02-port0.
            deadline: for ModemManager's answer; it may have to end a connection first.

        Raises:
            CardBusy: ModemManager says no, or nothing.
        """
        self._port = port
        self._device = os.path.realpath(port).removeprefix("/dev/")
        self._uid: str | None = None
        self._bus: MessageBus | None = None
        self._again: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="modem-manager", daemon=True)
        self._thread.start()
        try:
            self._wait_for(self._begin(), deadline=deadline)
        except _Refused as refusal:
            self.end()
            raise self._no(refusal) from refusal
        except BaseException:
            self.end()
            raise

    @property
    def reaches_bus(self) -> bool:
        """Whether there is a bus, still."""
        return self._bus is not None and self._bus.connected

    @property
    def holds(self) -> bool:
        """Whether ModemManager was told to keep off; not where it is not there, or knows no modem here."""
        return self._uid is not None

    def end(self) -> None:
        """Hand the modem back: ModemManager lifts the inhibition when the connection is closed."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_ENDING)

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

    def _wait_for(self, work: Coroutine[Any, Any, _T], *, deadline: Deadline) -> _T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(deadline.remaining())
        except concurrent.futures.TimeoutError as error:
            future.cancel()
            raise CardBusy(
                f"borrowing {self._port} from ModemManager: it did not answer in time; it may be ending a"
                " connection: try again, or restart it"
            ) from error

    async def _begin(self) -> None:
        """Connect, watch and ask; without a bus there is nobody to ask."""
        from dbus_fast import BusType  # noqa: PLC0415 - an optional dependency, and time to import it
        from dbus_fast.aio import MessageBus  # noqa: PLC0415 - likewise
        from dbus_fast.errors import AuthError, InvalidAddressError  # noqa: PLC0415 - likewise

        try:
            self._bus = MessageBus(bus_type=BusType.SYSTEM)
            await self._bus.connect()
        except (OSError, EOFError, AuthError, InvalidAddressError) as error:
            _log.debug("no system bus, so no ModemManager is asked for %s: %s", self._port, error)
            return
        self._bus.add_message_handler(self._hear)
        for rule in (
            f"type='signal',sender='{_DBUS}',member='NameOwnerChanged',arg0='{_NAME}'",
            f"type='signal',sender='{_NAME}',interface='{_OBJECTS}',member='InterfacesAdded'",
        ):
            await self._ask_bus("AddMatch", rule)
        # Asked first, since a call to a name without owner may start its service.
        if (await self._ask_bus("NameHasOwner", _NAME))[0]:
            await self._find()

    async def _find(self) -> None:
        """Look for the modem among those that ModemManager has, and inhibit it."""
        objects = (await self._call("GetManagedObjects", interface=_OBJECTS))[0]
        for interfaces in objects.values():
            uid = self._uid_of(interfaces)
            if uid is not None:
                await self._inhibit(uid)
                return
        _log.debug("ModemManager has no modem with the port %s", self._port)

    async def _inhibit(self, uid: str) -> None:
        await self._call("InhibitDevice", "sb", [uid, True])
        self._uid = uid
        _log.info("%s: borrowed from ModemManager", self._port)

    def _uid_of(self, interfaces: dict[str, dict[str, Any]]) -> str | None:
        modem = interfaces.get(_MODEM, {})
        if "Device" not in modem or "Ports" not in modem:
            return None
        uid = str(modem["Device"].value)
        ports = [str(name) for name, _ in modem["Ports"].value]
        return uid if self._device in ports or uid == self._uid else None

    def _hear(self, message: Message) -> None:
        """Take a signal: ModemManager is there, anew, or shows a modem. Whoever starts anew knows nothing."""
        if message.member == "NameOwnerChanged" and message.body[2] and self._uid is not None:
            self._soon(self._uid)
        elif message.member == "InterfacesAdded" and message.interface == _OBJECTS:
            uid = self._uid_of(message.body[1])
            if uid is not None:
                self._soon(uid)

    def _soon(self, uid: str) -> None:
        task = self._loop.create_task(self._inhibit_again(uid))
        self._again.add(task)
        task.add_done_callback(self._again.discard)

    async def _inhibit_again(self, uid: str) -> None:
        try:
            await self._inhibit(uid)
        except _Refused as refusal:
            # Not found: it has just started and comes to the modem later.
            _log.info("%s: ModemManager: %s", self._port, refusal)

    async def _ask_bus(self, member: str, argument: str) -> list[Any]:
        return await self._call(
            member, "s", [argument], to=_DBUS, path="/org/freedesktop/DBus", interface=_DBUS
        )

    async def _call(
        self,
        member: str,
        signature: str = "",
        body: Sequence[Any] = (),
        *,
        to: str = _NAME,
        path: str = _PATH,
        interface: str = _NAME,
    ) -> list[Any]:
        from dbus_fast import Message, MessageType  # noqa: PLC0415 - see _begin

        assert self._bus is not None
        asked = Message(
            destination=to,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=list(body),
        )
        with suppress(EOFError, OSError):
            answer = await self._bus.call(asked)
            if answer.message_type is MessageType.METHOD_RETURN:
                return list(answer.body)
            raise _Refused(answer.error_name or "", " ".join(map(str, answer.body[:1])))
        raise _Refused("", "the bus is gone")

    def _no(self, refusal: _Refused) -> CardBusy:
        attempted = f"borrowing {self._port} from ModemManager: it refuses"
        if refusal.name in _NOT_PERMITTED:
            return CardBusy(
                f"{attempted} lpad's user ({refusal}); allow that user the polkit action"
                " org.freedesktop.ModemManager1.Control, as config/polkit/50-lpad.rules does, or tell"
                " ModemManager to keep off the port by a udev rule that sets ID_MM_PORT_IGNORE=1",
                retryable=False,
            )
        again = " and may have gone; try again" if refusal.name in _GONE else ""
        return CardBusy(
            f"{attempted} ({refusal}){again}; if this stays so, see whether another program has inhibited the"
            " modem, or tell ModemManager to keep off the port by a udev rule that sets ID_MM_PORT_IGNORE=1"
        )
