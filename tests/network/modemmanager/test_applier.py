"""The applier `modemmanager` with a double of ModemManager and a modem that connects."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from lpad.base.deadline import Deadline
from lpad.base.identifiers import swap_nibbles
from lpad.network.applier_interface import Applied, Failed, State, TryAgain, Wanted
from lpad.network.connection_layer_names import Layer
from lpad.network.modemmanager.applier import ModemManagerApplier
from lpad.network.network_settings import InitialBearer, NetworkSettings
from lpad.network.reject_cause import Cause, Procedure
from network.applier_contract import (
    EID,
    EVERYTHING,
    NEW,
    NEW_SETTINGS,
    OLD,
    PASSWORD,
    ApplierContract,
    Bench,
    soon,
)
from network.gateway_double import ADDRESS, MM, CardFollows, GatewayDouble, ModemInSlot

if TYPE_CHECKING:
    from dbus_fast import Variant

    from lpad.network.applier_interface import Modem

EQUIPMENT = f"{MM}.Error.MobileEquipment"


class TestContract(ApplierContract):
    """The applier `modemmanager` with `connect` passes the tests of the contract."""

    @pytest.fixture
    def bench(self, gateway: GatewayDouble) -> Bench:
        return Bench(
            applier=CardFollows(ModemManagerApplier(connects=True), gateway),
            apn=gateway.bearer_apn,
            modem=ModemInSlot(),
            disturb=gateway.end,
            silence=gateway.fall_silent,
            bearer_seen=State.UP,
        )


class TestInitialBearerOnly(ApplierContract):
    """Without `connect`, the applier `modemmanager` passes the contract's tests, too."""

    @pytest.fixture
    def bench(self, gateway: GatewayDouble) -> Bench:
        def apn() -> str | None:
            set_to = gateway.initial.get("apn")
            # One of the contract's settings has different APNs for attaching and connecting.
            return None if set_to is None or set_to.value == "first.example" else str(set_to.value)

        return Bench(
            applier=CardFollows(ModemManagerApplier(connects=False), gateway),
            apn=apn,
            modem=ModemInSlot(),
            disturb=gateway.end,
            silence=gateway.fall_silent,
            bearer_seen=State.UNKNOWN,
        )


def wanted(
    settings: NetworkSettings = NEW_SETTINGS, *, modem: Modem | None = None, iccid: str = NEW
) -> Wanted:
    return Wanted(eid=EID, iccid=iccid, settings=settings, previous_iccid=OLD, modem=modem or ModemInSlot())


def plain(values: dict[str, Variant] | None) -> dict[str, Any]:
    return {} if values is None else {name: each.value for name, each in values.items()}


def test_modemmanager_gets_its_own_numbers(gateway: GatewayDouble) -> None:
    """ModemManager gets the settings, with authentication and IP type as its own numbers."""
    gateway.probe(NEW)
    ModemManagerApplier(connects=True).connect(wanted(EVERYTHING), deadline=soon())
    secrets = {"user": "user", "password": PASSWORD, "allowed-auth": 2, "ip-type": 2}
    assert plain(gateway.initial) == {"apn": "first.example", **secrets}
    assert plain(gateway.bearer) == {"apn": "all.example", "allow-roaming": False, **secrets}


def test_initial_bearer_is_left(gateway: GatewayDouble) -> None:
    """With `initial_bearer: leave` and without `connect`, the applier changes nothing."""
    gateway.probe(NEW)
    settings = NetworkSettings(apn="x", initial_bearer=InitialBearer.LEAVE)
    outcome = ModemManagerApplier(connects=False).connect(wanted(settings), deadline=soon())
    assert isinstance(outcome, Applied)
    assert (gateway.initial, gateway.bearer) == ({}, None)


def test_initial_bearer_cannot_be_set(gateway: GatewayDouble) -> None:
    """An initial bearer that cannot be set is a failure, unless the applier also connects."""
    gateway.probe(NEW)
    gateway.initial_error = f"{MM}.Error.Core.Unsupported"
    outcome = ModemManagerApplier(connects=False).connect(wanted(), deadline=soon())
    assert isinstance(outcome, Failed)
    assert "Unsupported" in outcome.told
    assert "'at'" in outcome.told
    assert isinstance(ModemManagerApplier(connects=True).connect(wanted(), deadline=soon()), Applied)


@pytest.mark.parametrize(
    ("error", "layer", "cause"),
    [
        (f"{EQUIPMENT}.MissingOrUnknownApn", Layer.BEARER, Cause(Procedure.ESM, 27)),
        (f"{EQUIPMENT}.UserAuthenticationFailed", Layer.BEARER, Cause(Procedure.ESM, 29)),
        (f"{EQUIPMENT}.ServiceOptionNotSubscribed", Layer.BEARER, Cause(Procedure.ESM, 33)),
        (f"{EQUIPMENT}.Ipv4OnlyAllowed", Layer.BEARER, Cause(Procedure.ESM, 50)),
        (f"{EQUIPMENT}.Ipv6OnlyAllowed", Layer.BEARER, Cause(Procedure.ESM, 51)),
        (f"{EQUIPMENT}.PlmnNotAllowed", Layer.REGISTERED, Cause(Procedure.EMM, 11)),
        (f"{MM}.Error.Core.Failed", Layer.BEARER, None),
    ],
)
def test_failures_name_their_layer(
    gateway: GatewayDouble, error: str, layer: Layer, cause: Cause | None
) -> None:
    """A refused connection's outcome has layer and cause, which `look` then reports, too."""
    gateway.probe(NEW)
    gateway.connect_error = error
    applier = ModemManagerApplier(connects=True)
    outcome = applier.connect(wanted(), deadline=soon())
    assert isinstance(outcome, Failed)
    assert (outcome.layer, outcome.cause) == (layer, cause)
    seen = applier.look(wanted(), deadline=soon()).bearer
    assert (seen.state, seen.cause) == (State.DOWN, cause)


def test_no_network_yet(gateway: GatewayDouble) -> None:
    """If a connection fails because there is no network, the outcome allows another attempt."""
    gateway.probe(NEW)
    gateway.connect_error = f"{EQUIPMENT}.NoNetwork"
    outcome = ModemManagerApplier(connects=True).connect(wanted(), deadline=soon())
    assert isinstance(outcome, TryAgain)
    assert outcome.layer is Layer.REGISTERED


def test_another_apn_is_disconnected(gateway: GatewayDouble) -> None:
    """The applier disconnects another APN first; the same settings can be connected again."""
    gateway.probe(NEW)
    applier = ModemManagerApplier(connects=True)
    for settings in (NEW_SETTINGS, NEW_SETTINGS, NetworkSettings(apn="b.example")):
        assert isinstance(applier.connect(wanted(settings), deadline=soon()), Applied)
        assert gateway.bearer_apn() == settings.apn
    asked = [call.member for call in gateway.mm.calls if call.member in {"Connect", "Disconnect"}]
    assert asked == ["Connect", "Connect", "Disconnect", "Connect"]


def test_sees_bearer_and_address(gateway: GatewayDouble) -> None:
    """`look` reports bearer, address and interface of a connection, and before it a down bearer."""
    gateway.probe(NEW)
    applier = ModemManagerApplier(connects=True)
    assert applier.look(wanted(), deadline=soon()).bearer.state is State.DOWN
    outcome = applier.connect(wanted(), deadline=soon())
    assert isinstance(outcome, Applied)
    assert outcome.interface == "wwan0"
    seen = applier.look(wanted(), deadline=soon())
    assert (seen.bearer.state, seen.address.state) == (State.UP, State.UP)
    assert (seen.addresses, seen.interface) == ((ADDRESS,), "wwan0")


class AnyModem(ModemInSlot):
    """A modem that reports no IMEI."""

    imei = None


def test_follows_the_modem(gateway: GatewayDouble) -> None:
    """The applier finds a modem by its IMEI after the modem's path has changed, and also without an IMEI."""
    applier = ModemManagerApplier(connects=True)
    later = threading.Timer(0.3, gateway.probe, (NEW,))
    later.start()
    assert isinstance(applier.connect(wanted(), deadline=soon()), Applied)
    later.join()
    gateway.probe(NEW)
    assert gateway.modem.endswith("/2")
    assert isinstance(applier.connect(wanted(modem=AnyModem()), deadline=soon()), Applied)


@pytest.mark.parametrize(
    ("iccid", "state", "reason", "told"),
    [
        (OLD, 8, 0, "the previous profile"),
        (None, -1, 2, "it finds no SIM"),
        (None, -1, 5, "no enabled profile"),
        (None, 2, 0, "PIN"),
    ],
)
def test_the_modem_does_not_read_the_profile(
    gateway: GatewayDouble, iccid: str | None, state: int, reason: int, told: str
) -> None:
    """If the modem has not read the profile, the outcome gives the reason, and allows another attempt."""
    gateway.probe(iccid)
    gateway.state, gateway.failed_reason = state, reason
    outcome = ModemManagerApplier(connects=True).connect(wanted(), deadline=Deadline.after(1))
    assert isinstance(outcome, TryAgain)
    assert outcome.layer is Layer.MODEM
    assert told in outcome.told


@pytest.mark.parametrize("form", ["{iccid}F", "{iccid}f", "{swapped}"])
def test_an_iccid_in_another_form(gateway: GatewayDouble, form: str) -> None:
    """The applier recognises an ICCID that ModemManager shows with padding or with swapped digits."""
    swapped = swap_nibbles(bytes.fromhex(f"{NEW}F")).hex()
    gateway.probe(form.format(iccid=NEW, swapped=swapped))
    assert isinstance(ModemManagerApplier(connects=True).connect(wanted(), deadline=soon()), Applied)


def test_a_stale_modem_is_probed_again(gateway: GatewayDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """If ModemManager still shows the previous profile, the modem is probed again, once."""
    monkeypatch.setattr("lpad.network.modemmanager.applier.STALE", 0.0)
    gateway.card = NEW
    assert isinstance(ModemManagerApplier(connects=True).connect(wanted(), deadline=soon()), Applied)
    assert gateway.inhibited == [True, False]
    gateway.card, gateway.iccid = None, OLD
    outcome = ModemManagerApplier(connects=True).connect(wanted(), deadline=Deadline.after(5))
    assert isinstance(outcome, TryAgain)
    assert gateway.inhibited == [True, False] * 2


def test_another_modem_is_left_alone(gateway: GatewayDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the modem has no IMEI or is unknown, the applier does not have ModemManager's modem probed again."""
    monkeypatch.setattr("lpad.network.modemmanager.applier.STALE", 0.0)
    for modem in (AnyModem(), None):
        asked = Wanted(eid=EID, iccid=NEW, settings=NEW_SETTINGS, previous_iccid=OLD, modem=modem)
        outcome = ModemManagerApplier(connects=True).connect(asked, deadline=Deadline.after(3))
        assert isinstance(outcome, TryAgain)
    assert gateway.inhibited == []
