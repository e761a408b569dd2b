"""The applier `modemmanager` with Debian's ModemManager, which dials the simulated modem."""

from __future__ import annotations

import queue
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from debian_daemons.rig import soon
from debian_daemons.test_networkmanager import SETTINGS_A, SETTINGS_B, A, B, wanted
from lpad.dbus.signal_watch import SignalWatch
from lpad.network.applier_interface import Applied, Failed, State
from lpad.network.connection_layer_names import Layer
from lpad.network.modemmanager.applier import ModemManagerApplier
from lpad.network.modemmanager.modem import CONNECTED
from lpad.network.network_settings import NetworkSettings
from lpad.network.reject_cause import Cause, Procedure

if TYPE_CHECKING:
    from collections.abc import Callable

    from debian_daemons.rig import Rig
    from lpad.dbus.calls_and_signals import Signal

pytestmark = pytest.mark.programs("ModemManager", "/usr/lib/polkit-1/polkitd")

TO_A = wanted(A, SETTINGS_A, previous=None)
TO_B = wanted(B, SETTINGS_B, previous=A)
BACK = wanted(A, SETTINGS_A, previous=B)


def test_a_switch_and_back(rig_of: Callable[..., Rig]) -> None:
    """ModemManager connects with each profile's APN, even if the modem has another path after the switch."""
    rig = rig_of(A)
    applier = ModemManagerApplier(connects=True)
    for step in (applier.prepare, applier.apply, applier.connect):
        assert isinstance(step(TO_A, deadline=soon()), Applied)
    assert set(rig.front.dialled()) == {"a.example"}
    assert isinstance(applier.verify(TO_A, deadline=soon()), Applied)
    assert applier.look(TO_A, deadline=soon()).bearer.state is State.UP
    assert isinstance(applier.connect(TO_A, deadline=soon()), Applied)

    rig.switch(B)
    assert isinstance(applier.connect(TO_B, deadline=soon()), Applied)
    assert rig.front.dialled()[-1] == "b.example"
    assert rig.modem_path().endswith("/Modem/1")
    other = NetworkSettings(apn="c.example")
    assert isinstance(applier.connect(wanted(B, other, previous=A), deadline=soon()), Applied)
    assert rig.front.dialled()[-1] == "c.example"

    assert isinstance(applier.undo(TO_B, {}, deadline=soon()), Applied)
    assert applier.look(TO_B, deadline=soon()).bearer.state is State.DOWN
    rig.switch(A)
    assert isinstance(applier.connect(BACK, deadline=soon()), Applied)
    assert rig.front.dialled()[-1] == "a.example"


def test_modem_managers_signals_are_heard(rig_of: Callable[..., Rig]) -> None:
    """Lpad hears ModemManager's signals about a new connection, and about a modem that appears again."""
    rig = rig_of(A)
    heard: queue.Queue[Signal] = queue.Queue()
    applier = ModemManagerApplier(connects=True)
    watch = SignalWatch(applier.signals, hear=heard.put, lost=lambda: None)
    with closing(watch):
        assert watch.open()
        assert isinstance(applier.connect(TO_A, deadline=soon()), Applied)
        while (state := heard.get(timeout=60)).member != "StateChanged" or state.body[1] != CONNECTED:
            pass
        rig.switch(B)
        while heard.get(timeout=60).member != "InterfacesAdded":
            pass


def test_a_refused_apn_is_a_failed_bearer_with_its_cause(rig_of: Callable[..., Rig]) -> None:
    """An APN that the network refuses is a failure of the bearer with its cause."""
    rig = rig_of(B)
    rig.front.refuse("b.example", "+CME ERROR: 133")
    applier = ModemManagerApplier(connects=True)
    outcome = applier.connect(TO_B, deadline=soon())
    assert isinstance(outcome, Failed)
    assert (outcome.layer, outcome.cause) == (Layer.BEARER, Cause(Procedure.ESM, 33))
    assert applier.look(TO_B, deadline=soon()).bearer.cause == outcome.cause


def test_an_initial_bearer_that_cannot_be_set(rig_of: Callable[..., Rig]) -> None:
    """ModemManager 1.20 sets no initial bearer over AT commands, and the outcome reports this."""
    rig_of(A)
    outcome = ModemManagerApplier(connects=False).connect(TO_A, deadline=soon())
    assert isinstance(outcome, Failed)
    assert "Unsupported" in outcome.told


def test_a_stale_modem_is_probed_again(rig_of: Callable[..., Rig]) -> None:
    """A modem whose card changed without ModemManager's notice is probed again, and then connected."""
    rig = rig_of(A)
    rig.modem_path()
    rig.card.iccid = B
    assert isinstance(ModemManagerApplier(connects=True).connect(TO_B, deadline=soon()), Applied)
    assert rig.modem_path().endswith("/Modem/1")
    assert rig.front.dialled() == ["b.example"]
