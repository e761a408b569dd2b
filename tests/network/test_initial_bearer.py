"""The applier `at` on a simulated MBIM modem that stores the settings of its initial bearer."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from lpad.codec.mbim.data_connection import LteAttachContext, SetLteAttachConfiguration
from lpad.codec.mbim.information_buffer import decode
from lpad.codec.mbim.messages import Action, Command
from lpad.codec.mbim.services import BASIC_CONNECT, BASIC_CONNECT_EXTENSIONS, Basic, Extended
from lpad.network.applier_interface import Applied, Failed, State, Wanted
from lpad.network.at_applier import AtApplier
from lpad.network.connection_layer_names import Layer
from lpad.network.network_settings import Authentication, InitialBearer, IpType, NetworkSettings
from lpad.simulator.mbim.behaviour import MbimBehaviour
from lpad.simulator.modem.pdp_contexts import Subscription
from network.applier_contract import EID, NEW, OLD, PASSWORD, soon
from network.modem_bench import MbimRig, mbim_rig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PRIVATE = {NEW: Subscription(apns=("iot.example",))}
IOT = NetworkSettings(apn="iot.example")


@contextmanager
def rig(folder: Path, **habits: Any) -> Iterator[MbimRig]:
    with mbim_rig(folder, mbim=MbimBehaviour(lte_attach=True), **habits) as on:
        yield on


def wanted(on: MbimRig, settings: NetworkSettings = IOT) -> Wanted:
    return Wanted(eid=EID, iccid=NEW, settings=settings, previous_iccid=OLD, modem=on.at_hand)


def stored(on: MbimRig) -> list[list[LteAttachContext]]:
    """Return the contexts of each received request that stores attach contexts."""
    return [
        [decode(LteAttachContext, one) for one in decode(SetLteAttachConfiguration, each.info).contexts]
        for each in on.modem.received
        if isinstance(each, Command)
        and (each.service, each.cid, each.action)
        == (BASIC_CONNECT_EXTENSIONS, Extended.LTE_ATTACH_CONFIGURATION, Action.SET)
    ]


def attaches(on: MbimRig) -> int:
    wanted = (BASIC_CONNECT, Basic.PACKET_SERVICE, Action.SET)
    return sum(
        isinstance(each, Command) and (each.service, each.cid, each.action) == wanted
        for each in on.modem.received
    )


def connect(on: MbimRig, settings: NetworkSettings = IOT) -> None:
    applier = AtApplier()
    assert isinstance(applier.apply(wanted(on, settings), deadline=soon()), Applied)
    assert isinstance(applier.connect(wanted(on, settings), deadline=soon()), Applied)


def test_a_profile_whose_initial_bearer_needs_an_apn_is_connected(tmp_path: Path) -> None:
    """If the network rejects an attach with the default APN, lpad first stores the APN for attaching."""
    with rig(tmp_path, subscriptions=PRIVATE) as on:
        registered = AtApplier().connect(wanted(on), deadline=soon())
        assert not isinstance(registered, Applied)
        connect(on)
        assert [(each.apn, each.roaming, each.source) for each in stored(on)[0]] == [
            ("iot.example", roaming, 1) for roaming in (0, 1, 2)
        ]
        assert AtApplier().look(wanted(on), deadline=soon()).bearer.state is State.UP
        assert isinstance(AtApplier().verify(wanted(on), deadline=soon()), Applied)


def test_settings_that_the_modem_has_are_left(tmp_path: Path) -> None:
    """If the modem already has the attach settings, even with another case, lpad leaves them."""
    with rig(tmp_path) as on:
        connect(on)
        asked = len(stored(on)), attaches(on)
        connect(on, NetworkSettings(apn="IOT.example"))
        assert (len(stored(on)), attaches(on)) == asked == (1, 2)


@pytest.mark.parametrize(
    ("settings", "apns"),
    [
        (NetworkSettings(apn="em", initial_bearer=InitialBearer.LEAVE), []),
        (NetworkSettings(apn="em", initial_bearer=InitialBearer.APN, initial_bearer_apn="ims"), ["ims"]),
        (NetworkSettings(apn="em"), ["em"]),
    ],
)
def test_the_initial_bearer_of_the_settings(
    settings: NetworkSettings, apns: list[str], tmp_path: Path
) -> None:
    """By the settings, the initial bearer is left alone, or gets its own APN or the connection's APN."""
    with rig(tmp_path) as on:
        connect(on, settings)
        assert [each[0].apn for each in stored(on)] == apns
        assert on.sessions[-1].apn == "em"


def test_credentials_belong_to_the_connections_apn(tmp_path: Path) -> None:
    """Credentials are stored with the connection's APN, at each switch, and not with another APN."""
    secret = NetworkSettings(
        apn="em", username="user", password=PASSWORD, authentication=Authentication.CHAP, ip=IpType.IPV4
    )
    other = NetworkSettings(
        apn="em",
        username="user",
        password=PASSWORD,
        authentication=Authentication.CHAP,
        initial_bearer=InitialBearer.APN,
        initial_bearer_apn="",
    )
    with rig(tmp_path, subscriptions={NEW: Subscription(credentials=("user", PASSWORD))}) as on:
        connect(on, secret)
        connect(on, secret)
        told = [
            (each[0].user_name, each[0].password, each[0].authentication, each[0].ip_type)
            for each in stored(on)
        ]
        assert told == [("user", PASSWORD, 2, 1)] * 2
        AtApplier().apply(wanted(on, other), deadline=soon())
        assert (stored(on)[-1][0].apn, stored(on)[-1][0].user_name, stored(on)[-1][0].password) == (
            "",
            "",
            "",
        )


def test_a_rollback_restores_the_previous_ones(tmp_path: Path) -> None:
    """A rollback restores the attach settings that `prepare` gave for the journal."""
    with rig(tmp_path) as on:
        connect(on, NetworkSettings(apn="old.example", ip=IpType.IPV4))
        prepared = AtApplier().prepare(wanted(on), deadline=soon())
        assert isinstance(prepared, Applied)
        assert prepared.memory == {"initial-bearer": "IP,old.example"}
        connect(on)
        AtApplier().undo(wanted(on), prepared.memory, deadline=soon())
        assert (stored(on)[-1][0].apn, stored(on)[-1][0].ip_type) == ("old.example", 1)


def test_settings_that_another_program_changed_are_noticed(tmp_path: Path) -> None:
    """If the initial bearer's settings differ from the profile's, `verify` fails at the layer modem."""
    with rig(tmp_path) as on:
        connect(on)
        found = AtApplier().verify(wanted(on, NetworkSettings(apn="new.example")), deadline=soon())
        assert isinstance(found, Failed)
        assert found.layer is Layer.MODEM


def test_a_modem_without_such_settings_is_connected_as_before(tmp_path: Path) -> None:
    """On a modem that stores no initial bearer, only the session gets the APN."""
    with mbim_rig(tmp_path) as on:
        connect(on)
        assert not stored(on)
        assert on.sessions[-1].apn == "iot.example"
        assert isinstance(AtApplier().verify(wanted(on), deadline=soon()), Applied)


def test_a_modem_that_refuses_them_is_connected_as_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """If the modem refuses an initial bearer, this is logged, and the session is opened anyway."""
    with mbim_rig(tmp_path, mbim=MbimBehaviour(lte_attach=True, lte_attach_fixed=True)) as on:
        connect(on)
        assert "refuses to attach with the APN" in caplog.text
        assert on.sessions[-1].apn == "iot.example"
