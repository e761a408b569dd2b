"""The scenarios: a card's initial content, the request to lpad, and the card's permitted final content."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from faults.device.device import AT_PORT, CARD, PATIENCE, Device, Late
from faults.device.watched_peers import WatchedModem
from faults.device.watched_platform import PLATFORM
from faults.injected.cut_kinds import Outage
from lpad.base.identifiers import Iccid
from lpad.simulator.smdp.functions.faults import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lpad.client import Change

FIRST, SECOND, THIRD, LATER = range(1, 5)
"""The numbers of the profiles; at the end, each trial downloads LATER to check that everything works."""
DENIED = 3
"""The status in +CEREG for a denied registration."""
_SLOW = "authenticateClient"
_DELAY = 1.0
"""Seconds for which a server delays its answer."""


def iccid(number: int) -> str:
    """Return the ICCID of the profile with a number."""
    return str(Iccid.parse(f"89440000000000{number:06}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """The content of a card: the numbers of its profiles, and of the enabled one."""

    profiles: frozenset[int]
    enabled: int | None


def _install(device: Device, *numbers: int, both: bool = False) -> None:
    for number in numbers:
        code = device.code(device.order(number, both=both))
        device.client.download(CARD, activation_code=code, wait=PATIENCE).check()


def _two(device: Device) -> None:
    _install(device, FIRST, SECOND)
    device.client.enable(CARD, iccid(FIRST), wait=PATIENCE).check()


def _undelivered(device: Device) -> None:
    """Install two profiles; leave undelivered notifications for two recipients."""
    _install(device, FIRST, SECOND, both=True)
    device.until("all is delivered", lambda: not device.card.notifications)
    device.go_offline()
    for number in (FIRST, SECOND):
        device.client.enable(CARD, iccid(number), wait=PATIENCE).check()


def _download(device: Device) -> Change:
    return device.client.download(CARD, activation_code=device.code(device.order(THIRD)))


def _overtaken(device: Device) -> Change:
    """Request a switch while a slow server delays its answer to a download; return the download."""
    fault = Fault(function=_SLOW, kind=FaultKind.DELAY, value=_DELAY)
    device.server.faults.add(fault)
    asked = device.server.counters.requests[_SLOW]
    change = _download(device)
    with suppress(Late):
        device.until("the download has asked its server", lambda: _asked(device, asked), patience=2 * _DELAY)
    _enable(device)
    return change


def _asked(device: Device, before: int) -> bool:
    return device.server.counters.requests[_SLOW] > before or device.hit()


def _enable(device: Device) -> Change:
    return device.client.enable(CARD, iccid(SECOND))


def _enable_after_restart(device: Device) -> Change:
    """Request and return a switch after a power cut at the modem, which resets the speed of its line."""
    assert isinstance(device.modem, WatchedModem), "the modem has an AT port"
    device.modem.vanish()
    device.modem.cut_power()
    device.modem.come_back()
    device.tell_of_port()
    return _enable(device)


def _guarded(device: Device) -> Change:
    return device.client.enable(CARD, iccid(SECOND), guard=("registered",), within=30)


def _connected(device: Device) -> Change:
    conditions = ("registered", "bearer", "address")
    return device.client.enable(CARD, iccid(SECOND), guard=conditions, within=30)


def _doomed(device: Device) -> Change:
    device.modem.register(iccid(SECOND), DENIED)
    return device.client.enable(CARD, iccid(SECOND), guard=("registered",), within=1)


def _guarded_without_uplink(device: Device) -> Change:
    """Request and return a switch whose events cannot reach the backend until the switch has ended."""
    device.uplink.fail(Outage.REFUSED)
    return _guarded(device)


def _disable(device: Device) -> Change:
    return device.client.disable(CARD, iccid(FIRST), accept_offline=True)


def _delete(device: Device) -> Change:
    return device.client.delete(CARD, iccid(SECOND))


def _provision(device: Device) -> Change:
    return device.client.provision(CARD, platform=PLATFORM)


def _discover(device: Device) -> Change:
    return device.client.discover(CARD, install=True, servers=[device.announce(THIRD)])


def _deliver(device: Device) -> Change:
    device.network.come_back()
    return device.client.deliver_notifications(CARD)


_TWO = Holding(profiles=frozenset({FIRST, SECOND}), enabled=FIRST)
_SWITCHED = Holding(profiles=_TWO.profiles, enabled=SECOND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One scenario, which is one row of the report's table.

    Attributes:
        title: the printed name.
        act: requests the change.
        prepare: brings a new device into the initial state; by default it installs two profiles.
        before: the card's content before the change, and after a failed change.
        after: the card's content after the change is done; by default the second profile is enabled.
        offline: whether the device has no network until the change.
        may_be_done: whether the change may end as `done`.
        applier: the name of the applier of each profile's APN.
        hooks: whether the owner has hooks, which record each event.
        platform: the kind of operator's platform that provides the profile, or None. With a platform, the
            trial repeats a failed change, because its wish is still open.
        reporting: whether events go to a backend.
        switched: the profile that is enabled afterwards if a second change, a switch, succeeds.
        modem_port: the name of the modem's port, which states its protocol.
        fast_line: whether lpad uses a faster line to the modem.
        two_ports: whether the modem also has an MBIM port, as a fallback; a port that a cut
            removes does not come back.
        discovers: whether an SM-DS lists the profile, whose download follows from the change.
    """

    title: str
    act: Callable[[Device], Change]
    prepare: Callable[[Device], None] = _two
    before: Holding = _TWO
    after: Holding = _SWITCHED
    offline: bool = False
    may_be_done: bool = True
    applier: str = "none"
    hooks: bool = False
    platform: str | None = None
    reporting: bool = False
    switched: int | None = None
    discovers: bool = False
    modem_port: str = AT_PORT
    two_ports: bool = False
    fast_line: bool = False


_OVER_AT: Mapping[str, Scenario] = {
    "download": Scenario(
        title="download",
        act=_download,
        after=Holding(profiles=_TWO.profiles | {THIRD}, enabled=FIRST),
    ),
    "overtaken": Scenario(
        title="download, overtaken",
        act=_overtaken,
        after=Holding(profiles=_TWO.profiles | {THIRD}, enabled=FIRST),
        switched=SECOND,
    ),
    "enable": Scenario(title="enable", act=_enable),
    "fast-line": Scenario(
        title="enable, after a restart of a modem with a faster line",
        act=_enable_after_restart,
        fast_line=True,
    ),
    "fallback": Scenario(title="guarded switch, with a fallback port", act=_guarded, two_ports=True),
    "disable": Scenario(
        title="disable",
        act=_disable,
        after=Holding(profiles=_TWO.profiles, enabled=None),
    ),
    "delete": Scenario(
        title="delete, with hooks",
        act=_delete,
        after=Holding(profiles=frozenset({FIRST}), enabled=FIRST),
        hooks=True,
    ),
    "guarded": Scenario(title="guarded switch, kept", act=_guarded),
    "rollback": Scenario(
        title="guarded switch, rolled back",
        act=_doomed,
        may_be_done=False,
    ),
    "network": Scenario(
        title="enable, with its APN and hooks",
        act=_enable,
        applier="at",
        hooks=True,
    ),
    "network-guarded": Scenario(
        title="guarded switch with its APN and hooks, kept",
        act=_guarded,
        applier="at",
        hooks=True,
    ),
    "network-rollback": Scenario(
        title="guarded switch with its APN and hooks, rolled back",
        act=_doomed,
        may_be_done=False,
        applier="at",
        hooks=True,
    ),
    "networkmanager": Scenario(
        title="guarded switch with NetworkManager, kept",
        act=_connected,
        applier="networkmanager",
    ),
    "networkmanager-rollback": Scenario(
        title="guarded switch with NetworkManager, rolled back",
        act=_doomed,
        may_be_done=False,
        applier="networkmanager",
    ),
    "modemmanager": Scenario(
        title="guarded switch with ModemManager, kept",
        act=_connected,
        applier="modemmanager",
    ),
    "modemmanager-rollback": Scenario(
        title="guarded switch with ModemManager, rolled back",
        act=_doomed,
        may_be_done=False,
        applier="modemmanager",
    ),
    **{
        key: Scenario(
            title=title,
            act=_provision,
            after=Holding(profiles=_TWO.profiles | {THIRD}, enabled=THIRD),
            platform=like,
        )
        for key, title, like in (
            ("provision", "profile from a platform, for the card", "kore"),
            ("provision-draft", "profile from a platform, by code", "soracom"),
        )
    },
    "discovery": Scenario(
        title="discovery, download and enable",
        act=_discover,
        after=Holding(profiles=_TWO.profiles | {THIRD}, enabled=THIRD),
        discovers=True,
    ),
    "webhook": Scenario(
        title="guarded switch, reported",
        act=_guarded,
        reporting=True,
    ),
    "webhook-offline": Scenario(
        title="guarded switch, reported later",
        act=_guarded_without_uplink,
        reporting=True,
    ),
    "delivery": Scenario(
        title="notification delivery",
        prepare=_undelivered,
        act=_deliver,
        before=_SWITCHED,
        offline=True,
    ),
}

_LINKS = {"mbim": ("MBIM", "wwan0mbim0"), "qmi": ("QMI", "wwan0qmi0")}
"""The kinds of control ports, each with its printed name and the name of the modem's port."""
_OVER_CONTROL_PORTS = ("enable", "guarded", "download", "disable", "delete", "rollback")


def _over(link: str, key: str) -> Scenario:
    """Return the scenario `key` over a control port instead of an AT port."""
    protocol, port = _LINKS[link]
    subject, *rest = _OVER_AT[key].title.split(",", 1)
    return replace(_OVER_AT[key], title=",".join((f"{subject} over {protocol}", *rest)), modem_port=port)


SCENARIOS: Mapping[str, Scenario] = {
    **_OVER_AT,
    **{
        link if key == "enable" else f"{link}-{key}": _over(link, key)
        for link in _LINKS
        for key in _OVER_CONTROL_PORTS
    },
}
