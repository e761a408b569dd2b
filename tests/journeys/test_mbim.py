"""The life of profiles, guarded switches and swapped cards, with a daemon on a modem's MBIM port."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from journeys.gateway import CARD, PATIENCE, Gateway
from journeys.mbim_gateway import HURRIED_LADDER, mbim_gateway
from lpad.base.identifiers import Eid, Iccid
from lpad.codec.mbim.messages import Action, Command
from lpad.codec.mbim.services import BASIC_CONNECT, BASIC_CONNECT_EXTENSIONS, Basic, Extended
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.modem.pdp_contexts import Subscription
from lpad.simulator.modem.personality import DENIED, SEARCHING, ModemPersonality, Notices

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lpad.simulator.mbim.control_port import MbimModem
    from lpad.simulator.mbim.message_handling import MbimFunction

OTHER_EID = "89049032000000000000000000000105"
FIRST, SECOND = "8900101000000000017", "8900101000000000025"

HABITS: dict[str, dict[str, Any]] = {
    "by the letter": {},
    "as Fibocom L860": {"select_p2": (12,), "builds_class": False, "fetches_response": False},
    "fragments": {"max_transfer": 64},
    "without indications": {"indication_delay": None, "extensions": False},
    "late indications": {"indication_delay": 3.0},
}


def installed(gateway: Gateway) -> None:
    gateway.ready()
    for iccid in (FIRST, SECOND):
        gateway.install_profile(iccid=Iccid.parse(iccid))


@pytest.mark.parametrize("habits", list(HABITS))
def test_a_profile_lives_on_an_mbim_modem(habits: str, profile: Callable[[], bytes]) -> None:
    """Profiles are downloaded, switched and deleted over MBIM, and no channel stays open."""
    with mbim_gateway(**HABITS[habits]) as (gateway, modem):
        client = gateway.client
        gateway.ready()
        first, second = (
            str((gateway.download(gateway.order(profile())).check().result or {})["iccid"]) for _ in range(2)
        )
        client.enable(CARD, first, wait=PATIENCE).check()
        client.enable(CARD, second, wait=PATIENCE).check()
        assert {each.iccid: each.state for each in client.profiles(CARD)} == {
            first: "disabled",
            second: "enabled",
        }
        client.disable(CARD, second, accept_offline=True, wait=PATIENCE).check()
        client.delete(CARD, first, wait=PATIENCE).check()
        client.delete(CARD, second, wait=PATIENCE).check()
        assert gateway.card.profiles == ()
        gateway.until(lambda: not gateway.card.notifications)
        told = {(each.event, each.iccid) for each in gateway.server.notifications if each.verified}
        assert told >= {
            (event, iccid)
            for event in ("install", "enable", "disable", "delete")
            for iccid in (first, second)
        }
        gateway.until(lambda: modem.function.channels.open == {} and gateway.card.open_channels == ())


@pytest.mark.parametrize("notices", [Notices.REFRESH, Notices.RADIO_CYCLE, Notices.RESET], ids=str)
def test_a_switch_lasts_until_the_modem_reads_the_profile(notices: Notices) -> None:
    """A switch over MBIM ends once the modem reads the profile, even if this needs a reset."""
    personality = ModemPersonality(notices=notices, away_after_reset=0.2)
    with mbim_gateway(personality=personality, ladder=HURRIED_LADDER) as (gateway, modem):
        installed(gateway)
        for iccid in (FIRST, SECOND):
            gateway.client.enable(CARD, iccid, wait=PATIENCE).check()
            assert read_by(modem) == iccid


def read_by(modem: MbimModem) -> str:
    found: list[str] = []
    modem.do(lambda function: found.append(str(function.modem.radio.iccid())))
    return found[0]


@pytest.mark.parametrize("delay", [0.0, 3.0])
def test_a_switch_is_kept_once_the_modem_is_registered(delay: float) -> None:
    """A guarded switch over MBIM is kept once the modem registers, even if indications are late."""
    personality = ModemPersonality(registers_after=0.5)
    with mbim_gateway(personality=personality, indication_delay=delay) as (gateway, modem):
        installed(gateway)
        gateway.client.enable(CARD, FIRST, wait=PATIENCE).check()
        change = gateway.client.enable(CARD, SECOND, guard=("registered",), within=60.0, wait=PATIENCE)
        change.check()
        assert str(gateway.card.enabled_iccid) == SECOND
        assert modem.function.opened


def test_an_idle_daemon_hears_that_the_registration_is_lost() -> None:
    """If the modem indicates that it lost its registration, the card's layers show this."""
    with mbim_gateway() as (gateway, modem):
        installed(gateway)
        gateway.client.enable(CARD, FIRST, guard=("registered",), within=60.0, wait=PATIENCE).check()
        gateway.until(lambda: registered(gateway) is True)
        modem.do(lambda function: function.modem.registration.outcome(FIRST, DENIED))
        gateway.until(lambda: registered(gateway) is False)


def registered(gateway: Gateway) -> bool | None:
    layers = json.loads(gateway.client.request("GET", "/v1/euiccs/{}", CARD))["layers"]
    return next((each["up"] for each in layers if each["layer"] == "registered"), None)


def test_a_denied_profile_is_rolled_back() -> None:
    """If the network denies the new profile, lpad rolls back to the old one."""
    personality = ModemPersonality(registration={SECOND: DENIED})
    with mbim_gateway(personality=personality) as (gateway, _):
        installed(gateway)
        gateway.client.enable(CARD, FIRST, wait=PATIENCE).check()
        change = gateway.client.enable(CARD, SECOND, guard=("registered",), within=3.0, wait=PATIENCE)
        assert change.error is not None
        assert change.error.kind == "switch-rolled-back"
        assert str(gateway.card.enabled_iccid) == FIRST


def test_a_locked_sim_is_named_and_no_modem_is_reset() -> None:
    """A profile that needs a PIN is rolled back with a remedy, without a radio cycle or a reset."""
    personality = ModemPersonality(pin_locked=(SECOND,))
    with mbim_gateway(personality=personality, ladder=HURRIED_LADDER) as (gateway, modem):
        installed(gateway)
        gateway.client.enable(CARD, FIRST, wait=PATIENCE).check()
        before = len(powered(modem))
        change = gateway.client.enable(CARD, SECOND, guard=("registered",), within=3.0, wait=PATIENCE)
        assert change.error is not None
        assert change.error.kind == "switch-rolled-back"
        assert "SIM PIN" in change.error.sentence
        assert "mbimcli --enter-pin" in change.error.sentence
        assert str(gateway.card.enabled_iccid) == FIRST
        assert powered(modem)[before:] == []


def powered(modem: MbimModem) -> list[int]:
    """Return lpad's commands that switch the radio or reset the modem."""
    kinds = {(BASIC_CONNECT, Basic.RADIO_STATE), (BASIC_CONNECT_EXTENSIONS, Extended.DEVICE_RESET)}
    return [
        each.cid
        for each in modem.received
        if isinstance(each, Command) and each.action == Action.SET and (each.service, each.cid) in kinds
    ]


def test_a_guard_that_cannot_be_evaluated_names_mbim() -> None:
    """If the modem cannot report registration over MBIM, a guard that waits for it is refused."""
    with mbim_gateway(registration=False) as (gateway, _):
        installed(gateway)
        gateway.client.enable(CARD, FIRST, wait=PATIENCE, guard=None).check()
        change = gateway.client.enable(CARD, SECOND, guard=("registered",), within=60.0, wait=PATIENCE)
        assert change.error is not None
        assert change.error.kind == "conflict"
        assert "over MBIM" in change.error.sentence
        assert "AT+" not in change.error.sentence
        assert str(gateway.card.enabled_iccid) == FIRST


def test_bearer_and_address_are_conditions() -> None:
    """A guard over MBIM waits for bearer and address with the profile's APN; a wrong APN rolls back."""
    settings = {"network": {"applier": "at"}}
    subscriptions = {SECOND: Subscription(apns=("iot.example",))}
    personality = ModemPersonality(subscriptions=subscriptions)
    conditions = ("registered", "bearer", "address")
    with mbim_gateway(personality=personality, settings=settings) as (gateway, _):
        installed(gateway)
        gateway.client.enable(CARD, FIRST, wait=PATIENCE).check()
        gateway.client.set_network(CARD, SECOND, apn="iot.example")
        change = gateway.client.enable(CARD, SECOND, guard=conditions, within=60.0, wait=PATIENCE).check()
        assert change.result is not None
        told = change.result["network"]
        assert (told["applier"], told["bearer"], told["address"]) == ("at", "up", "up")
        assert told["addresses"] == ["10.64.0.2", "2001:db8::2"]
        gateway.client.enable(CARD, FIRST, wait=PATIENCE).check()
        gateway.client.set_network(CARD, SECOND, apn="wrong.example")
        change = gateway.client.enable(CARD, SECOND, guard=conditions, within=10.0, wait=PATIENCE)
        assert change.error is not None
        assert change.error.kind == "switch-rolled-back"
        assert str(gateway.card.enabled_iccid) == FIRST
        assert "ESM cause 27" in str(change.error.details)


def test_the_probe_reports_the_link() -> None:
    """The daemon's probe names the link and the modem; `lpad probe` names the link without the daemon."""
    with mbim_gateway() as (gateway, modem):
        gateway.ready()
        result = gateway.client.probe(CARD, wait=PATIENCE).check().result or {}
        assert {key: result[key] for key in ("link", "model", "error")} == {
            "link": "mbim",
            "model": "lpad PtyModem",
            "error": None,
        }
        gateway.stop()
        command = [sys.executable, "-m", "lpad.cli.lpad", "probe", "--port", modem.path, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        assert '"mbim"' in done.stdout
        gateway.start()


def test_a_cause_against_one_profile_is_none_against_the_next() -> None:
    """The ESM cause of one profile's refused session is not reported for the next profile."""
    personality = ModemPersonality(
        subscriptions={SECOND: Subscription(apns=("", "iot.example"))}, registration={FIRST: SEARCHING}
    )
    settings = {"network": {"applier": "at", "step_limit": 3}}
    with mbim_gateway(personality=personality, settings=settings) as (gateway, _):
        installed(gateway)
        gateway.client.set_network(CARD, SECOND, apn="wrong.example")
        gateway.client.set_network(CARD, FIRST, apn="first.example")
        refused = gateway.client.enable(CARD, SECOND, guard=None, wait=PATIENCE)
        assert "ESM cause 27" in str(refused.result), refused
        change = gateway.client.enable(CARD, FIRST, guard=("registered",), within=30.0, wait=PATIENCE)
        assert change.error is not None
        assert change.error.kind == "switch-rolled-back"
        assert "ESM cause" not in str(change.error.details)
        assert "try-default-apn" not in [each.name for each in change.steps]


@pytest.mark.parametrize("delay", [0.0, 2.0], ids=["immediate", "late"])
def test_a_card_that_is_taken_out_and_exchanged(delay: float, tmp_path: Path) -> None:
    """By the modem's indications alone, lpad notices an empty slot, the returned card, and another card."""
    with mbim_gateway(hourly=True, indication_delay=delay) as (gateway, modem):
        installed(gateway)
        gateway.client.enable(CARD, FIRST, wait=PATIENCE).check()
        eid = gateway.client.euicc(CARD).eid
        with SoftCard(tmp_path / "other", pki=gateway.pki, eid=Eid.parse(OTHER_EID)) as other:
            for card, told in ((gateway.card, eid), (other, OTHER_EID), (gateway.card, eid)):
                modem.do(lambda function: function.remove_card())
                gateway.until(lambda: gateway.client.euicc(CARD).state == "absent")
                modem.do(partial(put_in, card))
                assert gateway.ready().eid == told
            modem.do(lambda function: function.swap_card(other))
            gateway.until(lambda: gateway.client.euicc(CARD).eid == OTHER_EID)
            modem.do(lambda function: function.swap_card(gateway.card))
            gateway.until(lambda: gateway.client.euicc(CARD).eid == eid)
        gateway.client.enable(CARD, SECOND, wait=PATIENCE).check()


def put_in(card: SoftCard, function: MbimFunction) -> None:
    function.swap_card(card)


def test_without_indications_an_exchanged_card_is_found_by_a_request() -> None:
    """If a modem sends no indications, lpad notices a removed card only at the next request."""
    with mbim_gateway(hourly=True, indication_delay=None) as (gateway, modem):
        installed(gateway)
        modem.do(lambda function: function.remove_card())
        assert gateway.client.euicc(CARD).state == "ready"
        assert gateway.client.refresh(CARD, wait=PATIENCE).error is not None
        assert gateway.client.euicc(CARD).state == "absent"
        modem.do(lambda function: function.swap_card(gateway.card))
        gateway.client.refresh(CARD, wait=PATIENCE).check()
        assert gateway.client.euicc(CARD).state == "ready"
