"""The applier `networkmanager`: one connection for each profile, activated once that profile is enabled.

`gsm.sim-id` alone does not keep connections apart: NetworkManager may dial a connection for another ICCID on
a new modem before NetworkManager has read the SIM's ICCID. So the connections of an eUICC's other profiles do
not autoconnect, and after a switch lpad itself activates the right connection, and checks the result.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.base.frozen import Frozen
from lpad.base.redaction import redacted
from lpad.dbus.bus import Bus
from lpad.dbus.call_failures import BusError
from lpad.dbus.calls_and_signals import Rule, owner_changed
from lpad.dbus.signal_wakeup import Bell
from lpad.network.applier_interface import Applied, Connection, Failed, Sight, State, TryAgain
from lpad.network.bus_failure_outcome import failed_question, not_running
from lpad.network.connection_layer_names import Layer
from lpad.network.modemmanager.applier import present, set_initial_bearer, wait_for_card
from lpad.network.modemmanager.bearers import HeardErrors, read_bearers, sight
from lpad.network.modemmanager.error_causes import cause_of
from lpad.network.modemmanager.modem import NAME as MODEM_MANAGER
from lpad.network.modemmanager.modem import SIGNALS as MODEM_SIGNALS
from lpad.network.modemmanager.modem import find_modem
from lpad.network.network_settings import EMPTY
from lpad.network.networkmanager import reasons
from lpad.network.networkmanager.activation import Activation
from lpad.network.networkmanager.client import CONTROL, DEVICE, MODIFY, NAME, PROGRAM, Daemon
from lpad.network.networkmanager.connection import (
    INITIAL_BEARER_SINCE,
    LONGEST_APN,
    differences,
    merged,
    tree_for,
    with_autoconnect,
)
from lpad.protocol.iccid_answer import is_reported

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lpad.base.deadline import Deadline
    from lpad.network.applier_interface import Outcome, Wanted
    from lpad.network.connection_layer_names import Culprit
    from lpad.network.networkmanager.client import ModemDevice
    from lpad.network.networkmanager.connection import StoredConnection, Tree
    from lpad.network.reject_cause import Cause

_log = logging.getLogger(__name__)

_QUIETED, _ACTIVE = "quieted", "active"
"""Keys of the memory: UUIDs of the connections that no longer autoconnect, and of the owner's active one."""
_MOST_QUIETED = 64
_MOST_RIVALS = 3
"""The maximum number of connections named in a sentence."""


class _Trouble(Frozen):
    """The reason for the last failed activation for a profile."""

    told: str
    layer: Culprit
    cause: Cause | None


class NetworkManagerApplier:
    """Keeps a connection for each profile in NetworkManager, and edits no others."""

    name = "networkmanager"
    reconnects = False
    signals = (
        Rule(sender=NAME, interface=DEVICE, member="StateChanged"),
        owner_changed(NAME),
        *MODEM_SIGNALS,
    )

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}
        """By ICCID, the UUID of the owner's connection that was active before a switch that was rolled
        back."""
        self._troubles: dict[str, _Trouble] = {}
        self._reported: frozenset[str] = frozenset()

    def prepare(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        """Turn off autoconnect of the other profiles' connections; remember the owner's active connection."""

        def work(bus: Bus, daemon: Daemon) -> Outcome:
            connections = daemon.connections()
            quieted = _quiet_others(daemon, connections, wanted)
            memory = {_QUIETED: " ".join(quieted[:_MOST_QUIETED])} if quieted else {}
            active = _owners_active(bus, daemon, connections, wanted, deadline=deadline)
            if active is not None:
                memory[_ACTIVE] = active
            return Applied(told="the previous profile's connection does not autoconnect", memory=memory)

        return _ask("turn off the previous connection's autoconnect", Layer.MODEM, MODIFY, work, deadline)

    def apply(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        """Store the profile's connection, and turn off autoconnect of the other profiles' connections."""
        if len(wanted.settings.apn) > LONGEST_APN:
            told = f"NetworkManager accepts APNs of up to {LONGEST_APN} characters; this APN is longer"
            return Failed(layer=Layer.MODEM, told=told)

        def work(_: Bus, daemon: Daemon) -> Outcome:
            connections = daemon.connections()
            _quiet_others(daemon, connections, wanted)
            told = self._store(daemon, connections, wanted)
            return Applied(told=told + self._report_rivals(connections))

        return _ask("store the profile's connection", Layer.MODEM, MODIFY, work, deadline)

    def connect(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        """Activate the profile's connection, and wait for the result until the deadline.

        If the activation continues after the deadline, this returns `Applied`; `look` later shows the result.
        """
        attempted = "activate the profile's connection"

        def work(bus: Bus, daemon: Daemon) -> Outcome:
            bell = Bell()
            daemon.watch(bell)
            heard = HeardErrors(bus, deadline=deadline)
            modem = wait_for_card(bus, wanted, attempted=attempted, deadline=deadline)
            if isinstance(modem, Failed | TryAgain):
                return modem
            target = self._target(daemon.connections(), wanted)
            if target is None:
                self._store(daemon, daemon.connections(), wanted)
                target = self._target(daemon.connections(), wanted)
            if target is None:
                told = f"cannot {attempted}: NetworkManager does not show it to lpad's user"
                return Failed(layer=Layer.BEARER, told=told)
            if daemon.version < INITIAL_BEARER_SINCE:
                initial = set_initial_bearer(bus, modem, wanted, deadline=deadline)
                _log.info("%s", initial.told)
            ended = Activation(daemon, bell, modem.path, target, self._tree(daemon, target, wanted)).run(
                deadline
            )
            if isinstance(ended, Failed):
                return self._explained(ended, bus, heard, wanted, deadline=deadline)
            self._troubles.pop(wanted.iccid, None)
            return ended

        return _ask(attempted, Layer.BEARER, CONTROL, work, deadline)

    def verify(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        """Compare the active connection with the profile's, and its sim-id with the card's ICCID."""
        attempted = "verify the active connection"

        def work(bus: Bus, daemon: Daemon) -> Outcome:
            modem = present(bus, wanted, attempted=attempted, deadline=deadline)
            if isinstance(modem, Failed | TryAgain):
                return modem
            connections = daemon.connections()
            target = self._target(connections, wanted)
            device = daemon.modem_device(modem.path)
            return _compared(daemon, connections, target, device, self._tree(daemon, target, wanted))

        return _ask(attempted, Layer.BEARER, CONTROL, work, deadline)

    def undo(self, wanted: Wanted, memory: Mapping[str, str], *, deadline: Deadline) -> Outcome:
        """Make the previous profile's connection autoconnect again, instead of the rejected profile's."""

        def work(_: Bus, daemon: Daemon) -> Outcome:
            quieted = memory.get(_QUIETED, "").split()
            for each in daemon.connections():
                if each.iccid is None:
                    continue
                if each.iccid == wanted.iccid:
                    _set_autoconnect(daemon, each, on=False)
                elif each.uuid in quieted or each.iccid == wanted.previous_iccid:
                    _set_autoconnect(daemon, each, on=True)
            return Applied(told="the previous profile's connection autoconnects again")

        if wanted.previous_iccid is not None and _ACTIVE in memory:
            self._owners[wanted.previous_iccid] = memory[_ACTIVE]
        return _ask("turn on the previous connection's autoconnect", Layer.MODEM, MODIFY, work, deadline)

    def forget(self, iccid: str, *, deadline: Deadline) -> Outcome:
        """Delete the profile's connection."""

        def work(_: Bus, daemon: Daemon) -> Outcome:
            mine = [each for each in daemon.connections() if each.iccid == iccid]
            for each in mine:
                daemon.delete(each.path)
            return Applied(told="the profile's connection was deleted" if mine else "there was no connection")

        self._owners.pop(iccid, None)
        self._troubles.pop(iccid, None)
        return _ask("delete the profile's connection", Layer.MODEM, MODIFY, work, deadline)

    def look(self, wanted: Wanted, *, deadline: Deadline) -> Connection:
        """Return the registration, and the state of the modem's device in NetworkManager."""
        try:
            with Bus(deadline=deadline) as bus:
                daemon = Daemon(bus, deadline=deadline)
                if not daemon.runs:
                    return Connection(bearer=Sight(told="NetworkManager does not run"))
                modem = present(bus, wanted, attempted="query the connection", deadline=deadline)
                if isinstance(modem, Failed | TryAgain):
                    return Connection(bearer=Sight(state=State.DOWN, told=modem.told))
                connections = daemon.connections()
                device = daemon.modem_device(modem.path)
                seen = self._seen(connections, self._target(connections, wanted), device, wanted)
                return replace(seen, registered=modem.registration_sight)
        except BusError as error:
            return Connection(bearer=Sight(told=f"NetworkManager cannot be asked: {error}"))

    def _store(self, daemon: Daemon, connections: list[StoredConnection], wanted: Wanted) -> str:
        """Add or change the profile's connection, and return what was done, in words."""
        target = self._target(connections, wanted)
        if target is not None and target.iccid is None:
            return f"the owner's connection '{redacted(target.label)}' is used as it is"
        tree = tree_for(wanted.settings, iccid=wanted.iccid, eid=wanted.eid, version=daemon.version)
        if target is None:
            daemon.add(tree)
            return "the profile's connection was added"
        if differences(tree, target.tree) or wanted.settings.password or not target.autoconnect:
            daemon.update(target.path, merged(tree, target.tree), to_disk=True)
            return "the profile's connection was changed"
        return "the profile's connection has these settings"

    def _target(self, connections: list[StoredConnection], wanted: Wanted) -> StoredConnection | None:
        """Return lpad's connection for a profile; without settings, the owner's is preferred. None: none."""
        mine = next((each for each in connections if each.iccid == wanted.iccid), None)
        if wanted.settings != EMPTY:
            return mine
        owners = [each for each in connections if each.iccid is None and each.is_mobile]
        by_sim = next((each for each in owners if is_reported(wanted.iccid, each.sim_id)), None)
        before = next((each for each in owners if each.uuid == self._owners.get(wanted.iccid)), None)
        return by_sim or before or mine

    def _tree(self, daemon: Daemon, target: StoredConnection | None, wanted: Wanted) -> Tree | None:
        """Return the settings that must be in force; None: any settings of the owner's connection."""
        if target is None or target.iccid is None:
            return None
        return tree_for(wanted.settings, iccid=wanted.iccid, eid=wanted.eid, version=daemon.version)

    def _report_rivals(self, connections: list[StoredConnection]) -> str:
        """Return a remark on connections that may be activated instead of lpad's; empty: there are none."""
        rivals = [f"'{redacted(each.label)}'" for each in connections if each.could_win]
        if not rivals:
            return ""
        named = ", ".join(rivals[:_MOST_RIVALS]) + (" and others" if len(rivals) > _MOST_RIVALS else "")
        sentence = (
            f"NetworkManager may activate {named} with any profile, since it has no gsm.sim-id: give it one,"
            " or turn off its autoconnect"
        )
        if frozenset(rivals) != self._reported:
            self._reported = frozenset(rivals)
            _log.warning("%s", sentence)
        return f"; {sentence}"

    def _explained(
        self, ended: Failed, bus: Bus, heard: HeardErrors, wanted: Wanted, *, deadline: Deadline
    ) -> Failed:
        """Add ModemManager's reason to a failed activation, and store the result for `look`."""
        cause = None
        with suppress(BusError):
            imei = None if wanted.modem is None else wanted.modem.imei
            modem = find_modem(bus, imei=imei, iccid=wanted.iccid, deadline=deadline)
            if modem is not None:
                cause = sight(read_bearers(bus, modem, deadline=deadline)).bearer.cause
        if heard.last is not None:
            cause = cause_of(heard.last) or cause
        cause = cause or ended.cause
        self._troubles[wanted.iccid] = _Trouble(ended.told, ended.layer, cause)
        return Failed(layer=ended.layer, told=ended.told, cause=cause)

    def _seen(
        self,
        connections: list[StoredConnection],
        target: StoredConnection | None,
        device: ModemDevice | None,
        wanted: Wanted,
    ) -> Connection:
        if device is None:
            told = "NetworkManager has no device for the modem"
            return Connection(bearer=Sight(state=State.DOWN, told=told))
        other = next((each for each in connections if each.path == device.connection), None)
        if other is not None and target is not None and other.path != target.path:
            told = f"NetworkManager uses the connection '{redacted(other.label)}'"
            return Connection(bearer=Sight(state=State.DOWN, told=told), interface=device.interface)
        if reasons.IP_CONFIG <= device.state <= reasons.ACTIVATED:
            self._troubles.pop(wanted.iccid, None)
            there = device.state == reasons.ACTIVATED and bool(device.addresses)
            address = Sight(state=State.UP) if there else Sight(state=State.DOWN, told="no address yet")
            return Connection(
                bearer=Sight(state=State.UP),
                address=address,
                addresses=device.addresses,
                interface=device.interface,
            )
        trouble = self._troubles.get(wanted.iccid)
        if device.state >= reasons.PREPARE and device.state < reasons.IP_CONFIG:
            told = "NetworkManager is connecting"
        elif trouble is not None and trouble.layer is Layer.ADDRESS:
            down = Sight(state=State.DOWN, told=trouble.told)
            return Connection(bearer=Sight(state=State.UP), address=down)
        else:
            told = trouble.told if trouble is not None else "NetworkManager has not connected the modem"
        cause = trouble.cause if trouble is not None else None
        return Connection(bearer=Sight(state=State.DOWN, told=told, cause=cause))


def _compared(
    daemon: Daemon,
    connections: list[StoredConnection],
    target: StoredConnection | None,
    device: ModemDevice | None,
    tree: Tree | None,
) -> Outcome:
    """Return `Applied` if the wanted connection and settings are active, else `TryAgain` with the reason."""
    if target is None:
        return TryAgain(layer=Layer.BEARER, told="NetworkManager has no connection for the profile")
    if device is None:
        return TryAgain(layer=Layer.MODEM, told="NetworkManager has no device for the modem yet")
    if device.connection != target.path:
        active = next((each for each in connections if each.path == device.connection), None)
        told = "NetworkManager has not activated the profile's connection"
        if active is not None:
            told = f"NetworkManager uses the connection '{redacted(active.label)}' instead"
        return TryAgain(layer=Layer.BEARER, told=told)
    if not reasons.IP_CONFIG <= device.state <= reasons.ACTIVATED:
        return TryAgain(layer=Layer.BEARER, told="NetworkManager is still connecting")
    others = [] if tree is None else differences(tree, daemon.applied(device.path))
    if others:
        told = f"the active connection has other settings ({', '.join(others[:_MOST_RIVALS])})"
        return TryAgain(layer=Layer.BEARER, told=told)
    return Applied(told="the profile's connection is active", interface=device.interface)


def _ask(
    attempted: str,
    layer: Layer,
    action: str,
    work: Callable[[Bus, Daemon], Outcome],
    deadline: Deadline,
) -> Outcome:
    """Call NetworkManager, and turn failures into an outcome."""
    try:
        with Bus(deadline=deadline) as bus:
            daemon = Daemon(bus, deadline=deadline)
            if not daemon.runs:
                return not_running(PROGRAM, attempted=attempted, layer=layer)
            return work(bus, daemon)
    except BusError as error:
        _log.debug("cannot %s: %s", attempted, error)
        return failed_question(error, attempted=attempted, program=PROGRAM, action=action, layer=layer)


def _quiet_others(daemon: Daemon, connections: list[StoredConnection], wanted: Wanted) -> list[str]:
    """Turn off autoconnect for the eUICC's other profiles until a reboot; return the changed UUIDs."""
    others = [each for each in connections if each.eid == wanted.eid and each.iccid != wanted.iccid]
    return [each.uuid for each in others if _set_autoconnect(daemon, each, on=False)]


def _set_autoconnect(daemon: Daemon, connection: StoredConnection, *, on: bool) -> bool:
    """Set autoconnect of one of lpad's connections; return whether this changed the value."""
    if connection.autoconnect is on:
        return False
    # the stored connection still autoconnects, so that the gateway comes online even without lpad
    daemon.update(connection.path, with_autoconnect(connection.tree, on=on), to_disk=on)
    return True


def _owners_active(
    bus: Bus, daemon: Daemon, connections: list[StoredConnection], wanted: Wanted, *, deadline: Deadline
) -> str | None:
    """Return the UUID of the modem's active connection; None: none is known, or lpad has made it."""
    # checked first, because a call to a missing service starts it, or waits half a minute
    if not bus.has_owner(MODEM_MANAGER, deadline=deadline):
        return None
    imei = None if wanted.modem is None else wanted.modem.imei
    iccid = wanted.previous_iccid or wanted.iccid
    modem = find_modem(bus, imei=imei, iccid=iccid, deadline=deadline)
    device = None if modem is None else daemon.modem_device(modem.path)
    active = None if device is None else device.connection
    return next((each.uuid for each in connections if each.path == active and each.iccid is None), None)
