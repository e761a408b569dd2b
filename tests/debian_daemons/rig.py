"""Debian's own ModemManager and NetworkManager with a simulated modem, on a private bus.

Nothing of the machine is touched: NetworkManager runs in namespaces of its own for network, mounts and
the host's name, and all state is in a temporary folder. Only root can start the rig.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from debian_daemons.modem_front import ModemFront
from lpad.base.deadline import Deadline
from lpad.base.identifiers import Iccid
from lpad.dbus.bus import Bus
from lpad.dbus.call_failures import BusRefused
from lpad.dbus.calls_and_signals import Call
from lpad.dbus.modem_inhibition import inhibit
from lpad.dbus.typed_properties import Properties
from lpad.simulator.modem.pty_modem import PtyModem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODEM_MANAGER = "org.freedesktop.ModemManager1"
NETWORK_MANAGER = "org.freedesktop.NetworkManager"
MODEM = f"{MODEM_MANAGER}.Modem"
SIM = f"{MODEM_MANAGER}.Sim"
REGISTERED, CONNECTING = 8, 10
"""Values of MMModemState."""
UID = "/virtual/rig"
"""ModemManager's name of the modem's device."""
PATIENCE = 60.0
_TAIL = 8000
"""Characters of a log that a failed test shows."""

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={folder}/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/>
    <allow send_type="method_call"/><allow send_destination="*"/>
    <allow receive_sender="*"/><allow send_requested_reply="true"/>
  </policy>
</busconfig>
"""
_NETWORK_MANAGER = """[main]
plugins=keyfile
dns=none
rc-manager=unmanaged
hostname-mode=none
no-auto-default=*
auth-polkit=false
dhcp=internal
[keyfile]
path={folder}/connections
[logging]
level=DEBUG
"""
_MOUNTS = "mount -t tmpfs tmpfs /run; mkdir /run/NetworkManager; mount -t tmpfs tmpfs /var/lib/NetworkManager"


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for a condition that no signal reports."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"waited {PATIENCE:.0f} s for {what}"
        threading.Event().wait(0.05)


def soon() -> Deadline:
    return Deadline.after(PATIENCE)


class IccidCard:
    """A card with only an ICCID, which a test may change as a profile switch does."""

    def __init__(self, iccid: str) -> None:
        self.iccid = iccid

    def transmit(self, apdu: bytes) -> bytes:
        """Return the answer to a command by which a modem reads the ICCID."""
        if apdu[:4] == bytes.fromhex("00B00000"):
            return bytes(Iccid.parse(self.iccid)) + b"\x90\x00"
        return b"\x90\x00" if apdu[1] == 0xA4 else b"\x6d\x00"

    def reset(self) -> bytes:
        """Return the ATR."""
        return bytes.fromhex("3B9F96801FC78031E073FE211B63")


class Rig:
    """A rig of both daemons and a modem; a context manager that stops them."""

    def __init__(self, iccid: str, *, modem: PtyModem | None = None) -> None:
        """Create a rig; entering its context starts the daemons.

        Args:
            iccid: the ICCID of the profile that is enabled at first.
            modem: a simulated modem with a card; None: the rig makes one with `IccidCard`.
        """
        self.card = IccidCard(iccid)
        self._modem = modem
        self._ends = ExitStack()
        self.folder = Path(self._ends.enter_context(tempfile.TemporaryDirectory(prefix="lpad-rig-")))
        self.folder.chmod(0o711)  # polkitd runs as a user of its own
        self.address = f"unix:path={self.folder}/bus"
        self.connections = self.folder / "connections"
        self.connections.mkdir()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def _start(self) -> None:
        (self.folder / "bus.conf").write_text(BUS.format(folder=self.folder), encoding="ascii")
        self._run("dbus-daemon", f"--config-file={self.folder}/bus.conf", "--nofork", "--nopidfile")
        until(self._bus_listens, "the bus")
        (self.folder / "bus").chmod(0o777)
        modem = self._modem or self._ends.enter_context(PtyModem(self.card))
        name = f"lpad-{os.getpid()}-{secrets.token_hex(4)}"
        self.front = self._ends.enter_context(ModemFront(name, modem))
        self._run("/usr/lib/polkit-1/polkitd", "--no-debug")
        self._run("ModemManager", "--test-session", "--test-no-udev", "--test-enable", "--debug")
        self.bus = self._ends.enter_context(Bus(deadline=soon()))
        self._wait_for_name(MODEM_MANAGER)
        self._call(f"{MODEM_MANAGER}.Test", "SetProfile", "ssas", "rig", "generic", [self.front.name])

    def _bus_listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.folder / "bus")) == 0

    def start_network_manager(self) -> None:
        """Start NetworkManager; connections are written before, or added over D-Bus later."""
        config = self.folder / "NetworkManager.conf"
        config.write_text(_NETWORK_MANAGER.format(folder=self.folder), encoding="ascii")
        nowhere = self.folder / "nowhere"
        isolated = ("unshare", "--net", "--mount", "--uts", "sh", "-ec", f'{_MOUNTS}; exec "$@"', "sh")
        folders = (f"--config-dir={nowhere}", f"--system-config-dir={nowhere}", f"--intern-config={nowhere}")
        files = (f"--config={config}", f"--state-file={self.folder}/state", f"--pid-file={self.folder}/pid")
        self._run(*isolated, "NetworkManager", "--debug", *folders, *files)
        self._wait_for_name(NETWORK_MANAGER)
        until(self._network_manager_answers, "NetworkManager's objects")

    def keyfile(self, name: str, **sections: dict[str, str]) -> None:
        """Write a connection as the owner of a gateway does, before NetworkManager starts."""
        lines = [
            line
            for section, values in sections.items()
            for line in (f"[{section}]", *(f"{key}={value}" for key, value in values.items()))
        ]
        path = self.connections / f"{name}.nmconnection"
        path.write_text("\n".join([*lines, ""]), encoding="utf-8")
        path.chmod(0o600)

    def modem_path(self) -> str:
        """Wait until ModemManager shows the modem with the card's current ICCID; return its path."""
        until(lambda: self._found() is not None, f"the modem with {self.card.iccid}")
        found = self._found()
        assert found is not None
        return found

    def settle(self) -> None:
        """Wait until ModemManager has enabled the modem and sends the card no more commands."""
        until(lambda: self.state() >= REGISTERED, "ModemManager to enable the modem")

    def state(self) -> int:
        """Return the modem's MMModemState; 0 (unknown) while there is no modem."""
        shown = self.bus.objects(MODEM_MANAGER, "/org/freedesktop/ModemManager1", deadline=soon()).values()
        return max((each[MODEM].number("State") or 0 for each in shown if MODEM in each), default=0)

    def managed(self) -> bool | None:
        """Return whether NetworkManager manages the modem, or None if it has no device for the modem."""
        path = "/org/freedesktop/NetworkManager"
        for device in self.bus.properties(NETWORK_MANAGER, path, NETWORK_MANAGER, deadline=soon()).paths(
            "AllDevices"
        ):
            shown = self.bus.properties(NETWORK_MANAGER, device, f"{NETWORK_MANAGER}.Device", deadline=soon())
            if shown.text("Udi") == self.modem_path():
                return shown.flag("Managed")
        return None

    def switch(self, iccid: str) -> None:
        """Have another profile enabled, as lpad does, while ModemManager is inhibited."""
        with self.inhibited():
            self.card.iccid = iccid

    @contextmanager
    def inhibited(self) -> Iterator[None]:
        """Have ModemManager release the modem until the context ends."""
        with Bus(deadline=soon()) as bus:
            inhibit(bus, self.modem_path(), UID, deadline=soon())
            yield

    def log(self, program: str) -> str:
        """Return the whole log of a program."""
        return (self.folder / f"{program}.log").read_text(encoding="utf-8", errors="replace")

    def said(self) -> list[tuple[str, str]]:
        """Return the end of each program's log, and ModemManager's commands to the modem."""
        logs = [(path.name, self.log(path.stem)[-_TAIL:]) for path in sorted(self.folder.glob("*.log"))]
        return [*logs, ("AT commands", "\n".join(self.front.received[-60:]))]

    def _network_manager_answers(self) -> bool:
        """Return whether NetworkManager answers calls, which it does some time after it takes its name."""
        path = "/org/freedesktop/NetworkManager"
        with suppress(BusRefused):
            return "Version" in self.bus.properties(NETWORK_MANAGER, path, NETWORK_MANAGER, deadline=soon())
        return False

    def _found(self) -> str | None:
        objects = self.bus.objects(MODEM_MANAGER, "/org/freedesktop/ModemManager1", deadline=soon())
        for path, interfaces in objects.items():
            sim = interfaces.get(MODEM, Properties()).path("Sim")
            try:
                read = sim and self.bus.properties(MODEM_MANAGER, sim, SIM, deadline=soon())
            except BusRefused:
                continue
            if read and read.text("SimIdentifier") == self.card.iccid:
                return path
        return None

    def _call(self, interface: str, member: str, signature: str, *body: object) -> None:
        call = Call(
            to=MODEM_MANAGER,
            path="/org/freedesktop/ModemManager1",
            interface=interface,
            member=member,
            signature=signature,
            body=body,
        )
        self.bus.call(call, deadline=soon())

    def _wait_for_name(self, name: str) -> None:
        until(lambda: self.bus.has_owner(name, deadline=soon()), name)

    def _run(self, *command: str) -> None:
        program = "NetworkManager" if "unshare" in command else Path(command[0]).name
        log = self._ends.enter_context((self.folder / f"{program}.log").open("wb"))
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ
            | {"DBUS_SYSTEM_BUS_ADDRESS": self.address, "DBUS_SESSION_BUS_ADDRESS": self.address},
        )
        self._ends.callback(_end, process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(PATIENCE)
