"""The applier `at` on a simulated modem's QMI port: the data sessions, their refusals and their addresses."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from lpad.base.deadline import Deadline
from lpad.card.quirks.quirks import AtTimeouts
from lpad.codec.qmi import data_session
from lpad.codec.qmi.services import Service
from lpad.network.applier_interface import Applied, Connection, Failed, State, TryAgain, Wanted
from lpad.network.at_applier import AtApplier
from lpad.network.connection_layer_names import Layer
from lpad.network.network_settings import Authentication, IpType, NetworkSettings
from lpad.network.reject_cause import Cause, Procedure
from lpad.simulator.modem.pdp_contexts import Context, Subscription
from lpad.simulator.modem.personality import DENIED, HOME, SEARCHING
from lpad.simulator.qmi.data_calls import DataCall
from lpad.simulator.qmi.message_handling import QmiClient
from network.applier_contract import EID, NEW, OLD, PASSWORD, soon
from network.modem_bench import IccidCard, QmiRig, qmi_rig

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.network.applier_interface import Outcome
    from lpad.simulator.qmi.message_handling import QmiFunction

V4, V6 = "10.64.0.2", "2001:db8::2"
EM = NetworkSettings(apn="em")
SECRET = NetworkSettings(apn="em", username="user", password=PASSWORD, authentication=Authentication.CHAP)


def wanted(on: QmiRig, settings: NetworkSettings = EM) -> Wanted:
    return Wanted(eid=EID, iccid=NEW, settings=settings, previous_iccid=OLD, modem=on.at_hand)


def connect(on: QmiRig, settings: NetworkSettings = EM) -> Outcome:
    applier = AtApplier()
    assert isinstance(applier.prepare(wanted(on, settings), deadline=soon()), Applied)
    applied = applier.apply(wanted(on, settings), deadline=soon())
    assert isinstance(applied, Applied) or applied.layer is Layer.BEARER
    return applier.connect(wanted(on, settings), deadline=soon())


def look(on: QmiRig) -> Connection:
    return AtApplier().look(wanted(on), deadline=soon())


def test_the_sessions_are_opened_with_the_settings(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """APN and credentials reach the modem for both IP versions, and the log does not contain the password."""
    caplog.set_level(logging.DEBUG)
    with qmi_rig(tmp_path) as on:
        outcome = connect(on, SECRET)
        assert isinstance(outcome, Applied)
        assert PASSWORD not in outcome.told
        for opened, family in zip(on.started, (4, 6), strict=True):
            assert (opened.apn, opened.user_name, opened.password) == ("em", "user", PASSWORD)
            assert (opened.authentication, opened.family) == (2, family)
        assert on.calls == [(4, "em"), (6, "em")]
        seen = look(on)
        assert (seen.bearer.state, seen.address.state) == (State.UP, State.UP)
        assert seen.addresses == (V4, V6)
        assert isinstance(AtApplier().verify(wanted(on), deadline=soon()), Applied)
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize(("kind", "family", "address"), [(IpType.IPV4, 4, V4), (IpType.IPV6, 6, V6)])
def test_only_the_wanted_ip_version_is_requested(
    kind: IpType, family: int, address: str, tmp_path: Path
) -> None:
    """Sessions are requested only for the IP version that the settings name."""
    with qmi_rig(tmp_path) as on:
        assert isinstance(connect(on, NetworkSettings(apn="em", ip=kind)), Applied)
        assert on.calls == [(family, "em")]
        assert look(on).addresses == (address,)


def test_a_network_with_one_version_of_ip(tmp_path: Path) -> None:
    """If the settings allow both IP versions, a session with the one that the network supports is enough."""
    subscription = Subscription(types=("IP",))
    with qmi_rig(tmp_path, subscriptions={NEW: subscription}) as on:
        assert isinstance(connect(on), Applied)
        assert on.calls == [(4, "em")]
        assert look(on).addresses == (V4,)
        assert len(on.modem.function.clients) - len(on.calls) <= 4, "the refused client was not released"


@pytest.mark.parametrize("tells_end", [True, False], ids=["cause", "old reason"])
def test_a_refused_session_names_the_cause(tells_end: bool, tmp_path: Path) -> None:  # noqa: FBT001 - of the table
    """If the network refuses a session, the outcome has the cause, and a later `look` reports it, too."""
    subscription = Subscription(apns=("", "iot.example"))
    with qmi_rig(tmp_path, modem={"tells_end": tells_end}, subscriptions={NEW: subscription}) as on:
        outcome = connect(on)
        cause = Cause(Procedure.ESM, 27)
        assert isinstance(outcome, Failed)
        assert (outcome.layer, outcome.cause) == (Layer.BEARER, cause)
        assert {each.family for each in on.started} == {4}, "the APN was also tried for IPv6"
        seen = look(on)
        assert (seen.bearer.state, seen.bearer.cause) == (State.DOWN, cause)
        refused = AtApplier().verify(wanted(on), deadline=soon())
        assert isinstance(refused, Failed)
        assert refused.layer is Layer.BEARER
        assert isinstance(connect(on, NetworkSettings(apn="iot.example")), Applied)
        assert look(on).bearer.state is State.UP


def test_lpad_s_open_session_is_closed_first(tmp_path: Path) -> None:
    """Lpad stops its own sessions before it starts others, and releases unused QMI clients."""
    with qmi_rig(tmp_path) as on:
        assert isinstance(connect(on, NetworkSettings(apn="old.example")), Applied)
        assert isinstance(connect(on), Applied)
        assert on.calls == [(4, "em"), (6, "em")]
        assert len([key for key in on.modem.function.clients if key[0] == Service.WDS]) <= 3


def test_the_session_outlives_the_link_and_the_next_one_closes_it(tmp_path: Path) -> None:
    """After the port was closed and opened again, lpad's sessions are still up, and can be replaced."""
    with qmi_rig(tmp_path) as on:
        assert isinstance(connect(on, NetworkSettings(apn="old.example")), Applied)
        on.held.drop()
        assert set(on.modem.function.clients) == {
            (Service.WDS, client) for client in on.modem.function.calls.of_clients
        }
        assert look(on).addresses == (V4, V6)
        assert isinstance(connect(on), Applied)
        assert on.calls == [(4, "em"), (6, "em")]


def test_the_modem_s_own_session_is_stopped(tmp_path: Path) -> None:
    """If the modem has started a session on its own, lpad stops it before it starts others."""
    with qmi_rig(tmp_path, modem={"starts_session": True}) as on:
        assert look(on).bearer.state is State.UP
        assert isinstance(connect(on), Applied)
        assert on.calls == [(4, "em"), (6, "em")]


def test_a_session_of_another_program_is_named(tmp_path: Path) -> None:
    """If another program has sessions, lpad leaves them alone, and fails with this reason."""

    def occupy(function: QmiFunction) -> None:
        for client, family in ((8, 4), (9, 6)):
            function.clients[Service.WDS, client] = QmiClient()
            attempts = function.modem.contexts.attempts
            function.calls.of_clients[client] = DataCall(family, 1, Context(apn="theirs"), attempts)

    with qmi_rig(tmp_path) as on:
        look(on)
        on.modem.do(occupy)
        outcome = AtApplier().connect(wanted(on), deadline=soon())
        assert isinstance(outcome, Failed)
        assert "another program" in outcome.told
        assert on.calls == [(4, "theirs"), (6, "theirs")]
        assert look(on).bearer.state is State.UP


@pytest.mark.parametrize(("status", "kind"), [(SEARCHING, TryAgain), (DENIED, Failed)])
def test_without_registration_there_is_no_session(status: int, kind: type[Any], tmp_path: Path) -> None:
    """Without registration no session starts; a retry is allowed only while the modem searches."""
    with qmi_rig(tmp_path, registration={NEW: status}) as on:
        outcome = connect(on)
        assert isinstance(outcome, kind)
        assert outcome.layer is Layer.REGISTERED
        assert look(on).bearer.state is not State.UP


def test_a_session_without_address_is_seen(tmp_path: Path) -> None:
    """If sessions have no address, `look` reports the bearer as up and the address as down."""
    with qmi_rig(tmp_path, subscriptions={NEW: Subscription(addresses=False)}) as on:
        connect(on)
        seen = look(on)
        assert (seen.bearer.state, seen.address.state, seen.addresses) == (State.UP, State.DOWN, ())


@pytest.mark.parametrize("announces", [True, False])
def test_a_reset_of_the_modem_ends_the_session(announces: bool, tmp_path: Path) -> None:  # noqa: FBT001 - of the table
    """Lpad notices sessions lost in a reset, even without an indication, and starts new ones."""
    with qmi_rig(tmp_path, modem={"announces_reset": announces}) as on:
        assert isinstance(connect(on), Applied)
        on.modem.do(lambda function: function.lose_power())
        assert look(on).bearer.state is State.DOWN
        assert isinstance(connect(on), Applied)
        assert on.calls == [(4, "em"), (6, "em")]
        on.held.drop()
        assert len(on.modem.function.clients) == 2


def test_a_reset_is_reported_even_if_the_port_was_closed_since(tmp_path: Path) -> None:
    """A reset that is found by a request is reported once, even after the port was closed."""
    with qmi_rig(tmp_path) as on:
        assert isinstance(connect(on), Applied)
        on.held.hear(deadline=soon())
        on.modem.do(lambda function: function.lose_power())
        link: Any = on.held.open(deadline=soon())
        assert link.modem.imei(deadline=soon()) is not None, "the modem does not answer after its reset"
        on.held.drop()
        assert [on.held.reported, on.held.hear(deadline=soon())] == [True, True]
        assert [on.held.reported, on.held.hear(deadline=soon())] == [False, False]


def test_a_lost_network_is_heard(tmp_path: Path) -> None:
    """If the modem indicates the end of lpad's session, the link's `hear` reports this."""
    with qmi_rig(tmp_path) as on:
        assert isinstance(connect(on), Applied)
        link: Any = on.held.open(deadline=soon())
        link.hear(deadline=soon())
        on.modem.do(lambda function: function.modem.registration.outcome(NEW, DENIED))
        assert link.modem.dialogue.wait_for_indication(
            frozenset({(Service.WDS, data_session.PacketServiceChange.MESSAGE)}), deadline=soon()
        )
        assert link.hear(deadline=soon())
        assert look(on).bearer.state is State.DOWN


def test_an_unanswered_start_leaves_nothing_behind(tmp_path: Path) -> None:
    """A start without an answer leaves no session behind after the next attempt."""
    with qmi_rig(tmp_path) as on:
        look(on)
        link: Any = on.held.open(deadline=soon())
        on.modem.once(data_session.StartNetwork, lost=True)
        outcome = AtApplier().connect(wanted(on), deadline=Deadline.after(2.0))
        assert isinstance(outcome, TryAgain)
        assert link.modem.dialogue.held.sessions
        assert isinstance(connect(on, NetworkSettings(apn="em", ip=IpType.IPV4)), Applied)
        assert on.calls == [(4, "em")]
        on.held.drop()
        assert len(on.modem.function.clients) == 1


def test_no_free_client_is_named(tmp_path: Path) -> None:
    """If the modem has no free QMI client, the outcome states the remedy."""
    with qmi_rig(tmp_path, modem={"clients": 2, "leaked_clients": 1}) as on:
        look(on)  # This query occupies the last free client.
        outcome = AtApplier().connect(wanted(on), deadline=soon())
        assert isinstance(outcome, TryAgain)
        assert "reset the modem" in outcome.told


def test_one_free_client_is_enough(tmp_path: Path) -> None:
    """If the modem has only one free QMI client, lpad opens a session for IPv4 alone."""
    with qmi_rig(tmp_path, modem={"clients": 1}) as on:
        outcome = AtApplier().connect(wanted(on), deadline=soon())
        assert isinstance(outcome, Applied), outcome
        assert on.calls == [(4, "em")]


@pytest.mark.parametrize(
    "request_kind", [data_session.GetPacketServiceStatus, data_session.GetCurrentSettings]
)
def test_a_modem_that_does_not_answer_is_unknown(request_kind: type[Any], tmp_path: Path) -> None:
    """If the modem leaves a query unanswered, `look` reports unknown states, but none as down."""
    with qmi_rig(tmp_path) as on:
        connect(on)
        on.modem.once(request_kind, lost=True, executed=False)
        link: Any = on.held.open(deadline=soon())
        link.modem.patience = AtTimeouts(information=0.2)
        seen = look(on)
        assert State.DOWN not in {seen.bearer.state, seen.address.state}
        assert State.UNKNOWN in {seen.bearer.state, seen.address.state}


def test_a_port_that_is_gone_is_tried_again(tmp_path: Path) -> None:
    """If the port has disappeared, the outcome allows another attempt."""
    with qmi_rig(tmp_path) as on:
        connect(on)
        on.modem.vanish()
        outcome = AtApplier().connect(wanted(on), deadline=soon())
        assert isinstance(outcome, TryAgain)
        assert outcome.layer is Layer.MODEM


def test_a_modem_without_sessions_is_told(tmp_path: Path) -> None:
    """If the firmware refuses the data service's messages, `look` reports the bearer as unknown."""
    with qmi_rig(tmp_path, modem={"data_sessions": False}) as on:
        outcome = connect(on)
        assert isinstance(outcome, TryAgain)
        assert outcome.layer is Layer.BEARER
        assert look(on).bearer.state is State.UNKNOWN


@pytest.mark.parametrize("indicated", [True, False])
def test_another_program_s_session_is_not_taken_for_lpad_s(indicated: bool, tmp_path: Path) -> None:  # noqa: FBT001 - of the table
    """After lpad's session has ended, lpad does not take another program's session for its own."""
    one = NetworkSettings(apn="em", ip=IpType.IPV4)

    with qmi_rig(tmp_path) as on:
        assert isinstance(connect(on, one), Applied)
        if indicated:
            link: Any = on.held.open(deadline=soon())
            on.modem.do(lambda function: function.modem.registration.outcome(NEW, DENIED))
            ended = frozenset({(Service.WDS, data_session.PacketServiceChange.MESSAGE)})
            assert link.modem.dialogue.wait_for_indication(ended, deadline=soon())
            on.modem.do(lambda function: function.modem.registration.outcome(NEW, HOME))
        else:
            on.modem.do(take_client_away)
        on.modem.do(start_another)
        outcome = AtApplier().connect(wanted(on, one), deadline=soon())
        assert isinstance(outcome, Failed), outcome
        assert "another program" in outcome.told
        assert on.calls == [(4, "theirs")]


def take_client_away(function: QmiFunction) -> None:
    """Release lpad's QMI client, which ends lpad's session."""
    (own,) = function.calls.of_clients
    function.calls.forget(own)
    del function.clients[Service.WDS, own]


def start_another(function: QmiFunction) -> None:
    """Start a session of another program over IPv4."""
    function.clients[Service.WDS, 9] = QmiClient()
    attempts = function.modem.contexts.attempts
    function.calls.of_clients[9] = DataCall(4, 1, Context(apn="theirs"), attempts)


@pytest.mark.parametrize("executed", [True, False])
def test_one_version_of_ip_is_enough_if_the_other_is_not_answered(executed: bool, tmp_path: Path) -> None:  # noqa: FBT001 - of the table
    """If the start for IPv6 is not answered, a session for IPv4 is enough, and the outcome states this."""
    with qmi_rig(tmp_path) as on:
        look(on)
        on.modem.once(data_session.StartNetwork, delay=0.0)
        on.modem.once(data_session.StartNetwork, lost=True, executed=executed)
        outcome = AtApplier().connect(wanted(on), deadline=Deadline.after(6.0))
        assert isinstance(outcome, Applied), outcome
        assert "IPv6 could not be opened" in outcome.told
        assert (4, "em") in on.calls
        assert look(on).bearer.state is State.UP
        assert isinstance(AtApplier().connect(wanted(on), deadline=soon()), Applied)
        assert isinstance(connect(on, NetworkSettings(apn="next.example")), Applied)
        assert on.calls == [(4, "next.example"), (6, "next.example")]


def test_a_refused_version_of_ip_is_named(tmp_path: Path) -> None:
    """If the network refuses IPv6, a session for IPv4 is enough, and the outcome names IPv6."""
    with qmi_rig(tmp_path, subscriptions={NEW: Subscription(types=("IP",))}) as on:
        outcome = AtApplier().connect(wanted(on), deadline=soon())
        assert isinstance(outcome, Applied)
        assert "IPv6 could not be opened" in outcome.told


def test_a_cause_belongs_to_the_profile_that_the_modem_read(tmp_path: Path) -> None:
    """Once the modem reads another profile, a refusal's cause for the previous one is not reported."""
    subscription = Subscription(apns=("", "iot.example"))
    registration = {OLD: SEARCHING}
    with qmi_rig(tmp_path, subscriptions={NEW: subscription}, registration=registration) as on:
        assert isinstance(connect(on), Failed)
        assert look(on).bearer.cause == Cause(Procedure.ESM, 27)
        on.modem.do(lambda function: function.swap_card(IccidCard(OLD)))
        seen = look(on).bearer
        assert (seen.state, seen.cause) == (State.DOWN, None)
