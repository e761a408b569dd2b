"""The applier `at` on a simulated modem's MBIM port: the data session, its refusals and its addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lpad.card.mbim.mbim_modem import MbimModem
from lpad.card.quirks.quirks import AtTimeouts
from lpad.codec.mbim.services import BASIC_CONNECT, Basic
from lpad.network.applier_interface import Applied, Connection, Failed, State, TryAgain, Wanted
from lpad.network.at_applier import AtApplier
from lpad.network.connection_layer_names import Layer
from lpad.network.hook_runner_client import environment
from lpad.network.network_settings import Authentication, IpType, NetworkSettings
from lpad.network.reject_cause import Cause, Procedure
from lpad.simulator.modem.pdp_contexts import Subscription
from lpad.simulator.modem.personality import DENIED, HOME, SEARCHING
from network.applier_contract import EID, NEW, OLD, PASSWORD, soon
from network.modem_bench import IccidCard, MbimRig, mbim_rig

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.network.applier_interface import Outcome
    from lpad.simulator.mbim.message_handling import MbimFunction

EM = NetworkSettings(apn="em")
SECRET = NetworkSettings(apn="em", username="user", password=PASSWORD, authentication=Authentication.CHAP)


def wanted(on: MbimRig, settings: NetworkSettings = EM) -> Wanted:
    return Wanted(eid=EID, iccid=NEW, settings=settings, previous_iccid=OLD, modem=on.at_hand)


def connect(on: MbimRig, settings: NetworkSettings = EM) -> Outcome:
    applier = AtApplier()
    assert isinstance(applier.prepare(wanted(on, settings), deadline=soon()), Applied)
    applied = applier.apply(wanted(on, settings), deadline=soon())
    assert isinstance(applied, Applied) or applied.layer is Layer.BEARER
    return applier.connect(wanted(on, settings), deadline=soon())


def look(on: MbimRig) -> Connection:
    return AtApplier().look(wanted(on), deadline=soon())


def test_the_session_is_opened_over_a_fallback_port(tmp_path: Path) -> None:
    """If the AT port in the settings does not work, lpad opens the session over MBIM."""
    with mbim_rig(tmp_path, port=str(tmp_path / "ttyUSB2")) as on:
        assert isinstance(connect(on), Applied)
        assert look(on).bearer.state is State.UP
        assert environment("post-switch", wanted(on))["LPAD_PORT"] == on.modem.path
        on.held.drop()
        assert on.at_hand.port == on.modem.path


def test_the_session_is_opened_with_the_settings(tmp_path: Path) -> None:
    """APN, credentials and IP type reach the modem, and `look` reports bearer and addresses."""
    with mbim_rig(tmp_path, subscriptions={NEW: Subscription(credentials=("user", PASSWORD))}) as on:
        outcome = connect(on, SECRET)
        assert isinstance(outcome, Applied)
        assert PASSWORD not in outcome.told
        opened = on.sessions[-1]
        assert (opened.apn, opened.user_name, opened.password) == ("em", "user", PASSWORD)
        assert (opened.activate, opened.authentication, opened.ip_type, opened.session) == (1, 2, 3, 0)
        seen = look(on)
        assert (seen.bearer.state, seen.address.state) == (State.UP, State.UP)
        assert seen.addresses == ("10.64.0.2", "2001:db8::2")
        assert isinstance(AtApplier().verify(wanted(on), deadline=soon()), Applied)


@pytest.mark.parametrize(("kind", "number"), [(IpType.IPV4, 1), (IpType.IPV6, 2)])
def test_only_the_wanted_ip_version_is_requested(kind: IpType, number: int, tmp_path: Path) -> None:
    """The session is requested only for the IP version that the settings name."""
    with mbim_rig(tmp_path) as on:
        assert isinstance(connect(on, NetworkSettings(apn="em", ip=kind)), Applied)
        assert on.sessions[-1].ip_type == number
        assert len(look(on).addresses) == 1


def test_a_refused_session_names_the_cause(tmp_path: Path) -> None:
    """If the network refuses the session, the outcome has the cause, and a later `look` reports it, too."""
    with mbim_rig(tmp_path, subscriptions={NEW: Subscription(apns=("iot.example",))}) as on:
        outcome = connect(on)
        cause = Cause(Procedure.ESM, 27)
        assert isinstance(outcome, Failed)
        assert (outcome.layer, outcome.cause) == (Layer.BEARER, cause)
        seen = look(on)
        assert (seen.bearer.state, seen.bearer.cause) == (State.DOWN, cause)
        refused = AtApplier().verify(wanted(on), deadline=soon())
        assert isinstance(refused, Failed)
        assert refused.layer is Layer.BEARER
        assert isinstance(connect(on, NetworkSettings(apn="iot.example")), Applied)
        assert look(on).bearer.state is State.UP


def test_an_open_session_is_closed_first(tmp_path: Path) -> None:
    """Before lpad opens a session, it closes any open one."""
    with mbim_rig(tmp_path) as on:
        assert isinstance(connect(on, NetworkSettings(apn="old.example")), Applied)
        assert isinstance(connect(on), Applied)
        asked = [(each.activate, each.apn) for each in on.sessions]
        assert asked == [(0, ""), (1, "old.example"), (0, ""), (1, "em")]


@pytest.mark.parametrize(("status", "kind"), [(SEARCHING, TryAgain), (DENIED, Failed)])
def test_without_registration_there_is_no_session(status: int, kind: type[Any], tmp_path: Path) -> None:
    """Without registration no session opens; a retry is allowed only while the modem searches."""
    with mbim_rig(tmp_path, registration={NEW: status}) as on:
        outcome = connect(on)
        assert isinstance(outcome, kind)
        assert outcome.layer is Layer.REGISTERED
        assert look(on).bearer.state is not State.UP


def test_a_bearer_without_address_is_seen(tmp_path: Path) -> None:
    """If a session has no address, `look` reports the bearer as up and the address as down."""
    with mbim_rig(tmp_path, subscriptions={NEW: Subscription(addresses=False)}) as on:
        connect(on)
        seen = look(on)
        assert (seen.bearer.state, seen.address.state, seen.addresses) == (State.UP, State.DOWN, ())


@pytest.mark.parametrize("cid", [Basic.CONNECT, Basic.IP_CONFIGURATION])
def test_a_modem_that_does_not_answer_is_unknown(cid: Basic, tmp_path: Path) -> None:
    """If the modem leaves a query unanswered, `look` reports unknown states, but none as down."""
    with mbim_rig(tmp_path) as on:
        connect(on)
        on.modem.once(BASIC_CONNECT, cid, lost=True, executed=False)
        with on.held.open(deadline=soon()).lend_modem(deadline=soon()) as lent:
            assert lent is not None
            assert isinstance(lent.modem, MbimModem)
            lent.modem.patience = AtTimeouts(information=0.2)
        seen = look(on)
        assert State.DOWN not in {seen.bearer.state, seen.address.state}
        assert State.UNKNOWN in {seen.bearer.state, seen.address.state}


def test_a_port_that_is_gone_is_tried_again(tmp_path: Path) -> None:
    """If the port has disappeared, the outcome allows another attempt."""
    with mbim_rig(tmp_path) as on:
        connect(on)
        on.modem.vanish()
        outcome = AtApplier().connect(wanted(on), deadline=soon())
        assert isinstance(outcome, TryAgain)
        assert outcome.layer is Layer.MODEM


def test_a_session_that_another_program_has_opened_is_replaced(tmp_path: Path) -> None:
    """If another program has opened a session after lpad's ended, lpad replaces that session."""
    with mbim_rig(tmp_path) as on:
        assert isinstance(connect(on), Applied)
        before = len(on.sessions)
        with on.held.open(deadline=soon()).lend_modem(deadline=soon()) as lent:
            assert lent is not None
            assert isinstance(lent.modem, MbimModem)
            ended = frozenset({(BASIC_CONNECT, Basic.CONNECT)})
            on.modem.do(lambda function: function.modem.registration.outcome(NEW, DENIED))
            assert lent.modem.dialogue.wait_for_indication(ended, deadline=soon())
        on.modem.do(open_another)
        assert look(on).bearer.state is State.UP
        assert isinstance(AtApplier().connect(wanted(on), deadline=soon()), Applied)
        assert [(each.activate, each.apn) for each in on.sessions[before:]] == [(0, ""), (1, "em")]


def open_another(function: MbimFunction) -> None:
    """Have the modem registered, with a session of another program."""
    function.modem.contexts.contexts[1].apn = "theirs"
    function.modem.registration.outcome(NEW, HOME)


def test_a_cause_belongs_to_the_profile_that_the_modem_read(tmp_path: Path) -> None:
    """Once the modem reads another profile, a refusal's cause for the previous one is not reported."""
    subscription = Subscription(apns=("", "iot.example"))
    registration = {OLD: SEARCHING}
    with mbim_rig(tmp_path, subscriptions={NEW: subscription}, registration=registration) as on:
        assert isinstance(connect(on), Failed)
        assert look(on).bearer.cause == Cause(Procedure.ESM, 27)
        on.modem.do(lambda function: function.swap_card(IccidCard(OLD)))
        seen = look(on).bearer
        assert (seen.state, seen.cause) == (State.DOWN, None)
