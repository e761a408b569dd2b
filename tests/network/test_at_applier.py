"""The applier `at` on a simulated AT port: contexts, authentication, attaching, overridden APNs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.base.deadline import Deadline
from lpad.network.applier_interface import Applied, Failed, State, TryAgain, Wanted
from lpad.network.at_applier import AtApplier
from lpad.network.connection_layer_names import Layer
from lpad.network.network_settings import InitialBearer, IpType, NetworkSettings
from lpad.network.reject_cause import Cause, Procedure
from lpad.simulator.modem.pdp_contexts import Subscription
from network.applier_contract import EID, NEW, OLD, PASSWORD, WITH_SECRET, ApplierContract, Bench, soon
from network.modem_bench import Rig, rig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.network.applier_interface import Outcome

EM = NetworkSettings(apn="em")


def wanted(on: Rig, settings: NetworkSettings = EM) -> Wanted:
    return Wanted(eid=EID, iccid=NEW, settings=settings, previous_iccid=OLD, modem=on.at_hand)


def apply(on: Rig, settings: NetworkSettings = EM) -> Outcome:
    return AtApplier().apply(wanted(on, settings), deadline=soon())


class TestContract(ApplierContract):
    """The applier `at` passes the tests of the contract on an AT port."""

    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[Bench]:
        with rig(tmp_path, stored_apn="factory.example") as on:

            def silence() -> None:
                for _ in range(20):
                    on.modem.once("AT+CGDCONT", instead=())

            yield Bench(
                applier=AtApplier(),
                apn=lambda: on.modem.contexts.get(2, on.modem.contexts[1])[1],
                modem=on.at_hand,
                disturb=on.modem.vanish,
                silence=silence,
                bearer_seen=State.UP,
            )


def test_a_changed_context_is_stored_and_attached_again(tmp_path: Path) -> None:
    """After context 1 was changed, the modem is detached and attached; after no change it is left alone."""
    with rig(tmp_path, stored_apn="old.example") as on:
        assert isinstance(apply(on), Applied)
        assert on.modem.contexts[1] == ("IPV4V6", "em")
        assert on.sent("AT+CGATT=") == ["AT+CGATT=0", "AT+CGATT=1"]
        on.modem.received.clear()
        assert isinstance(apply(on), Applied)
        assert on.sent("AT+CGATT=") == []  # nothing has changed, so the connection is left alone


def test_cycles_the_radio_of_a_modem_that_cannot_detach(tmp_path: Path) -> None:
    """If a modem does not support AT+CGATT, the applier switches its radio off and on."""
    with rig(tmp_path, context_commands=("+CGDCONT",)) as on:
        assert isinstance(apply(on), Applied)
        assert on.sent("AT+CFUN=") == ["AT+CFUN=4", "AT+CFUN=1"]
        assert on.modem.powered


def test_attaches_a_modem_that_a_power_cut_left_detached(tmp_path: Path) -> None:
    """A modem that was left detached is attached by the next `apply`."""
    with rig(tmp_path) as on:
        assert isinstance(apply(on), Applied)
        on.modem.say_raw(b"")
        on.modem._commands.contexts.attached = False
        assert isinstance(apply(on), Applied)
        assert on.modem.attached


@pytest.mark.parametrize(
    ("settings", "contexts"),
    [
        (NetworkSettings(apn="a", ip=IpType.IPV6), {1: ("IPV6", "a")}),
        (NetworkSettings(), {1: ("IPV4V6", "")}),
        (
            NetworkSettings(apn="a", initial_bearer=InitialBearer.APN, initial_bearer_apn="b"),
            {1: ("IPV4V6", "b"), 2: ("IPV4V6", "a")},
        ),
        (
            NetworkSettings(apn="a", ip=IpType.IPV4, initial_bearer=InitialBearer.LEAVE),
            {1: ("IP", "old.example"), 2: ("IP", "a")},
        ),
    ],
)
def test_writes_the_contexts_that_are_needed(
    tmp_path: Path, settings: NetworkSettings, contexts: dict[int, tuple[str, str]]
) -> None:
    """Context 1 gets the initial bearer's APN, and context 2 a different APN of the connection."""
    with rig(tmp_path, stored_apn="old.example") as on:
        assert isinstance(apply(on, settings), Applied)
        assert on.modem.contexts == contexts


@pytest.mark.parametrize(
    ("manufacturer", "command", "swaps"),
    [
        ("Quectel", "AT+QICSGP=1,3,", False),
        ("Telit", "AT#PDPAUTH=1,2,", False),
        ("SIMCOM INCORPORATED", "AT+CGAUTH=1,2,", True),
        ("unheard of", "AT+CGAUTH=1,2,", False),
    ],
)
def test_speaks_each_familys_authentication(
    tmp_path: Path, manufacturer: str, command: str, *, swaps: bool
) -> None:
    """Credentials are sent with each family's command, and removed if the next settings have none."""
    with rig(tmp_path, manufacturer=manufacturer, swaps_credentials=swaps) as on:
        assert isinstance(apply(on, WITH_SECRET), Applied)
        assert on.modem.credentials[1] == ("user", PASSWORD)
        assert on.sent(command)
        assert isinstance(apply(on), Applied)
        assert on.modem.credentials[1] is None


def test_refuses_what_an_at_command_cannot_carry(tmp_path: Path) -> None:
    """A password with a quote, which would end the AT command, is a failure, and nothing is sent."""
    settings = NetworkSettings(
        apn="em", username="user", password='pa"55', authentication=WITH_SECRET.authentication
    )
    with rig(tmp_path) as on:
        outcome = apply(on, settings)
        assert isinstance(outcome, Failed)
        assert outcome.layer is Layer.MODEM
        assert "quote" in outcome.told
        assert on.sent("AT+CGAUTH") == []


def test_names_the_operator_configuration_that_overrides_the_apn(tmp_path: Path) -> None:
    """If a Quectel's operator configuration overrides the APN, the failure names this cause."""
    with rig(tmp_path, manufacturer="Quectel", autoselected={NEW: "operator.example"}) as on:
        outcome = apply(on)
        assert isinstance(outcome, Failed)
        assert "operator configuration" in outcome.told
        assert 'AT+QMBNCFG="AutoSel"' in outcome.told
        assert isinstance(AtApplier().verify(wanted(on), deadline=soon()), Failed)


def test_fails_at_a_modem_without_contexts(tmp_path: Path) -> None:
    """If a modem refuses AT+CGDCONT, the outcome is a failure that recommends another applier."""
    with rig(tmp_path, context_commands=()) as on:
        outcome = apply(on)
        assert isinstance(outcome, Failed)
        assert "another applier" in outcome.told


def test_a_card_in_a_reader_needs_no_apn() -> None:
    """For a card in a reader, which has no modem, the applier succeeds without doing anything."""
    outcome = AtApplier().apply(Wanted(eid=EID, iccid=NEW, settings=EM), deadline=soon())
    assert isinstance(outcome, Applied)
    assert "reader" in outcome.told


def test_a_port_that_is_gone_may_come_back(tmp_path: Path) -> None:
    """If the port has disappeared, the outcome allows another attempt."""
    with rig(tmp_path) as on:
        on.modem.vanish()
        assert isinstance(apply(on), TryAgain)


@pytest.mark.parametrize("code", [27, 29, 33, 50, 51])
def test_sees_why_the_network_refuses_the_bearer(tmp_path: Path, code: int) -> None:
    """If the network refuses the bearer, `look` reports it as down with the ESM cause."""
    refusals = {
        27: Subscription(apns=("other",)),
        29: Subscription(credentials=("a", "b")),
        33: Subscription(apns=("other",), unknown_cause=33),
        50: Subscription(types=("IP",)),
        51: Subscription(types=("IPV6",)),
    }
    with rig(tmp_path, subscriptions={NEW: refusals[code]}) as on:
        apply(on)
        seen = AtApplier().look(wanted(on), deadline=soon())
        assert seen.bearer.state is State.DOWN
        assert seen.bearer.cause == Cause(Procedure.ESM, code)
        assert seen.address.state is State.UNKNOWN


def test_sees_addresses(tmp_path: Path) -> None:
    """`look` reports both addresses of a bearer; without an address, it reports the address as down."""
    with rig(tmp_path, subscriptions={OLD: Subscription(addresses=False)}) as on:
        apply(on)
        seen = AtApplier().look(wanted(on), deadline=soon())
        assert (seen.bearer.state, seen.address.state) == (State.UP, State.UP)
        assert seen.addresses == ("10.64.0.2", "2001:db8::2")
        on.card.iccid = OLD
        seen = AtApplier().look(wanted(on), deadline=soon())
        assert (seen.bearer.state, seen.address.state, seen.addresses) == (State.UP, State.DOWN, ())


def test_without_cgact_the_state_is_unknown(tmp_path: Path) -> None:
    """If the modem lacks +CGACT, or the deadline has passed, `look` reports the bearer's state as unknown."""
    with rig(tmp_path, context_commands=("+CGDCONT", "+CGATT")) as on:
        assert AtApplier().look(wanted(on), deadline=soon()).bearer.state is State.UNKNOWN
        assert AtApplier().look(wanted(on), deadline=Deadline(0.0)).bearer.state is State.UNKNOWN


def test_a_memory_of_garbage_is_ignored(tmp_path: Path) -> None:
    """`undo` ignores invalid data, as from a damaged journal, and sends nothing of them to the modem."""
    with rig(tmp_path) as on:
        memory = {"context-1": 'IP"\rAT+CFUN=0', "context-9": "IP,x", "x": "IP,x", "context-2": "IPV9,x"}
        assert isinstance(AtApplier().undo(wanted(on), memory, deadline=soon()), Applied)
        assert on.sent("AT+CGDCONT=") == []
