"""The applier `networkmanager` with Debian's NetworkManager and ModemManager.

The simulated port carries no PPP, so every activation ends at that step; all steps before it are real.
"""

from __future__ import annotations

import queue
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from debian_daemons.rig import soon, until
from lpad.dbus.signal_watch import SignalWatch
from lpad.network.applier_interface import Applied, Failed, State, TryAgain, Wanted
from lpad.network.connection_layer_names import Layer
from lpad.network.network_settings import Authentication, IpType, NetworkSettings
from lpad.network.networkmanager.applier import NetworkManagerApplier
from lpad.network.reject_cause import Cause, Procedure
from network.gateway_double import ModemInSlot

if TYPE_CHECKING:
    from collections.abc import Callable

    from debian_daemons.rig import Rig
    from lpad.dbus.calls_and_signals import Signal

pytestmark = pytest.mark.programs("NetworkManager", "ModemManager", "/usr/lib/polkit-1/polkitd", "unshare")

EID = "89049032000000000000000000000123"
A, B = "8988211000000000001", "8988211000000000002"
PASSWORD = "pa55-of-the-rig"
SETTINGS_A = NetworkSettings(
    apn="a.example", username="user", password=PASSWORD, authentication=Authentication.PAP
)
SETTINGS_B = NetworkSettings(apn="b.example", ip=IpType.IPV4)
FOREIGN = "11111111-1111-4111-8111-111111111111"


def wanted(iccid: str, settings: NetworkSettings, *, previous: str | None) -> Wanted:
    return Wanted(eid=EID, iccid=iccid, settings=settings, previous_iccid=previous, modem=ModemInSlot())


TO_A = wanted(A, SETTINGS_A, previous=None)
TO_B = wanted(B, SETTINGS_B, previous=A)
BACK = wanted(A, SETTINGS_A, previous=B)


@pytest.fixture
def rig(rig_of: Callable[..., Rig]) -> Rig:
    """Return a rig whose owner has a connection that fits any SIM and does not autoconnect."""
    rig = rig_of(A)
    rig.keyfile(
        "foreign",
        connection={"id": "foreign", "type": "gsm", "uuid": FOREIGN, "autoconnect": "false"},
        gsm={"apn": "foreign.example"},
    )
    rig.modem_path()
    rig.start_network_manager()
    return rig


def ends_at_ppp(outcome: object) -> bool:
    """Return whether an activation has reached PPP, its last step here; the carrier may be lost earlier."""
    if not isinstance(outcome, Failed) or outcome.layer is not Layer.BEARER:
        return False
    return "PPP" in outcome.told or "no carrier" in outcome.told


def nmcli(rig: Rig, *arguments: str) -> str:
    command = ["nmcli", "--terse", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def shown_password(rig: Rig, connection: str) -> str:
    return nmcli(
        rig, "--show-secrets", "--get-values", "gsm.password", "connection", "show", connection
    ).strip()


def autoconnects(rig: Rig) -> dict[str, str]:
    lines = nmcli(rig, "--fields", "NAME,AUTOCONNECT", "connection").split()
    return dict(line.split(":") for line in lines)


def test_a_switch_and_back(rig: Rig) -> None:
    """The modem gets each profile's APN; the old connection stays off; the owner's never changes."""
    before = (rig.connections / "foreign.nmconnection").read_bytes()
    applier = NetworkManagerApplier()
    assert isinstance(applier.prepare(TO_A, deadline=soon()), Applied)
    assert isinstance(applier.apply(TO_A, deadline=soon()), Applied)
    assert ends_at_ppp(applier.connect(TO_A, deadline=soon()))
    assert set(rig.front.dialled()) == {"a.example"}
    assert rig.front.contexts["1"] == '"IPV4V6","a.example"'

    prepared = applier.prepare(TO_B, deadline=soon())
    assert isinstance(prepared, Applied)
    assert autoconnects(rig) == {"lpad-0001": "no", "foreign": "no"}
    assert isinstance(applier.apply(TO_B, deadline=soon()), Applied)
    rig.switch(B)
    assert ends_at_ppp(applier.connect(TO_B, deadline=soon()))
    assert rig.modem_path().endswith("/Modem/1")
    assert rig.front.dialled()[-1] == "b.example"
    assert any(each.startswith('"IP",') and "b.example" in each for each in rig.front.contexts.values())
    assert autoconnects(rig) == {"lpad-0001": "no", "lpad-0002": "yes", "foreign": "no"}

    assert isinstance(applier.undo(TO_B, prepared.memory, deadline=soon()), Applied)
    assert autoconnects(rig) == {"lpad-0001": "yes", "lpad-0002": "no", "foreign": "no"}
    rig.switch(A)
    assert isinstance(applier.apply(BACK, deadline=soon()), Applied)
    assert ends_at_ppp(applier.connect(BACK, deadline=soon()))
    assert rig.front.dialled()[-1] == "a.example"
    assert rig.modem_path().endswith("/Modem/2")

    assert isinstance(applier.forget(B, deadline=soon()), Applied)
    assert set(autoconnects(rig)) == {"lpad-0001", "foreign"}
    assert (rig.connections / "foreign.nmconnection").read_bytes() == before
    assert applier.look(BACK, deadline=soon()).bearer.state is State.DOWN


def test_a_password_outlives_the_changes_of_autoconnect(rig: Rig) -> None:
    """Turning autoconnect off and on keeps the password, and the file stays closed to others."""
    applier = NetworkManagerApplier()
    applier.apply(TO_A, deadline=soon())
    applier.prepare(TO_B, deadline=soon())
    applier.undo(TO_B, {}, deadline=soon())
    stored = rig.connections / "lpad-0001.nmconnection"
    assert f"password={PASSWORD}" in stored.read_text().splitlines()
    assert stored.stat().st_mode & 0o077 == 0
    # nmcli omits the secrets if a signal about the last change reaches it between two calls.
    until(lambda: shown_password(rig, "lpad-0001") == PASSWORD, "the password as nmcli shows it")


def test_a_restart_of_network_manager_in_between(rig: Rig) -> None:
    """On disk, a profile's connection autoconnects, so that a gateway without lpad is online after a boot."""
    applier = NetworkManagerApplier()
    applier.apply(TO_A, deadline=soon())
    applier.prepare(TO_B, deadline=soon())
    assert "autoconnect=false" not in (rig.connections / "lpad-0001.nmconnection").read_text()


def test_signals_of_a_connection_attempt_are_heard(rig: Rig) -> None:
    """Lpad gets signals about an attempt to connect, from NetworkManager and from ModemManager."""
    heard: queue.Queue[Signal] = queue.Queue()
    applier = NetworkManagerApplier()
    watch = SignalWatch(applier.signals, hear=heard.put, lost=lambda: None)
    with closing(watch):
        assert watch.open()
        applier.apply(TO_A, deadline=soon())
        assert ends_at_ppp(applier.connect(TO_A, deadline=soon()))
        found: set[str] = set()
        while not found >= {"org.freedesktop.NetworkManager.Device", "org.freedesktop.ModemManager1.Modem"}:
            signal = heard.get(timeout=60)
            assert signal.member == "StateChanged"
            found.add(signal.interface)


def test_used_up_retries(rig: Rig) -> None:
    """Lpad activates a connection even if NetworkManager has used up its retries."""
    applier = NetworkManagerApplier()
    applier.apply(TO_A, deadline=soon())
    used_up = "connection 'lpad-0001' failed to autoconnect; 0 tries left"
    until(lambda: used_up in rig.log("NetworkManager"), "NetworkManager to use up its retries")
    dialled = len(rig.front.dialled())
    assert ends_at_ppp(applier.connect(TO_A, deadline=soon()))
    assert len(rig.front.dialled()) == dialled + 1


def test_a_foreign_connection_that_won(rig_of: Callable[..., Rig]) -> None:
    """A connection without sim-id that NetworkManager dialled is reported; the profile's own replaces it."""
    rig = rig_of(A)
    rig.keyfile(
        "any-sim",
        connection={"id": "any-sim", "type": "gsm", "uuid": FOREIGN},
        gsm={"apn": "foreign.example"},
    )
    rig.modem_path()
    rig.start_network_manager()
    rig.front.wait_for(lambda: "foreign.example" in rig.front.dialled())
    applier = NetworkManagerApplier()
    assert isinstance(applier.verify(TO_A, deadline=soon()), TryAgain)
    assert "'any-sim'" in applier.apply(TO_A, deadline=soon()).told
    assert ends_at_ppp(applier.connect(TO_A, deadline=soon()))
    assert "a.example" in rig.front.dialled()


def test_a_refused_apn_is_a_failed_bearer_with_its_cause(rig: Rig) -> None:
    """If the network refuses the APN, the bearer fails with ESM cause 27."""
    rig.front.refuse("b.example", "+CME ERROR: 127")
    applier = NetworkManagerApplier()
    applier.apply(TO_B, deadline=soon())
    rig.switch(B)
    outcome = applier.connect(TO_B, deadline=soon())
    assert isinstance(outcome, Failed)
    assert (outcome.layer, outcome.cause) == (Layer.BEARER, Cause(Procedure.ESM, 27))
