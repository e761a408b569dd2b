"""The applier `networkmanager` with doubles of NetworkManager and ModemManager, and a modem that connects."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from dbus_fast import Variant

from lpad.base.cancellation import Cancellation
from lpad.base.deadline import Deadline
from lpad.base.errors import Cancelled
from lpad.network.applier_interface import Applied, Failed, State, TryAgain, Wanted
from lpad.network.connection_layer_names import Layer
from lpad.network.network_settings import EMPTY, NetworkSettings
from lpad.network.networkmanager.applier import NetworkManagerApplier
from lpad.network.reject_cause import Cause, Procedure
from network.applier_contract import (
    EID,
    EVERYTHING,
    NEW,
    NEW_SETTINGS,
    OLD,
    OLD_SETTINGS,
    PASSWORD,
    WITH_SECRET,
    ApplierContract,
    Bench,
    soon,
)
from network.gateway_double import ADDRESS, MM, NM, CardFollows, GatewayDouble, ModemInSlot

if TYPE_CHECKING:
    from collections.abc import Callable

IN_MEMORY, TO_DISK = 2, 1
PIN = f"{MM}.Error.MobileEquipment.SimPin"


class TestContract(ApplierContract):
    """The applier `networkmanager` passes the tests of the contract."""

    @pytest.fixture
    def bench(self, gateway: GatewayDouble) -> Bench:
        return Bench(
            applier=CardFollows(NetworkManagerApplier(), gateway),
            apn=gateway.apn,
            modem=ModemInSlot(),
            disturb=gateway.end,
            silence=gateway.fall_silent,
            bearer_seen=State.UP,
        )


@pytest.fixture
def applier() -> NetworkManagerApplier:
    """The applier without a card that follows it: the test changes the modem's card."""
    return NetworkManagerApplier()


def wanted(
    settings: NetworkSettings = NEW_SETTINGS, *, iccid: str = NEW, previous: str | None = OLD, eid: str = EID
) -> Wanted:
    return Wanted(eid=eid, iccid=iccid, settings=settings, previous_iccid=previous, modem=ModemInSlot())


def old(settings: NetworkSettings = OLD_SETTINGS) -> Wanted:
    return wanted(settings, iccid=OLD, previous=None)


def is_on(gateway: GatewayDouble, iccid: str) -> bool:
    tree = gateway.named(iccid)
    assert tree is not None
    autoconnect = tree["connection"].get("autoconnect")
    return autoconnect is None or bool(autoconnect.value)


def values(gateway: GatewayDouble, iccid: str, section: str) -> dict[str, Any]:
    tree = gateway.named(iccid)
    assert tree is not None
    return {name: each.value for name, each in tree[section].items()}


def test_the_old_connection_does_not_come_back(
    gateway: GatewayDouble, applier: NetworkManagerApplier
) -> None:
    """Before a switch the old profile's connection stops autoconnecting, in memory; undo turns it back on."""
    applier.apply(old(), deadline=soon())
    gateway.flags.clear()
    prepared = applier.prepare(wanted(), deadline=soon())
    assert not is_on(gateway, OLD)
    assert gateway.flags == [IN_MEMORY]
    applier.apply(wanted(), deadline=soon())
    assert is_on(gateway, NEW)
    assert isinstance(prepared, Applied)
    applier.undo(wanted(), prepared.memory, deadline=soon())
    assert is_on(gateway, OLD)
    assert not is_on(gateway, NEW)
    assert gateway.flags == [IN_MEMORY, TO_DISK, IN_MEMORY]


def test_another_euiccs_connections_stay(gateway: GatewayDouble, applier: NetworkManagerApplier) -> None:
    """A switch of one eUICC does not turn off the connection of another eUICC's profile."""
    other = wanted(
        OLD_SETTINGS, iccid="8988211000000000007", previous=None, eid="89049032000000000000000000000777"
    )
    applier.apply(other, deadline=soon())
    applier.prepare(wanted(), deadline=soon())
    applier.apply(wanted(), deadline=soon())
    assert is_on(gateway, other.iccid)


def test_settings_of_the_connection(gateway: GatewayDouble, applier: NetworkManagerApplier) -> None:
    """The connection has all network settings and lpad's mark, and no agent is asked for secrets."""
    applier.apply(wanted(EVERYTHING), deadline=soon())
    assert values(gateway, NEW, "gsm") == {
        "apn": "all.example",
        "username": "user",
        "password": PASSWORD,
        "password-flags": 0,
        "pin-flags": 4,
        "home-only": True,
        "auto-config": False,
        "sim-id": NEW,
        "mtu": 1400,
    }
    assert values(gateway, NEW, "ipv4")["method"] == "disabled"
    assert values(gateway, NEW, "ipv6")["method"] == "auto"
    assert values(gateway, NEW, "user")["data"] == {"org.lpad.iccid": NEW, "org.lpad.eid": EID}
    assert values(gateway, NEW, "ppp")["refuse-chap"]
    assert values(gateway, NEW, "connection")["autoconnect-priority"] == 10
    assert NEW not in values(gateway, NEW, "connection")["id"]


def test_without_a_password_none_is_asked_for(gateway: GatewayDouble, applier: NetworkManagerApplier) -> None:
    """A connection without a password says that none is required, so that no agent is asked."""
    applier.apply(wanted(NetworkSettings()), deadline=soon())
    gsm = values(gateway, NEW, "gsm")
    assert (gsm["password-flags"], gsm["pin-flags"]) == (4, 4)
    assert "apn" not in gsm


def test_newer_versions_get_the_initial_bearer(address: str, applier: NetworkManagerApplier) -> None:
    """From NetworkManager 1.44 on, the connection sets the initial EPS bearer, not ModemManager."""
    with GatewayDouble(address, iccid=NEW, version="1.46.0") as gateway:
        applier.apply(wanted(EVERYTHING), deadline=soon())
        gsm = values(gateway, NEW, "gsm")
        assert (gsm["initial-eps-bearer-configure"], gsm["initial-eps-bearer-apn"]) == (True, "first.example")
        applier.connect(wanted(EVERYTHING), deadline=soon())
        assert gateway.initial == {}


def test_older_versions_have_modem_manager_set_it(
    gateway: GatewayDouble, applier: NetworkManagerApplier
) -> None:
    """Below NetworkManager 1.44, ModemManager sets the initial EPS bearer; its refusal is ignored."""
    gateway.probe(NEW)
    applier.apply(wanted(), deadline=soon())
    assert isinstance(applier.connect(wanted(), deadline=soon()), Applied)
    assert gateway.initial["apn"].value == NEW_SETTINGS.apn
    gateway.initial.clear()
    gateway.initial_error = f"{MM}.Error.Core.Unsupported"
    assert isinstance(applier.connect(wanted(), deadline=soon()), Applied)


def test_the_owners_additions_stay(gateway: GatewayDouble, applier: NetworkManagerApplier) -> None:
    """A change of lpad's own connection keeps the owner's additions, such as a route metric."""
    applier.apply(wanted(EVERYTHING), deadline=soon())
    tree = gateway.named(NEW)
    assert tree is not None
    tree["ipv4"]["route-metric"] = Variant("x", 300)
    tree["connection"]["metered"] = Variant("i", 1)
    applier.apply(wanted(), deadline=soon())
    assert values(gateway, NEW, "ipv4") == {"method": "auto", "route-metric": 300}
    assert values(gateway, NEW, "connection")["metered"] == 1
    assert "username" not in values(gateway, NEW, "gsm")
    assert "refuse-chap" not in values(gateway, NEW, "ppp")


def test_foreign_connections_are_reported_and_left_alone(
    gateway: GatewayDouble, applier: NetworkManagerApplier, caplog: pytest.LogCaptureFixture
) -> None:
    """A foreign connection that autoconnects is named, once in the log, and is not edited."""
    gateway.add("any-sim", gsm={"apn": "x"})
    gateway.add("bound", gsm={"apn": "y", "sim-id": OLD})
    gateway.add("manual", gsm={"apn": "z"}, connection={"autoconnect": Variant("b", False)})
    for _ in range(2):
        told = applier.apply(wanted(), deadline=soon()).told
        assert "'any-sim'" in told
        assert "'bound'" not in told
        assert "'manual'" not in told
    applier.prepare(wanted(), deadline=soon())
    applier.undo(wanted(), {}, deadline=soon())
    applier.forget(NEW, deadline=soon())
    assert not {"any-sim-uuid", "bound-uuid", "manual-uuid"} & set(gateway.edited)
    assert len([each for each in caplog.records if "any-sim" in each.getMessage()]) == 1


def test_the_active_connection_is_compared(gateway: GatewayDouble, applier: NetworkManagerApplier) -> None:
    """If a foreign connection is active, `verify` names it, and `connect` activates lpad's."""
    foreign = gateway.add("any-sim", gsm={"apn": "x"})
    gateway.probe(NEW)
    gateway.active, gateway.applied, gateway.device_state = foreign, gateway.stored[foreign], (100, 0)
    applier.apply(wanted(), deadline=soon())
    found = applier.verify(wanted(), deadline=soon())
    assert isinstance(found, TryAgain)
    assert "'any-sim'" in found.told
    assert "'any-sim'" in applier.look(wanted(), deadline=soon()).bearer.told
    assert isinstance(applier.connect(wanted(), deadline=soon()), Applied)
    assert gateway.apn() == NEW_SETTINGS.apn
    assert isinstance(applier.verify(wanted(), deadline=soon()), Applied)


def test_changed_settings_are_activated_again(gateway: GatewayDouble, applier: NetworkManagerApplier) -> None:
    """An active connection is activated again only if its settings were changed."""
    gateway.probe(NEW)
    for settings, activations in ((NEW_SETTINGS, 1), (NEW_SETTINGS, 1), (NetworkSettings(apn="b"), 2)):
        applier.apply(wanted(settings), deadline=soon())
        assert isinstance(applier.connect(wanted(settings), deadline=soon()), Applied)
        assert len(gateway.activations) == activations
    assert isinstance(applier.verify(wanted(), deadline=soon()), TryAgain)


def test_waits_for_the_modem(gateway: GatewayDouble, applier: NetworkManagerApplier) -> None:
    """The applier waits for a modem that is still being probed, and finds it under its new path."""
    applier.apply(wanted(), deadline=soon())
    later = threading.Timer(0.3, gateway.probe, (NEW,))
    later.start()
    assert isinstance(applier.connect(wanted(), deadline=soon()), Applied)
    later.join()
    assert gateway.modem.endswith("/1")


def test_without_modem_manager(gateway: GatewayDouble, applier: NetworkManagerApplier) -> None:
    """Without ModemManager, connections are stored, and `connect` allows another attempt."""
    gateway.mm.leave()
    assert isinstance(applier.prepare(wanted(), deadline=soon()), Applied)
    assert isinstance(applier.apply(wanted(), deadline=soon()), Applied)
    outcome = applier.connect(wanted(), deadline=Deadline.after(2))
    assert isinstance(outcome, TryAgain)
    assert "ModemManager does not run" in outcome.told


def test_a_stale_card_is_reported(gateway: GatewayDouble, applier: NetworkManagerApplier) -> None:
    """Until the modem has read the profile, nothing is activated, and the outcome's layer is the modem."""
    applier.apply(wanted(), deadline=soon())
    outcome = applier.connect(wanted(), deadline=Deadline.after(2))
    assert isinstance(outcome, TryAgain)
    assert outcome.layer is Layer.MODEM
    assert gateway.activations == []


def test_the_owners_connection_serves_a_profile_without_settings(
    gateway: GatewayDouble, applier: NetworkManagerApplier
) -> None:
    """Without lpad's settings, the owner's connection with the sim-id is activated, unedited."""
    gateway.add("mine", gsm={"apn": "own.example", "sim-id": NEW})
    gateway.probe(NEW)
    applier.apply(wanted(EMPTY), deadline=soon())
    assert isinstance(applier.connect(wanted(EMPTY), deadline=soon()), Applied)
    assert gateway.apn() == "own.example"
    assert isinstance(applier.verify(wanted(EMPTY), deadline=soon()), Applied)
    assert gateway.named(NEW) is None
    assert gateway.edited == []


def test_goes_back_to_the_owners_connection(gateway: GatewayDouble) -> None:
    """If the owner's connection was active before the switch, it is active again after a rollback."""
    foreign = gateway.add("any-sim", gsm={"apn": "own.example"})
    gateway.active, gateway.applied, gateway.device_state = foreign, gateway.stored[foreign], (100, 0)
    first = NetworkManagerApplier()
    prepared = first.prepare(wanted(), deadline=soon())
    assert isinstance(prepared, Applied)
    first.apply(wanted(), deadline=soon())
    gateway.probe(NEW)
    first.connect(wanted(), deadline=soon())
    restarted = NetworkManagerApplier()
    restarted.undo(wanted(), prepared.memory, deadline=soon())
    gateway.probe(OLD)
    back = wanted(EMPTY, iccid=OLD, previous=NEW)
    restarted.apply(back, deadline=soon())
    assert isinstance(restarted.connect(back, deadline=soon()), Applied)
    assert gateway.apn() == "own.example"
    assert gateway.named(OLD) is None
    assert "any-sim-uuid" not in gateway.edited


@pytest.mark.parametrize(
    ("reason", "error", "layer", "cause"),
    [
        (29, None, Layer.BEARER, Cause(Procedure.ESM, 27)),
        (25, f"{MM}.Error.MobileEquipment.UserAuthenticationFailed", Layer.BEARER, Cause(Procedure.ESM, 29)),
        (25, f"{MM}.Error.MobileEquipment.Ipv4OnlyAllowed", Layer.BEARER, Cause(Procedure.ESM, 50)),
        (31, f"{MM}.Error.MobileEquipment.PlmnNotAllowed", Layer.REGISTERED, Cause(Procedure.EMM, 11)),
        (32, None, Layer.REGISTERED, None),
        (46, PIN, Layer.MODEM, None),
        (14, None, Layer.BEARER, None),
        (17, None, Layer.ADDRESS, None),
        (999, None, Layer.BEARER, None),
    ],
)
def test_failures_name_their_layer(
    gateway: GatewayDouble,
    applier: NetworkManagerApplier,
    reason: int,
    error: str | None,
    layer: Layer,
    cause: Cause | None,
) -> None:
    """A failed activation's outcome has the layer, and the network's cause if it is known."""
    gateway.probe(NEW)
    gateway.reason = reason
    gateway.connect_error = error
    gateway.bearer = {}
    applier.apply(wanted(), deadline=soon())
    outcome = applier.connect(wanted(), deadline=soon())
    assert isinstance(outcome, Failed)
    assert (outcome.layer, outcome.cause) == (layer, cause)
    seen = applier.look(wanted(), deadline=soon())
    if layer is Layer.ADDRESS:
        assert (seen.bearer.state, seen.address.state) == (State.UP, State.DOWN)
    else:
        assert (seen.bearer.state, seen.bearer.cause) == (State.DOWN, cause)
    gateway.reason = None
    assert isinstance(applier.connect(wanted(), deadline=soon()), Applied)
    assert applier.look(wanted(), deadline=soon()).bearer.cause is None


def test_sees_bearer_and_address(gateway: GatewayDouble, applier: NetworkManagerApplier) -> None:
    """While NetworkManager connects, the bearer is down; then `look` reports bearer and address."""
    gateway.probe(NEW)
    gateway.hold = True
    applier.apply(wanted(), deadline=soon())
    began = time.monotonic()
    outcome = applier.connect(wanted(), deadline=Deadline.after(2))
    assert isinstance(outcome, Applied)
    assert "still" in outcome.told
    assert time.monotonic() - began < 30
    assert applier.look(wanted(), deadline=soon()).bearer.state is State.DOWN
    gateway.nm.do(lambda: gateway._device_to(100, 0))
    assert isinstance(applier.connect(wanted(), deadline=soon()), Applied)
    seen = applier.look(wanted(), deadline=soon())
    assert (seen.bearer.state, seen.address.state) == (State.UP, State.UP)
    assert (seen.addresses, seen.interface) == ((ADDRESS,), "wwan0")
    assert len(gateway.activations) == 1


def test_deletes_the_connection_with_the_profile(
    gateway: GatewayDouble, applier: NetworkManagerApplier
) -> None:
    """When the applier forgets a profile, it deletes only lpad's connection for this profile."""
    for each in (old(), wanted()):
        applier.apply(each, deadline=soon())
    foreign = gateway.add("same-sim", gsm={"apn": "x", "sim-id": NEW})
    assert applier.forget(NEW, deadline=soon()).told == "the profile's connection was deleted"
    assert gateway.named(NEW) is None
    assert gateway.named(OLD) is not None
    assert foreign in gateway.stored


@pytest.mark.parametrize(
    ("refusal", "kind", "told"),
    [
        (f"{NM}.Settings.PermissionDenied", Failed, "polkit action"),
        (f"{NM}.Settings.InvalidConnection", Failed, "InvalidConnection"),
        ("org.freedesktop.DBus.Error.NoReply", TryAgain, "check whether its service runs"),
    ],
)
def test_a_refusal_states_what_to_do(
    gateway: GatewayDouble, applier: NetworkManagerApplier, refusal: str, kind: type, told: str
) -> None:
    """The outcome of a refusal gives a remedy, and allows another attempt if that is useful."""
    gateway.refuse = refusal
    outcome = applier.apply(wanted(WITH_SECRET), deadline=soon())
    assert isinstance(outcome, kind)
    assert told in outcome.told


def test_an_apn_too_long(gateway: GatewayDouble, applier: NetworkManagerApplier) -> None:
    """An APN of more than 64 characters is a failure that gives the limit."""
    outcome = applier.apply(wanted(NetworkSettings(apn="a" * 65)), deadline=soon())
    assert isinstance(outcome, Failed)
    assert "64 characters" in outcome.told


def test_an_unmanaged_device(gateway: GatewayDouble, applier: NetworkManagerApplier) -> None:
    """If NetworkManager does not manage the modem's device, the outcome is a failure with this reason."""
    applier.apply(wanted(), deadline=soon())
    gateway.probe(NEW)
    gateway.device_state = (10, 3)
    outcome = applier.connect(wanted(), deadline=soon())
    assert isinstance(outcome, Failed)
    assert "unmanaged" in outcome.told


def _odd_version(gateway: GatewayDouble) -> None:
    gateway.version = "git"


def _odd_settings(gateway: GatewayDouble) -> None:
    gateway._store({"connection": {"id": Variant("u", 1)}, "gsm": {"sim-id": Variant("b", True)}, "user": {}})


def _odd_modem(gateway: GatewayDouble) -> None:
    gateway.initial = {"apn": Variant("u", 1), "ip-type": Variant("s", "x")}
    gateway.failed_reason = 77


@pytest.mark.parametrize("disturb", [_odd_version, _odd_settings, _odd_modem])
def test_odd_answers_do_not_hide_the_others(
    gateway: GatewayDouble, applier: NetworkManagerApplier, disturb: Callable[[GatewayDouble], None]
) -> None:
    """The applier works even if D-Bus shows an invalid version, connection or property."""
    gateway.probe(NEW)
    disturb(gateway)
    applier.prepare(wanted(), deadline=soon())
    applier.apply(wanted(), deadline=soon())
    assert isinstance(applier.connect(wanted(), deadline=soon()), Applied)
    assert gateway.apn() == NEW_SETTINGS.apn


def test_a_wait_for_the_modem_can_be_cancelled(
    gateway: GatewayDouble, applier: NetworkManagerApplier
) -> None:
    """A wait for the modem ends as soon as the change is cancelled."""
    cancellation = Cancellation()
    applier.apply(wanted(), deadline=soon())
    threading.Timer(0.2, cancellation.cancel, ("stop",)).start()
    with pytest.raises(Cancelled, match="stop"):
        applier.connect(wanted(), deadline=Deadline.after(60, cancellation=cancellation))
