"""Reports between two changes: from the modem on its port, and from the applier's program on the bus."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from api.gateway import Gateway
from cli.conftest import Terminal
from dbus.private_bus import private_bus
from engine.guarding import guarding, port
from engine.lab import CARD, FIRST, SECOND
from engine.networking import NO, Spy, networking
from engine.switch.test_layer_events import heard
from lpad.dbus.calls_and_signals import Rule, owner_changed
from lpad.engine.change.change import Kind
from lpad.engine.worker import connection_change_reports
from lpad.network.applier_interface import Connection, Sight, State
from lpad.network.connection_layer_names import Layer
from network.gateway_double import GatewayDouble

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.lab import Lab
    from lpad.base.deadline import Deadline
    from lpad.network.applier_interface import Wanted
    from lpad.simulator.pki.pki import Pki

NM = "org.freedesktop.NetworkManager"


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_change_reports, "SETTLING", 0.05)
    monkeypatch.setattr(connection_change_reports, "PAUSE", 0.05)


def test_a_modem_that_reports_its_registration(tmp_path: Path, pki: Pki) -> None:
    """A modem's report between two changes leads to a check, and the layer's new state is published."""
    with guarding(tmp_path, pki) as lab:
        lab.carry_out(Kind.REFRESH)
        with heard(lab) as told:
            lab.modem.register(FIRST, 2)
            lab.modem.unsolicited("+CEREG: 2")
            lab.until_true(lambda: told() == [("registered", "down", FIRST)])
            lab.modem.register(FIRST, 5)
            lab.modem.unsolicited("+CGEV: ME PDN ACT 1")
            lab.until_true(lambda: told()[1:] == [("registered", "up", FIRST)])
        (seen,) = [each for each in lab.engine.card(CARD).layers() if each.layer is Layer.REGISTERED]
        assert (seen.up, seen.iccid) == (True, FIRST)
        assert "5 (registered, roaming)" in seen.told


def test_the_status_shows_what_was_reported(tmp_path: Path, pki: Pki) -> None:
    """The status shows the registration that the modem announced, with its age, without a query."""
    with guarding(tmp_path, pki) as lab, Gateway(lab) as gateway:
        lab.carry_out(Kind.REFRESH)
        with heard(lab) as told:
            lab.modem.register(FIRST, 3)
            lab.modem.unsolicited("+CREG: 3")
            lab.until_true(lambda: told() == [("registered", "down", FIRST)])
        asked = list(lab.modem.received)
        shown = Terminal(lab, gateway.path).lpactl("status").ok().err
        (line,) = [each for each in shown.splitlines() if "as last seen" in each]
        assert re.fullmatch(rf"{CARD}: registration as last seen [0-9]+ s ago: .*3 \(denied\).*", line)
        layers = {each["layer"]: each for each in gateway.get(f"/v1/euiccs/{CARD}")["layers"]}
        assert (layers["registered"]["up"], layers["registered"]["iccid"]) == (False, FIRST)
        assert list(lab.modem.received) == asked


def test_a_report_during_a_change_is_not_lost(tmp_path: Path, pki: Pki) -> None:
    """A report between the answers to lpad's commands leads to a check after the change."""
    with guarding(tmp_path, pki) as lab:
        lab.carry_out(Kind.REFRESH)
        with heard(lab) as told:
            lab.modem.register(FIRST, 3)
            lab.modem.once("AT+CSIM", before=("+CGREG: 3",))
            lab.carry_out(Kind.REFRESH)
            lab.until_true(lambda: told() == [("registered", "down", FIRST)])


@dataclass
class Signalled(Spy):
    """An applier whose program reports changes on the bus."""

    signals: tuple[Rule, ...] = (Rule(sender=NM, interface=f"{NM}.Device"), owner_changed(NM))  # type: ignore[assignment]  # as an applier has them
    up: bool = True
    looks: int = 0
    looked: threading.Event = field(default_factory=threading.Event)

    def look(self, wanted: Wanted, *, deadline: Deadline) -> Connection:
        self.looks += 1
        self.looked.set()
        return Connection(bearer=Sight(state=State.UP if self.up else State.DOWN))


@contextmanager
def signalled(
    folder: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Lab, Signalled, GatewayDouble]]:
    """A lab whose applier follows a NetworkManager on a private bus."""
    (folder / "bus").mkdir()
    with private_bus(folder / "bus") as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        spy = Signalled()
        with GatewayDouble(address, iccid=FIRST) as gateway, networking(folder, pki, spy) as lab:
            assert spy.looked.wait(60), "lpad listens, but has not checked the connection"
            yield lab, spy, gateway


def test_signals_of_the_appliers_program(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signals of the applier's program lead to a check of the connection; a change is published."""
    with signalled(tmp_path, pki, monkeypatch) as (lab, spy, gateway):
        lab.until_true(lambda: bearer(lab) == ["up"])
        looks = spy.looks
        spy.up = False
        gateway.state_changed(30, 39)
        lab.until_true(lambda: bearer(lab) == ["up", "down"])
        assert spy.looks > looks
        assert (Layer.BEARER, False) in [(each.layer, each.up) for each in lab.engine.card(CARD).layers()]


def bearer(lab: Lab) -> list[str]:
    """Return the states of the bearer in the outbox of events, in their order."""
    found = lab.engine.events.after(0, limit=999)
    told = [each for each in found if "network.layer" in each.type and each.body.data["layer"] == "bearer"]
    return [each.type.split("layer-")[1].split(".")[0] for each in told]


def test_a_program_that_is_back_forgets_immediately(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As soon as the applier's program is back on the bus, it removes a deleted profile's data."""
    with signalled(tmp_path, pki, monkeypatch) as (lab, spy, gateway):
        spy.answers["forget"] = [NO]
        gateway.end()
        lab.carry_out(Kind.DELETE, iccid=SECOND)
        gateway.begin_anew()
        lab.until_true(lambda: lab.engine.card(CARD).unforgotten() == ())
        assert spy.asked.count(("forget", SECOND)) >= 2


def test_other_settings_end_the_watch(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a reload with an applier that has no signals, the watch of the bus ends."""
    with signalled(tmp_path, pki, monkeypatch) as (lab, spy, gateway):
        lab.engine.become([replace(port(lab))])
        lab.carry_out(Kind.REFRESH)
        looks = spy.looks
        gateway.state_changed(30, 39)
        lab.carry_out(Kind.REFRESH)
        assert spy.looks == looks
