"""ModemManager as far as lpad sees it, on a private bus.

Run as a program it is a process named ModemManager that has modems' ports open, as the real one has:
`python modem_manager_double.py ADDRESS [--refuse ERROR TEXT] UID=PORT…`. It prints a line for each of
its actions.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

import serial
from dbus_fast import Message, MessageType, RequestNameReply, Variant
from dbus_fast.aio import MessageBus

NAME = "org.freedesktop.ModemManager1"
PATH = "/org/freedesktop/ModemManager1"
MODEM = "org.freedesktop.ModemManager1.Modem"
OBJECTS = "org.freedesktop.DBus.ObjectManager"
PROPERTIES = "org.freedesktop.DBus.Properties"
REGISTERED, CONNECTING = 8, 10
"""Values of MMModemState."""
UID = "/sys/devices/platform/usb1/1-1"
PATIENCE = 60.0
"""Seconds for which a test waits at most, which suffice even on a slow machine."""


HUGE = "x" * 1_000_000
ODD_MODEMS: dict[str, dict[str, Variant]] = {
    "no properties": {},
    "no Device": {"Ports": Variant("a(su)", [["ttyX", 3]])},
    "Device is a number": {"Device": Variant("u", 7)},
    "Device is huge": {"Device": Variant("s", HUGE), "Ports": Variant("a(su)", [[HUGE, 3]])},
    "no Ports": {"Device": Variant("s", "/sys/odd")},
    "Ports is a text": {"Device": Variant("s", "/sys/odd"), "Ports": Variant("s", "ttyX")},
    "Ports is a list of texts": {"Device": Variant("s", "/sys/odd"), "Ports": Variant("as", ["ttyX"])},
    "Ports is a list of numbers": {"Device": Variant("s", "/sys/odd"), "Ports": Variant("a(uu)", [[1, 2]])},
    "Ports is empty": {"Device": Variant("s", "/sys/odd"), "Ports": Variant("a(su)", [])},
}
"""Modems that ModemManager shows before the one with the port."""
ODD_ANSWERS: dict[str, tuple[str, list[Any]]] = {
    "nothing": ("", []),
    "a number": ("u", [7]),
    "a huge text": ("s", [HUGE]),
    "objects of texts": ("a{os}", [{f"{PATH}/Modem/0": "x"}]),
    "interfaces of texts": ("a{oa{ss}}", [{f"{PATH}/Modem/0": {MODEM: "x"}}]),
}
"""The answer that replaces the double's list of objects."""


class Service:
    """The answers of the ModemManager double on the bus."""

    def __init__(
        self,
        modems: dict[str, str],
        refusal: tuple[str, str] | None,
        odd: str | None = None,
        refusals: int = -1,
        state: int = REGISTERED,
    ) -> None:
        self.state = state
        self.modems = modems
        self.refusal = refusal
        self.refusals = refusals
        self.odd = odd
        self.bus: MessageBus
        self.ports: dict[str, serial.Serial] = {}
        self.inhibited: dict[str, str] = {}

    async def run(self, address: str) -> None:
        self.bus = await MessageBus(bus_address=address).connect()
        self.bus.add_message_handler(self.handle)
        rule = "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged'"
        await self.bus.call(
            Message(
                destination="org.freedesktop.DBus",
                path="/org/freedesktop/DBus",
                interface="org.freedesktop.DBus",
                member="AddMatch",
                signature="s",
                body=[rule],
            )
        )
        reply = await self.bus.request_name(NAME)
        assert reply is RequestNameReply.PRIMARY_OWNER
        # Like the real ModemManager, the double takes its name first, and shows each modem after probing it.
        for uid in self.modems:
            self.take(uid)
        print("ready", flush=True)
        await asyncio.Event().wait()

    def take(self, uid: str) -> None:
        """Open a modem's port and show the modem on the bus."""
        self.ports[uid] = serial.Serial(self.modems[uid], exclusive=True)
        print(f"took {uid}", flush=True)
        body = [self.path_of(uid), self.interfaces(uid)]
        self.bus.send(Message.new_signal(PATH, OBJECTS, "InterfacesAdded", "oa{sa{sv}}", body))

    def path_of(self, uid: str) -> str:
        return f"{PATH}/Modem/{list(self.modems).index(uid)}"

    def interfaces(self, uid: str) -> dict[str, Any]:
        device = os.path.realpath(self.modems[uid]).removeprefix("/dev/")
        ports = Variant("a(su)", [["wwan0", 2], [device, 3]])
        return {MODEM: {"Device": Variant("s", uid), "Ports": ports, "State": Variant("i", self.state)}}

    def handle(self, message: Message) -> Message | None:
        if message.member == "GetManagedObjects":
            if self.odd in ODD_ANSWERS:
                return Message.new_method_return(message, *ODD_ANSWERS[self.odd])
            shown: dict[str, Any] = {}
            if self.odd in ODD_MODEMS:
                shown[f"{PATH}/Modem/odd"] = {MODEM: ODD_MODEMS[self.odd]}
            shown |= {self.path_of(uid): self.interfaces(uid) for uid in self.ports}
            return Message.new_method_return(message, "a{oa{sa{sv}}}", [shown])
        if message.member == "InhibitDevice":
            return self.inhibit(message)
        if message.interface == PROPERTIES and message.member == "GetAll":
            shown = {self.path_of(uid): self.interfaces(uid)[MODEM] for uid in self.ports}
            return Message.new_method_return(message, "a{sv}", [shown.get(str(message.path), {})])
        if message.member == "Disconnect":
            self.state = REGISTERED
            print("aborted", flush=True)
            return Message.new_method_return(message)
        if message.member == "NameOwnerChanged" and not message.body[2]:
            for uid in [uid for uid, owner in self.inhibited.items() if owner == message.body[0]]:
                self.lift(uid)
        return None

    def inhibit(self, message: Message) -> Message:
        uid, inhibit = message.body
        if self.refusal is not None and self.refusals != 0:
            self.refusals -= 1
            print("refused", flush=True)
            return Message.new_error(message, *self.refusal)
        if uid not in (self.ports if inhibit else self.inhibited):
            return Message.new_error(
                message, f"{NAME}.Error.Core.NotFound", f"No device found with uid '{uid}'"
            )
        if self.state == CONNECTING:
            return Message.new_error(message, f"{NAME}.Error.Core.Retry", "Too much time waiting")
        if not inhibit:
            self.lift(uid)
        else:
            assert message.sender is not None
            self.inhibited[uid] = message.sender
            self.ports.pop(uid).close()
            print(f"inhibited {uid}", flush=True)
        assert message.message_type is MessageType.METHOD_CALL
        return Message.new_method_return(message)

    def lift(self, uid: str) -> None:
        del self.inhibited[uid]
        print(f"lifted {uid}", flush=True)
        self.take(uid)


class ModemManagerDouble:
    """Runs this module as a program."""

    def __init__(
        self,
        address: str,
        modems: dict[str, str],
        *,
        refusal: tuple[str, str] | None = None,
        odd: str | None = None,
        refusals: int = -1,
        connecting: bool = False,
    ) -> None:
        """Start the program; with a `refusal` it refuses each inhibition, or the first `refusals` of them."""
        refuse = ["--refuse", *refusal, "--refusals", str(refusals)] if refusal else []
        refuse += ["--odd", odd] if odd else []
        refuse += ["--state", str(CONNECTING)] if connecting else []
        pairs = [f"{uid}={port}" for uid, port in modems.items()]
        self.process = subprocess.Popen(
            [sys.executable, __file__, address, *pairs, *refuse], stdout=subprocess.PIPE, text=True
        )
        self.wait_for("ready")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def wait_for(self, line: str) -> list[str]:
        """Return the program's output since the last call, up to the first line that begins with `line`."""
        assert self.process.stdout is not None
        done = []
        patience = threading.Timer(PATIENCE, self.process.kill)
        patience.start()
        for each in self.process.stdout:
            done.append(each.strip())
            if done[-1].startswith(line):
                patience.cancel()
                return done
        patience.cancel()
        raise AssertionError(f"it ended before {line!r}; it did {done}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("modems", nargs="*")
    parser.add_argument("--refuse", nargs=2)
    parser.add_argument("--refusals", type=int, default=-1)
    parser.add_argument("--state", type=int, default=REGISTERED)
    parser.add_argument("--odd", choices=[*ODD_MODEMS, *ODD_ANSWERS])
    given = parser.parse_args()
    Path("/proc/self/comm").write_text("ModemManager", encoding="utf-8")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    modems = dict(pair.split("=", 1) for pair in given.modems)
    refusal = given.refuse and tuple(given.refuse)
    asyncio.run(Service(modems, refusal, given.odd, given.refusals, given.state).run(given.address))


if __name__ == "__main__":
    main()
