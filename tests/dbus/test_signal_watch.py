"""A watch for signals that outlives the bus: it reconnects, but only in its owner's thread."""

from __future__ import annotations

import queue
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from dbus_fast import Message

from dbus.private_bus import PATIENCE, ScriptedService, private_bus
from lpad.base.backoff import Backoff
from lpad.dbus import signal_watch
from lpad.dbus.calls_and_signals import Rule, Signal, owner_changed
from lpad.dbus.signal_watch import SignalWatch

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "org.lpad.Test"
PATH = "/org/lpad/Test"


class Watched:
    """A watch, and what it has reported."""

    def __init__(self) -> None:
        self.heard: queue.Queue[Signal] = queue.Queue()
        self.lost: queue.Queue[float | None] = queue.Queue()
        rules = (Rule(sender=NAME, interface=NAME, member="Changed"), owner_changed(NAME))
        self.watch = SignalWatch(rules, hear=self.heard.put, lost=lambda: self.lost.put(self.watch.due_at))

    def is_due(self) -> bool:
        return self.watch.due_at is not None


@pytest.fixture
def watched() -> Iterator[Watched]:
    made = Watched()
    yield made
    made.watch.close()


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal_watch, "_PAUSES", Backoff((0.01,)))


def service(address: str) -> ScriptedService:
    return ScriptedService(address, NAME, lambda _: None)


def changed(value: str) -> Message:
    return Message.new_signal(PATH, NAME, "Changed", "s", [value])


def test_a_watch_connects_again_after_the_bus_ends(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch reports the end of a bus once, and is then due until it has found the bus again."""
    with TemporaryDirectory() as folder:
        for _ in range(2):
            with private_bus(Path(folder)) as address:
                monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
                assert watched.is_due()
                assert watched.watch.open()
                assert not watched.is_due()
                with service(address) as program:
                    assert watched.heard.get(timeout=PATIENCE).member == "NameOwnerChanged"
                    program.send(changed("first"))
                    assert watched.heard.get(timeout=PATIENCE).body == ("first",)
                assert watched.heard.get(timeout=PATIENCE).body[2] == ""
            assert watched.lost.get(timeout=PATIENCE) is not None, "due again before this is reported"
            assert not watched.watch.open()
            assert watched.is_due()
    assert watched.lost.empty()


def test_a_closed_watch_reports_nothing(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch that its owner has closed reports no loss, and is no longer due."""
    with TemporaryDirectory() as folder, private_bus(Path(folder)) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        assert watched.watch.open()
        watched.watch.close()
        watched.watch.close()
        assert not watched.is_due()
    assert watched.lost.empty()


def test_a_bus_that_is_not_there_is_no_error(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a bus, as on some gateways, `open` returns False, and the watch stays due."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere/bus")
    for _ in range(3):
        assert not watched.watch.open()
        assert watched.is_due()
