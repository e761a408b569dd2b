"""Calls and signals on a real bus, with a program on it that answers oddly or not at all."""

from __future__ import annotations

import queue
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from dbus_fast import Message
from dbus_fast import Variant as Sent

from dbus.private_bus import PATIENCE, ScriptedService, private_bus
from lpad.base.cancellation import Cancellation
from lpad.base.deadline import Deadline
from lpad.base.errors import Cancelled
from lpad.dbus.bus import Bus, can_ask
from lpad.dbus.call_failures import BusRefused, BusUnanswered, BusUnreachable
from lpad.dbus.calls_and_signals import Call, Rule, Signal
from lpad.dbus.variant import Variant

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "org.lpad.Test1"
PATH = "/org/lpad/Test1"


def soon() -> Deadline:
    return Deadline.after(PATIENCE)


def call(member: str, signature: str = "", *body: Any) -> Call:
    return Call(to=NAME, path=PATH, interface=NAME, member=member, signature=signature, body=body)


def changed(value: Any, *, signature: str = "s") -> Message:
    return Message.new_signal(PATH, NAME, "Changed", signature, [value])


def answer(message: Message) -> Message | None:
    match message.member:
        case "Echo":
            return Message.new_method_return(message, message.signature, message.body)
        case "Refuse":
            return Message.new_error(message, f"{NAME}.Error.No", "not today " * 100)
        case "GetAll":
            return Message.new_method_return(
                message, "a{sv}", [{"Count": Sent("u", 7), "Odd": Sent("s", "")}]
            )
        case "GetManagedObjects":
            return Message.new_method_return(
                message, "a{oa{sa{sv}}}", [{PATH: {NAME: {"Ports": Sent("a(su)", [["ttyUSB2", 3]])}}}]
            )
    return None  # The program does not answer other calls.


@pytest.fixture
def service(address: str) -> Iterator[ScriptedService]:
    """Yield a program that echoes, refuses, shows properties and objects, or does not answer."""
    with ScriptedService(address, NAME, answer) as made:
        yield made


@pytest.fixture
def bus(service: ScriptedService) -> Iterator[Bus]:
    """Yield a connection to the bus."""
    with Bus(deadline=soon()) as made:
        yield made


def test_values_keep_their_types(bus: Bus) -> None:
    """A value keeps its D-Bus type on the way to a program and back, at any depth."""
    settings = {
        "gsm": {"apn": Variant("s", "iot"), "mtu": Variant("u", 1400)},
        "user": {"data": Variant("a{ss}", {"a": "b"})},
    }
    echo = bus.call(call("Echo", "a{sa{sv}}", settings), deadline=soon())
    assert echo == (settings,)


def test_properties_are_read_with_one_call(bus: Bus) -> None:
    """One call reads all properties of an object, and another one all objects of a program."""
    assert bus.properties(NAME, PATH, NAME, deadline=soon()).number("Count") == 7
    objects = bus.objects(NAME, PATH, deadline=soon())
    assert objects[PATH][NAME].records("Ports") == (("ttyUSB2", 3),)


def test_a_refusal_keeps_its_name(bus: Bus) -> None:
    """An error keeps its name, and no more than 500 characters of its text."""
    with pytest.raises(BusRefused) as caught:
        bus.call(call("Refuse"), deadline=soon())
    assert caught.value.name == f"{NAME}.Error.No"
    assert len(caught.value.text) == 500
    assert not caught.value.not_permitted


def test_a_missing_program_differs_from_a_refusal(bus: Bus) -> None:
    """The error distinguishes a missing program from one that refuses."""
    with pytest.raises(BusRefused) as caught:
        bus.call(Call(to="org.lpad.Nobody", path=PATH, interface=NAME, member="Echo"), deadline=soon())
    assert caught.value.nobody_there
    assert bus.has_owner(NAME, deadline=soon())
    assert not bus.has_owner("org.lpad.Nobody", deadline=soon())


def test_a_silent_program_costs_only_the_deadline(bus: Bus) -> None:
    """A call to a silent program ends at the deadline, and the connection can still be used."""
    with pytest.raises(BusUnanswered):
        bus.call(call("Mute"), deadline=Deadline.after(0.05))
    assert bus.call(call("Echo", "s", "a"), deadline=soon()) == ("a",)


def test_a_waiting_call_can_be_cancelled(bus: Bus, service: ScriptedService) -> None:
    """Another thread can end a waiting call."""
    cancellation = Cancellation()

    def cancel_once_asked() -> None:
        while not service.calls:
            threading.Event().wait(0.01)
        cancellation.cancel("stop")

    canceller = threading.Thread(target=cancel_once_asked)
    canceller.start()
    with pytest.raises(Cancelled, match="stop"):
        bus.call(call("Mute"), deadline=Deadline.after(PATIENCE, cancellation=cancellation))
    canceller.join()
    with pytest.raises(Cancelled, match="stop"):
        bus.call(call("Mute"), deadline=Deadline.after(PATIENCE, cancellation=cancellation))


def test_the_end_of_the_bus_ends_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bus that ends in the middle of a call ends the call, and every later one."""
    with TemporaryDirectory() as folder:
        with private_bus(Path(folder)) as address:
            monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
            bus = Bus(deadline=soon())
            before = bus.connected
        with pytest.raises(BusUnreachable):
            bus.call(call("Echo"), deadline=soon())
        assert (before, bus.connected) == (True, False)
        with pytest.raises(BusUnreachable, match="no system bus"):
            Bus(deadline=soon())
        bus.close()


def test_a_closed_connection_sends_nothing(bus: Bus) -> None:
    """A closed connection sends no requests."""
    bus.close()
    bus.close()
    with pytest.raises(BusUnreachable, match="closed"):
        bus.call(call("Echo"), deadline=soon())
    bus.begin(call("Echo"), lambda _: None)
    assert not bus.connected


def test_a_listener_gets_the_signals_of_its_rule(bus: Bus, service: ScriptedService) -> None:
    """A listener gets the signals that match its rule; a signal that it cannot understand does no harm."""
    heard: queue.Queue[Any] = queue.Queue()

    def hear(signal: Signal) -> None:
        heard.put(signal.body[0].upper())

    bus.listen(Rule(sender=NAME, interface=NAME, member="Changed", path=PATH), hear, deadline=soon())
    bus.listen(Rule(sender=NAME, arg0="second"), heard.put, deadline=soon())
    service.send(changed("first"), changed(1, signature="u"), changed("second"))
    assert heard.get(timeout=PATIENCE) == "FIRST"
    assert heard.get(timeout=PATIENCE) == "SECOND"
    assert heard.get(timeout=PATIENCE) == Signal(PATH, NAME, "Changed", ("second",))


def test_a_listener_may_make_calls(bus: Bus, service: ScriptedService) -> None:
    """A listener may begin a call without waiting; a function gets None after an answer, or the refusal."""
    answers: queue.Queue[Any] = queue.Queue()

    def hear(signal: Signal) -> None:
        bus.begin(call(signal.body[0], "s", "x"), answers.put)

    bus.listen(Rule(sender=NAME, member="Changed"), hear, deadline=soon())
    service.send(changed("Echo"), changed("Refuse"))
    assert answers.get(timeout=PATIENCE) is None
    assert isinstance(answers.get(timeout=PATIENCE), BusRefused)


@pytest.mark.parametrize(
    ("address", "there"),
    [("unix:path=/nowhere/at/all", False), ("unix:abstract=somewhere", True), ("tcp:host=bus", True)],
)
def test_the_check_finds_the_bus_socket(monkeypatch: pytest.MonkeyPatch, address: str, there: bool) -> None:  # noqa: FBT001 - pytest gives it by name
    """`can_ask` is false only if the bus has an address in the file system, and no socket is there."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
    assert can_ask() is there


def test_without_dbus_fast_the_error_names_the_extra(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without dbus-fast there is no bus, and the error names the extra."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(BusUnreachable, match=r"lpad\[modemmanager\]"):
        Bus(deadline=soon())


def test_a_call_prints_no_arguments() -> None:
    """A printed call or signal does not contain the arguments, which may include a password."""
    assert "hunter2" not in f"{call('Connect', 's', 'hunter2')} {Signal(PATH, NAME, 'Changed', ('hunter2',))}"
