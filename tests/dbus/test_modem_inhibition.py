"""When lpad asks ModemManager to release a modem, and what lpad does first."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from dbus_fast import Message, Variant

from dbus.private_bus import ScriptedService, private_bus
from lpad.base.cancellation import Cancellation
from lpad.base.deadline import Deadline
from lpad.base.errors import Cancelled
from lpad.dbus.bus import Bus
from lpad.dbus.call_failures import BusRefused, BusUnanswered, BusUnreachable
from lpad.dbus.modem_inhibition import inhibit
from lpad.dbus.networkmanager_unmanaged_modem import return_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MODEM_MANAGER, NETWORK_MANAGER = "org.freedesktop.ModemManager1", "org.freedesktop.NetworkManager"
MODEM, DEVICE = "/org/freedesktop/ModemManager1/Modem/4", "/org/freedesktop/NetworkManager/Devices/7"
DENIED = "org.freedesktop.NetworkManager.PermissionDenied"
BUSY = f"{MODEM_MANAGER}.Error.Core.InProgress"
REGISTERED, DISCONNECTING, CONNECTING, CONNECTED = 8, 9, 10, 11


class Daemons:
    """The answers of ModemManager and NetworkManager to lpad's calls for a modem."""

    def __init__(self, states: list[object]) -> None:
        self.states = states
        """The modem's states, one for each query; the last one stays. None: the modem has vanished."""
        self.calls: list[str] = []
        self.disconnect_refusals = 0
        self.denied = False
        self.refuses = False
        self.returned = threading.Event()
        """Set when NetworkManager manages the modem again."""
        self.left: Callable[[], object] = lambda: None
        """Called when NetworkManager stops managing the modem."""

    def modem_manager(self, message: Message) -> Message:
        if message.member == "GetAll":
            state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
            if state is None:
                return Message.new_error(message, "org.freedesktop.DBus.Error.UnknownObject", "gone")
            shown = {} if state == "none" else {"State": Variant("i", state)}
            return Message.new_method_return(message, "a{sv}", [shown])
        self.calls.append(str(message.member))
        if message.member == "Disconnect":
            assert message.path == MODEM
            if self.disconnect_refusals:
                self.disconnect_refusals -= 1
                return Message.new_error(message, BUSY, "Bearer already being disconnected")
            self.states = [REGISTERED]
        elif self.refuses:
            return Message.new_error(message, f"{MODEM_MANAGER}.Error.Core.Failed", "no")
        else:
            assert message.body == ["uid", True]
        return Message.new_method_return(message)

    def network_manager(self, message: Message) -> Message:
        if message.member == "GetAll":
            shown = {"AllDevices": Variant("ao", [f"{DEVICE}0", DEVICE])}
            if message.path != "/org/freedesktop/NetworkManager":
                udi = MODEM if message.path == DEVICE else "/sys/lo"
                shown = {"Udi": Variant("s", udi), "Managed": Variant("b", True)}
            return Message.new_method_return(message, "a{sv}", [shown])
        assert message.path == DEVICE
        self.calls.append(f"Managed {message.body[2].value}")
        if message.body[2].value:
            self.returned.set()
        else:
            self.left()
        if self.denied:
            return Message.new_error(message, DENIED, "no")
        return Message.new_method_return(message)


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the address of a private system bus."""
    with private_bus(tmp_path) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield address


def asked(address: str, daemons: Daemons) -> list[str]:
    """Ask for the modem; return the calls that change something."""
    with running(address, daemons) as bus:
        inhibit(bus, MODEM, "uid", deadline=Deadline.after(60))
    return daemons.calls


@pytest.mark.parametrize(
    "states", [[REGISTERED], [-1], [0], [2], [3], ["none"], [99], [None], [CONNECTED, CONNECTED]]
)
def test_a_quiet_modem_is_asked_for_immediately(address: str, states: list[object]) -> None:
    """Lpad immediately asks for a modem in a lasting state, even if it failed, is locked or has vanished."""
    assert asked(address, Daemons(states)) == ["InhibitDevice"]


def test_an_attempt_to_connect_is_aborted(address: str) -> None:
    """The modem's connection attempt is aborted, and NetworkManager makes no other until lpad is done."""
    assert asked(address, Daemons([CONNECTING])) == ["Managed False", "Disconnect", "InhibitDevice"]


def test_a_connection_that_is_just_made_may_still_change(address: str) -> None:
    """Lpad waits a moment for a modem that has just connected, because the connection may not last."""
    calls = asked(address, Daemons([CONNECTED, DISCONNECTING, REGISTERED]))
    assert calls == ["Managed False", "InhibitDevice"]


@pytest.mark.parametrize("state", [1, 4, 5, DISCONNECTING])
def test_a_change_of_state_is_awaited(address: str, state: int) -> None:
    """Lpad waits while the modem is initializing, disabling, enabling or disconnecting."""
    assert asked(address, Daemons([state, state, REGISTERED])) == ["Managed False", "InhibitDevice"]


def test_an_abort_is_asked_for_again(address: str) -> None:
    """Lpad asks for an abort again, because ModemManager refuses it while it ends another connection."""
    daemons = Daemons([CONNECTING])
    daemons.disconnect_refusals = 2
    assert asked(address, daemons) == ["Managed False", *["Disconnect"] * 3, "InhibitDevice"]


def test_without_network_managers_permission(address: str) -> None:
    """Without the permission to stop NetworkManager, lpad still asks for the modem."""
    daemons = Daemons([CONNECTING])
    daemons.denied = True
    assert asked(address, daemons) == ["Managed False", "Disconnect", "InhibitDevice"]


@contextmanager
def running(address: str, daemons: Daemons) -> Iterator[Bus]:
    """Run both daemons, and yield a connection to their bus."""
    with (
        ScriptedService(address, MODEM_MANAGER, daemons.modem_manager),
        ScriptedService(address, NETWORK_MANAGER, daemons.network_manager),
        Bus(deadline=Deadline.after(60)) as bus,
    ):
        yield bus


def test_a_modem_that_keeps_changing_is_not_asked_for(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lpad does not ask for a modem that keeps changing its state, and later returns it to NetworkManager."""
    monkeypatch.setattr("lpad.dbus.networkmanager_unmanaged_modem.RETURNING", 0.2)
    daemons = Daemons([DISCONNECTING])
    with running(address, daemons) as bus:
        with pytest.raises(BusUnanswered):
            inhibit(bus, MODEM, "uid", deadline=Deadline.after(1))
        assert daemons.returned.wait(60)
    assert daemons.calls == ["Managed False", "Managed True"]


def test_a_modem_is_returned_when_lpad_stops(address: str) -> None:
    """`return_all`, called when lpad stops, returns the modem immediately; a second call does nothing."""
    daemons = Daemons([DISCONNECTING])
    with running(address, daemons) as bus:
        with pytest.raises(BusUnanswered):
            inhibit(bus, MODEM, "uid", deadline=Deadline.after(1))
        return_all()
        return_all()
    assert daemons.calls == ["Managed False", "Managed True"]


def test_a_cancelled_request_returns_the_modem(address: str) -> None:
    """If lpad stops, or the change is cancelled, while the modem changes its state, the modem is returned."""
    daemons = Daemons([DISCONNECTING])
    cancellation = Cancellation()
    daemons.left = lambda: cancellation.cancel("cancelled by its caller")
    with running(address, daemons) as bus:
        with pytest.raises(Cancelled):
            inhibit(bus, MODEM, "uid", deadline=Deadline.after(60, cancellation=cancellation))
        assert daemons.returned.wait(60)
    assert daemons.calls == ["Managed False", "Managed True"]


def test_a_closed_bus_returns_the_modem(address: str) -> None:
    """If the connection to the bus is closed during a request, the modem is returned to NetworkManager."""
    daemons = Daemons([DISCONNECTING])
    with running(address, daemons) as bus:
        daemons.left = threading.Thread(target=bus.close).start
        with pytest.raises(BusUnreachable):
            inhibit(bus, MODEM, "uid", deadline=Deadline.after(60))
        assert daemons.returned.wait(60)
    assert daemons.calls == ["Managed False", "Managed True"]


def test_network_manager_need_not_answer(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A modem of a healthy ModemManager is borrowed although NetworkManager hangs."""
    monkeypatch.setattr("lpad.dbus.networkmanager_unmanaged_modem._ANSWERING", 0.3)
    daemons = Daemons([CONNECTING])
    with (
        ScriptedService(address, MODEM_MANAGER, daemons.modem_manager),
        ScriptedService(address, NETWORK_MANAGER, lambda _: None),
        Bus(deadline=Deadline.after(60)) as bus,
    ):
        inhibit(bus, MODEM, "uid", deadline=Deadline.after(60))
    assert daemons.calls == ["Disconnect", "InhibitDevice"]


def test_a_refused_request_returns_the_modem_to_network_manager(address: str) -> None:
    """After a refusal NetworkManager gets the modem back, even if a connection attempt was aborted."""
    daemons = Daemons([CONNECTING])
    daemons.refuses = True
    with pytest.raises(BusRefused):
        asked(address, daemons)
    assert daemons.calls == ["Managed False", "Disconnect", "InhibitDevice", "Managed True"]
