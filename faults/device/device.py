"""A device that can be cut off: the daemon as a process, its modem and card, a server and a network."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Self

from dbus.private_bus import private_bus
from faults.device.forked_daemons import daemon_forks
from faults.device.network_relay import Network
from faults.device.step_counter import Peer, StepCounter
from faults.device.watched_control_ports import WatchedMbimModem, WatchedQmiModem
from faults.device.watched_daemon import UEVENTS
from faults.device.watched_disk import COMMITTING, SIZE, Action, Disk
from faults.device.watched_peers import WatchedCard, WatchedGateway, WatchedModem, WatchedServer
from faults.device.watched_platform import Shelf, WatchedPlatform
from faults.device.watched_runner import running
from faults.device.webhook_receiver import SECRET, WebhookReceiver
from faults.injected.cut_kinds import Counted, Cut, Kind, Outage
from lpad.base.identifiers import Eid, Iccid
from lpad.client import Client
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.euicc.chip.faults import CardFaults
from lpad.simulator.modem.personality import ModemPersonality, Notices
from lpad.simulator.pki.pki import Pki
from lpad.simulator.profile_package.made_up_profile import made_up_profile
from lpad.simulator.smdp.server import SGP26_NAME
from lpad.simulator.smdp.store.profile_metadata import ProfileMetadata, Recipient
from lpad.simulator.smds.server import events_of, make_smds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from faults.device.forked_daemons import Daemon
    from lpad.simulator.smdp.store.order import Order

CARD = "modem"
PATIENCE = 60.0
"""Seconds within which lpad recovers from any cut, even on a busy machine."""
_DEADLINES = {"open": 10, "read": 10, "switch": 20, "download": 6, "delivery": 2}
"""The daemon's deadlines in seconds, so short that a stalled connection ends soon."""
_RETRY_FOR = 120.0
_ACTIONS: Mapping[Kind, Action] = {
    Kind.KILL_WRITE: Action.KILL,
    Kind.TORN_WRITE: Action.TEAR,
    Kind.FLIP: Action.FLIP,
    Kind.DISK: Action.FILL,
    Kind.DISK_KILL: Action.FILL_FOR_COMMIT,
}
_UEVENT = b"change@/devices/tty\0SUBSYSTEM=tty\0"
_LAST_LINES = 40


_REPORTING = "webhook-key"
"""The file with the webhook's key, if the settings name a webhook."""
WEBHOOK = "backend"
AT_PORT = "port"
USUAL, FAST = 115_200, 921_600
"""The usual and the fast speed of a modem's line, in bits per second."""
_MODEMS: Mapping[str, type[WatchedModem | WatchedMbimModem | WatchedQmiModem]] = {
    AT_PORT: WatchedModem,
    "wwan0mbim0": WatchedMbimModem,
    "wwan0qmi0": WatchedQmiModem,
}
"""The kinds of modem by the name of their port."""
FALLBACK_PORT = "wwan0mbim0"
"""The second port of a modem with two ports."""
OVER_BUS = frozenset({"networkmanager", "modemmanager"})
"""Appliers that need NetworkManager and ModemManager."""


def apn_of(iccid: str) -> str:
    """Return the APN of a profile."""
    return f"a{iccid}"


class Late(Exception):
    """An awaited event did not happen in time."""


class Device:
    """A device in one folder, perhaps a copy of another device's folder; use it in a `with` statement."""

    def __init__(
        self,
        folder: Path,
        *,
        host: str,
        port: int,
        applier: str = "none",
        small_disk: bool = False,
        platform: str | None = None,
        hooks: bool = False,
        modem_port: str = AT_PORT,
        two_ports: bool = False,
        fast_line: bool = False,
    ) -> None:
        """Start everything except the daemon.

        Args:
            folder: the device's folder; created if missing.
            host: the loopback address that server and network listen on.
            port: the server's port, which is part of its address.
            applier: the name, as in the settings, of the applier of each profile's APN.
            small_disk: whether the state folder is on a separate small file system, which can be filled.
            platform: the kind of platform in the settings; None: no platform.
            hooks: whether the owner has hooks.
            modem_port: the name of the modem's port, which states its protocol.
            two_ports: whether the modem also has an MBIM port; then a lost port does not come back.
            fast_line: whether lpad uses a faster line to the modem.
        """
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.port = folder / modem_port
        self.host = host
        self.applier = applier
        self._fast_line = fast_line
        self.process: Daemon | None = None
        self.socket = folder / "lpad.sock"
        self.client = Client(str(self.socket))
        self._stack = ExitStack()
        with self._stack as stack:
            stack.callback(self._kill_what_runs)
            stack.callback(self.client.close)
            (folder / "state").mkdir(exist_ok=True)
            if small_disk:
                self._mount(folder / "state")
            self.disk = stack.enter_context(Disk(folder))
            pki = Pki.open(folder / "pki", minted=folder / "minted")
            faults = CardFaults()
            self.card = stack.enter_context(SoftCard(folder / "card", pki=pki, faults=faults))
            self.step_counter = StepCounter(kill=self.kill, faults=faults)
            self.slot = WatchedCard(self.card, self.step_counter)
            kind = _MODEMS[modem_port]
            kind.step_counter = WatchedGateway.step_counter = self.step_counter
            # A modem with two ports immediately notices a switch over either port.
            one = ModemPersonality(notices=Notices.AT_ONCE) if two_ports else None
            one = ModemPersonality(line_rates=(USUAL, FAST)) if fast_line else one
            self.modem = kind(self.slot, path=self.port, personality=one)
            stack.enter_context(self.modem)
            self.other_port = self._other_port(stack, one) if two_ports else None
            self.bus: str | None = None
            self.gateway: WatchedGateway | None = None
            if applier in OVER_BUS:
                self._begin_services(stack)
            self.runner = stack.enter_context(running(folder, self.step_counter)) if hooks else None
            self.server = WatchedServer(folder / "smdp", pki=pki, port=port, bind=host)
            self.server.step_counter = self.step_counter
            stack.enter_context(self.server)
            self.network = stack.enter_context(Network(host, (host, port)))
            self.smds = stack.enter_context(make_smds(folder / "smds", pki=pki, bind=host))
            self.server.peer = Peer(network=self.network, show=self.server.show, answer=lambda each: each)
            self.step_counter.peers.append(self.server.peer)
            self.platform = None if platform is None else self._platform(platform, pki, host)
            self.backend = stack.enter_context(WebhookReceiver(host))
            self.uplink = stack.enter_context(Network(host, (host, self.backend.server_port)))
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()

    def _platform(self, like: str, pki: Pki, host: str) -> WatchedPlatform:
        """Start and return a platform in front of the server, which offers the third profile."""
        server = self.server
        shelf = Shelf(server.orders, address=lambda: server.address, order=lambda eid: self.order(3, eid=eid))
        made = WatchedPlatform(like, pki=pki, shelf=shelf, bind=host)
        made.step_counter = self.step_counter
        self._stack.enter_context(made)
        network = self._stack.enter_context(Network(host, (host, made.port)))
        made.peer = Peer(network=network, show=made.shows(pki), answer=made.as_answer)
        self.step_counter.peers.append(made.peer)
        return made

    def _begin_services(self, stack: ExitStack) -> None:
        """Start simulated NetworkManager and ModemManager; ModemManager has the modem while lpad is idle."""
        self.bus = stack.enter_context(private_bus(self.folder))
        gateway = WatchedGateway(
            self.bus, iccid=self._enabled(), port=str(self.port), read_card=self._enabled
        )
        self.gateway = stack.enter_context(gateway)
        # Another thread ends the services, because the services' own threads carry out the call.
        self.step_counter.end_services = lambda: threading.Thread(target=gateway.end).start()

    def _other_port(self, stack: ExitStack, personality: ModemPersonality | None) -> WatchedMbimModem:
        WatchedMbimModem.step_counter = self.step_counter
        path = self.folder / FALLBACK_PORT
        return stack.enter_context(WatchedMbimModem(self.slot, path=path, personality=personality))

    @property
    def open_channels(self) -> tuple[int, ...]:
        """The card's open channels that lpad can close; those of a lost port need a card reset."""
        if self.other_port is None or self._port_there():
            return self.card.open_channels
        return tuple(self.other_port.function.channels.open)

    def _enabled(self) -> str | None:
        iccid = self.card.enabled_iccid
        return None if iccid is None else str(iccid)

    @property
    def apn(self) -> str:
        """The APN in force."""
        if self.gateway is None:
            assert isinstance(self.modem, WatchedModem), "the applier 'at' needs a modem with an AT port"
            return self.modem.contexts[1][1]
        return self.gateway.apn() if self.applier == "networkmanager" else self.gateway.bearer_apn()

    def _mount(self, path: Path) -> None:
        """Mount a small file system in place of the state folder, with the folder's content."""
        aside = path.with_name("state-before")
        path.rename(aside)
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "tmpfs", path], check=True)
        self._stack.callback(lambda: subprocess.run(["umount", "--lazy", path], check=True))
        shutil.copytree(aside, path, dirs_exist_ok=True)

    # The daemon.

    @property
    def log(self) -> list[str]:
        """The last lines that the daemons have logged."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]

    def start(self) -> None:
        """Start the daemon and wait until it sends READY=1.

        Raises:
            Late: the daemon does not report READY=1 in time.
        """
        notify_at = self.folder / "notify"
        notify_at.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(notify_at))
            notify.settimeout(PATIENCE)
            self.process = daemon_forks().fork(self.folder, self._settings(), notify=notify_at, bus=self.bus)
            try:
                while not notify.recv(4096).startswith(b"READY=1"):
                    pass
            except TimeoutError as error:
                raise Late("the daemon did not start") from error

    @property
    def reporting(self) -> bool:
        """Whether events go to a backend; a copy of the folder also contains the webhook's key."""
        return (self.folder / _REPORTING).exists()

    @reporting.setter
    def reporting(self, wanted: bool) -> None:
        if wanted:
            path = self.folder / _REPORTING
            path.touch(mode=0o600)
            path.write_text(SECRET, encoding="ascii")

    def _settings(self) -> Path:
        to = "{}:{}".format(*self.network.address)
        settings: dict[str, Any] = {
            "socket": str(self.socket),
            "state_folder": str(self.folder / "state"),
            "euiccs": {CARD: self._card_settings()},
            "remote": {
                "hosts": {
                    **dict.fromkeys(self.addresses, to),
                    self.smds.address: f"{self.host}:{self.smds.port}",
                }
            },
            "deadlines": _DEADLINES,
            "downloads": {"retry_for": _RETRY_FOR},
            "log": "debug",
        }
        if self.reporting:
            url = "http://{}:{}/".format(*self.uplink.address)
            settings["webhooks"] = {WEBHOOK: {"url": url, "keys": [str(self.folder / _REPORTING)]}}
        if self.applier != "none":
            iccids = [f"89440000000000{number:06}" for number in range(1, 5)]
            patterns = [{"iccid": each, "apn": apn_of(each)} for each in iccids]
            settings["network"] = {"applier": self.applier, "patterns": patterns}
            settings["modem_manager"] = {"hold": 0.3}
            if self.applier == "modemmanager":
                settings["network"]["connect"] = True
        if self.runner is not None:
            own = {"hooks": True, "runner": str(self.runner.socket)}
            settings["network"] = settings.get("network", {}) | own
        if self.platform is not None:
            settings |= self.platform.settings(self.folder)
            to = "{}:{}".format(*self.platform.peer.network.address)
            settings["remote"]["hosts"] |= dict.fromkeys(self.platform.vendor.hosts, to)
        path = self.folder / "lpad.yaml"
        path.write_text(json.dumps(settings), encoding="utf-8")
        return path

    def _card_settings(self) -> dict[str, Any]:
        fallbacks = [] if self.other_port is None else [self.other_port.path]
        return {
            "port": str(self.port),
            "fallback_ports": fallbacks,
            **({"fast_baud": FAST} if self._fast_line else {}),
            "switching": {"default_guard": None},
        }

    def stop(self) -> None:
        """Stop the daemon with SIGTERM, as systemd does.

        Raises:
            Late: the daemon does not end, or exits with an error.
        """
        process, self.process = self.process, None
        assert process is not None, "the daemon runs"
        process.terminate()
        code = process.wait(PATIENCE)
        if code is None:
            process.kill()
            process.wait(PATIENCE)
            raise Late("the daemon did not end")
        if code:
            raise Late(f"the daemon ended with {code}")

    def kill(self) -> None:
        """Kill the daemon as abruptly as a power cut would."""
        process = self.process
        if process is not None:
            process.kill()

    def _kill_what_runs(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait(PATIENCE)

    def buried(self) -> None:
        """Wait until a killed daemon has ended."""
        self.until("the daemon is gone", lambda: self.process is None or self.process.poll() is not None)
        self.process = None

    def ready(self) -> None:
        """Wait until the card is ready.

        Raises:
            Late: the card is not ready in time; the text has the state and error that the daemon reports.
        """
        try:
            self.until("the card is ready", lambda: self.client.euicc(CARD).state == "ready")
        except Late as late:
            seen = self.client.euicc(CARD)
            error = "" if seen.error is None else f": {seen.error.sentence}"
            raise Late(f"{late}; it is {seen.state}{error}") from None

    def go_offline(self) -> None:
        """Turn the network off."""
        for each in self.step_counter.peers:
            each.network.fail(Outage.REFUSED)

    # Orders.

    @property
    def addresses(self) -> tuple[str, str]:
        """The two addresses of the server."""
        port = self.server.address.partition(":")[2]
        return self.server.address, f"{SGP26_NAME}:{port}"

    def order(self, number: int, *, both: bool = False, eid: str | None = None) -> Order:
        """Add and return an order for the profile with a number.

        Args:
            number: the profile's number, with which its ICCID ends.
            both: whether the profile names both of the server's addresses for notifications.
            eid: the EID of the only card that can get the profile; None: any card that sends the matching ID.
        """
        iccid = Iccid.parse(f"89440000000000{number:06}")
        recipients = (Recipient(), Recipient(address=self.addresses[1])) if both else (Recipient(),)
        metadata = ProfileMetadata(iccid=str(iccid), recipients=recipients)
        return self.server.orders.add_order(
            made_up_profile(iccid, size=3000), metadata=metadata, eid=None if eid is None else Eid.parse(eid)
        )

    def announce(self, number: int) -> str:
        """Add an order for the card, register it at an SM-DS, and return the SM-DS's address."""
        eid = self.card.eid.digits
        order = self.order(number, eid=eid)
        order = self.server.orders.change(order.id, matching_id=f"EVENT-{number}")
        folder = self.folder / "smds"
        file = events_of(folder).register(eid=eid, address=self.server.address, event_id=order.matching_id)
        self.server.orders.change(order.id, events=(file,))
        return self.smds.address

    def code(self, order: Order) -> str:
        """Return an order's activation code."""
        return order.activation_code(self.server.address, self.server.oid)

    # Cuts.

    def arm(self, cut: Cut | None) -> None:
        """Start counting steps, and make the cut at its step; None: only count."""
        action = Action.NOTHING
        if cut is not None:
            action = _ACTIONS.get(cut.kind, Action.NOTHING)
            if cut.counted is Counted.LINES:
                for _ in range(cut.place - 1):
                    self.modem.at_next()
                self.modem.at_next(vanish=True, executed=cut.kind is Kind.PORT_AFTER)
        self.disk.arm(action, 0 if cut is None or action is Action.NOTHING else cut.place)
        self.step_counter.arm(cut)

    def disarm(self) -> None:
        """Stop counting steps, and make no further cut."""
        self.disk.disarm()
        self.step_counter.disarm()
        self.modem.forget_faults()

    def hit(self) -> bool:
        """Return whether the cut has been made."""
        return self.step_counter.hit.is_set() or self.disk.hit or not self._port_there()

    def _port_there(self) -> bool:
        return self.port.exists()

    def tell_of_port(self) -> None:
        """Report to the daemon, as the kernel does, that a port appeared or disappeared."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as kernel, suppress(OSError):
            kernel.sendto(_UEVENT, str(self.folder / UEVENTS))

    def mend(self) -> None:
        """Restore everything that a cut removed, except the daemon, and a port of a modem with two ports."""
        self.disk.make_room()
        self.uplink.come_back()
        self.step_counter.server_is_back()
        if self.gateway is not None and self.gateway.ended:
            self.gateway.begin_anew()
        if not self._port_there() and self.other_port is None:
            self.modem.come_back()
            self.tell_of_port()
        if not self.card.powered:
            self.card.reset()
            self.modem.swap_card(self.slot)
            if self.other_port is not None:
                self.other_port.swap_card(self.slot)

    def counts(self) -> dict[Counted, int]:
        """Return the number of steps of each kind since `arm`."""
        return {
            Counted.WRITES: len(self.disk.writes),
            Counted.COMMITS: self.disk.writes.count(COMMITTING),
            Counted.APDUS: self.step_counter.counted(Counted.APDUS),
            Counted.LINES: self.step_counter.counted(Counted.LINES),
            Counted.MESSAGES: self.step_counter.counted(Counted.MESSAGES),
            Counted.CALLS: self.step_counter.counted(Counted.CALLS),
            Counted.RUNS: self.step_counter.counted(Counted.RUNS),
        }

    @staticmethod
    def until(what: str, holds: Callable[[], bool], *, patience: float = PATIENCE) -> None:
        """Poll until a condition is true.

        Raises:
            Late: the condition did not become true.
        """
        end = time.monotonic() + patience
        while not holds():
            if time.monotonic() > end:
                raise Late(f"timed out waiting until {what}")
            threading.Event().wait(0.02)
