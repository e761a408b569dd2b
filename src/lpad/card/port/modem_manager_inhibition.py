"""A request over D-Bus that makes ModemManager, which claims every modem, release one modem.

InhibitDevice makes ModemManager close a modem's ports and forget the modem, until the inhibition is lifted or
the requesting connection ends. So a modem is returned even if lpad is killed.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import CardBusy
from lpad.dbus.bus import Bus
from lpad.dbus.call_failures import BusError, BusRefused, BusUnanswered, BusUnreachable
from lpad.dbus.calls_and_signals import DBUS, OBJECT_MANAGER, Rule
from lpad.dbus.modem_inhibition import MODEM_MANAGER, ROOT, inhibit, inhibition
from lpad.dbus.typed_properties import of_interfaces

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.dbus.calls_and_signals import Signal
    from lpad.dbus.typed_properties import Properties

_log = logging.getLogger(__name__)

_MODEM = f"{MODEM_MANAGER}.Modem"
_BORROWING = 120.0
"""Seconds for which lpad tries to borrow a modem that appears while lpad uses the port."""


class Inhibition:
    """Keeps ModemManager off one modem until `end` is called.

    ModemManager may also start later than lpad, or restart: then lpad inhibits the modem as soon as
    it appears.
    """

    def __init__(self, port: str, *, deadline: Deadline) -> None:
        """Inhibit the modem that has the port, now, or later when ModemManager finds such a modem.

        Raises:
            CardBusy: ModemManager refuses, or does not answer.
        """
        self._port = port
        self._device = os.path.realpath(port).removeprefix("/dev/")
        self._uid: str | None = None
        self._bus: Bus | None = None
        try:
            self._begin(deadline=deadline)
        except BusRefused as refusal:
            self.end()
            raise self._no(refusal) from refusal
        except BusUnanswered as error:
            self.end()
            raise CardBusy(
                f"cannot borrow {port} from ModemManager: it did not answer in time; it may be ending a"
                " connection: try again, or restart ModemManager"
            ) from error
        except BusUnreachable as error:
            self.end()
            _log.debug(
                "cannot reach the system bus, so lpad does not borrow %s from ModemManager: %s", port, error
            )
        except BaseException:
            self.end()
            raise

    @property
    def reaches_bus(self) -> bool:
        """Whether the connection to the bus still exists."""
        return self._bus is not None and self._bus.connected

    @property
    def holds(self) -> bool:
        """Whether ModemManager released the modem; False if it does not run or has no such modem."""
        return self._uid is not None

    def end(self) -> None:
        """Return the modem: ModemManager lifts the inhibition when the connection is closed."""
        if self._bus is not None:
            self._bus.close()

    def _begin(self, *, deadline: Deadline) -> None:
        """Connect to the system bus, watch ModemManager and inhibit the modem; raises BusError."""
        bus = self._bus = Bus(deadline=deadline)
        started = Rule(sender=DBUS, member="NameOwnerChanged", arg0=MODEM_MANAGER)
        appeared = Rule(sender=MODEM_MANAGER, interface=OBJECT_MANAGER, member="InterfacesAdded")
        bus.listen(started, self._hear_start, deadline=deadline)
        bus.listen(appeared, self._hear_modem, deadline=deadline)
        # lpad first asks for the owner, because a call to a name without an owner may start its service.
        if bus.has_owner(MODEM_MANAGER, deadline=deadline):
            self._find(bus, deadline=deadline)

    def _find(self, bus: Bus, *, deadline: Deadline) -> None:
        """Find the port's modem among ModemManager's modems, and inhibit it; do nothing if there is none."""
        for path, interfaces in bus.objects(MODEM_MANAGER, ROOT, deadline=deadline).items():
            uid = self._uid_of(interfaces)
            if uid is not None:
                inhibit(bus, path, uid, deadline=deadline)
                self._borrowed(uid)
                return
        _log.debug("ModemManager has no modem with the port %s", self._port)

    def _borrowed(self, uid: str) -> None:
        self._uid = uid
        _log.info("%s: borrowed from ModemManager", self._port)

    def _uid_of(self, interfaces: Mapping[str, Properties]) -> str | None:
        modem = interfaces.get(_MODEM)
        uid = modem.text("Device") if modem is not None else None
        if modem is None or uid is None:
            return None
        ports = [record[0] for record in modem.records("Ports") if record]
        return uid if self._device in ports or uid == self._uid else None

    # The following methods run in the bus connection's thread.

    def _hear_start(self, signal: Signal) -> None:
        """Inhibit the modem again after a restart of ModemManager, which then has no inhibitions."""
        if signal.body[2] and self._uid is not None:
            self._inhibit_again(self._uid)

    def _hear_modem(self, signal: Signal) -> None:
        """Inhibit a modem that ModemManager has just added, if it is the port's modem."""
        uid = self._uid_of(of_interfaces(signal.body[1]))
        if uid is not None:
            # ModemManager may be connecting the modem already, which takes longer than this thread may wait
            arguments = (signal.body[0], uid)
            threading.Thread(target=self._borrow, args=arguments, name="lpad-borrowing", daemon=True).start()

    def _borrow(self, modem: str, uid: str) -> None:
        """Inhibit a modem that has appeared; runs in a thread of its own, which ends with the connection."""
        assert self._bus is not None
        try:
            inhibit(self._bus, modem, uid, deadline=Deadline.after(_BORROWING))
        except BusError as error:
            _log.info("%s: ModemManager: %s", self._port, error)
        else:
            self._borrowed(uid)

    def _inhibit_again(self, uid: str) -> None:
        def answered(error: BusError | None) -> None:
            if error is None:
                self._borrowed(uid)
            else:
                # If the modem is not found, ModemManager has just started and will probe the modem later.
                _log.info("%s: ModemManager: %s", self._port, error)

        assert self._bus is not None
        self._bus.begin(inhibition(uid), answered)

    def _no(self, refusal: BusRefused) -> CardBusy:
        attempted = f"cannot borrow {self._port} from ModemManager: it refuses"
        if refusal.not_permitted:
            return CardBusy(
                f"{attempted} lpad's user ({refusal}); allow that user the polkit action"
                " org.freedesktop.ModemManager1.Control, as config/polkit/50-lpad.rules does, or keep"
                " ModemManager off the port with a udev rule that sets ID_MM_PORT_IGNORE=1",
                retryable=False,
            )
        again = " because it no longer has the modem; try again" if refusal.nobody_there else ""
        # another program's failed inhibition may leave a modem inhibited, although ModemManager shows it
        restart = "restart ModemManager, " if refusal.busy else ""
        return CardBusy(
            f"{attempted} ({refusal}){again}; if this persists, {restart}check whether another program has"
            " inhibited the modem, or keep ModemManager off the port with a udev rule that sets"
            " ID_MM_PORT_IGNORE=1"
        )
