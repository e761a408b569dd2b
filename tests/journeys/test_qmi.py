"""The life of profiles, guarded switches and swapped cards, with a daemon on a modem's QMI port."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from journeys.gateway import CARD, PATIENCE, Gateway
from journeys.qmi_gateway import HURRIED_LADDER, qmi_gateway
from lpad.base.identifiers import Eid, Iccid
from lpad.codec.qmi.data_session import SetIpFamily, StartNetwork, StopNetwork
from lpad.codec.qmi.services import Service, Uim
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.modem.pdp_contexts import Subscription
from lpad.simulator.modem.personality import DENIED, SEARCHING, ModemPersonality, Notices

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lpad.codec.qmi.message_parameters import Body
    from lpad.simulator.qmi.control_port import QmiModem
    from lpad.simulator.qmi.message_handling import QmiFunction

_PROACTIVE_BYTES = 11
OTHER_EID = "89049032000000000000000000000105"
FIRST, SECOND = "8900101000000000017", "8900101000000000025"

HABITS: dict[str, dict[str, Any]] = {
    "as most": {},
    "fetches, long answers": {"fetches_response": True, "long_response": 200},
    "late indications": {"indication_delay": 3.0, "refresh_patience": 20.0},
    "one slot, no indications": {"slot_status": False, "indication_delay": None, "builds_class": False},
}


def installed(gateway: Gateway) -> None:
    gateway.ready()
    for iccid in (FIRST, SECOND):
        gateway.install_profile(iccid=Iccid.parse(iccid))


@pytest.mark.parametrize("habits", list(HABITS))
def test_a_profile_lives_on_a_qmi_modem(habits: str, profile: Callable[[], bytes]) -> None:
    """Profiles are downloaded, switched and deleted over QMI (openwrt/packages#26232)."""
    with qmi_gateway(**HABITS[habits]) as (gateway, modem):
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
        gateway.until(lambda: modem.function.channels == set() and gateway.card.open_channels == ())
        if HABITS[habits].get("indication_delay", 0.0) is not None:
            assert modem.function.refreshes_unanswered == 0


@pytest.mark.parametrize("notices", list(Notices)[1:5], ids=str)
def test_a_switch_lasts_until_the_modem_reads_the_profile(notices: Notices) -> None:
    """A switch over QMI ends once the modem reads the profile, even if this needs a reset."""
    personality = ModemPersonality(notices=notices, away_after_reset=0.2)
    with qmi_gateway(personality=personality, ladder=HURRIED_LADDER) as (gateway, modem):
        installed(gateway)
        for iccid in (FIRST, SECOND):
            gateway.client.enable(CARD, iccid, wait=PATIENCE).check()
            assert read_by(modem) == iccid


def read_by(modem: QmiModem) -> str:
    found: list[str] = []
    modem.do(lambda function: found.append(str(function.modem.radio.iccid())))
    return found[0]


@pytest.mark.parametrize("delay", [0.0, 3.0])
def test_a_switch_is_kept_once_the_modem_is_registered(delay: float) -> None:
    """A guarded switch over QMI is kept once the modem registers, even if indications are late."""
    personality = ModemPersonality(registers_after=0.5)
    with qmi_gateway(personality=personality, indication_delay=delay, refresh_patience=20.0) as (gateway, _):
        installed(gateway)
        gateway.client.enable(CARD, FIRST, wait=PATIENCE).check()
        change = gateway.client.enable(CARD, SECOND, guard=("registered",), within=60.0, wait=PATIENCE)
        change.check()
        assert str(gateway.card.enabled_iccid) == SECOND


def test_a_denied_profile_is_rolled_back() -> None:
    """If the network denies the new profile, lpad rolls back to the old one."""
    personality = ModemPersonality(registration={SECOND: DENIED})
    with qmi_gateway(personality=personality) as (gateway, _):
        installed(gateway)
        gateway.client.enable(CARD, FIRST, wait=PATIENCE).check()
        change = gateway.client.enable(CARD, SECOND, guard=("registered",), within=3.0, wait=PATIENCE)
        assert change.error is not None
        assert change.error.kind == "switch-rolled-back"
        assert str(gateway.card.enabled_iccid) == FIRST


def test_a_modem_reset_in_the_middle_of_a_guard_is_survived() -> None:
    """If the modem resets during a guard and loses QMI clients and channels, the switch is still done."""
    personality = ModemPersonality(registers_after=2.0)
    with qmi_gateway(personality=personality) as (gateway, modem):
        installed(gateway)
        gateway.client.enable(CARD, FIRST, wait=PATIENCE).check()
        change = gateway.client.enable(CARD, SECOND, guard=("registered",), within=60.0)
        gateway.until(lambda: str(gateway.card.enabled_iccid) == SECOND)
        modem.do(lambda function: function.lose_power())
        gateway.client.wait(change.id, seconds=PATIENCE).check()
        assert str(gateway.card.enabled_iccid) == SECOND


def test_the_cause_of_a_rejected_attach_is_named() -> None:
    """If the network rejects the profile with EMM cause 11, the rollback's error gives this cause."""
    personality = ModemPersonality(subscriptions={SECOND: Subscription(emm_cause=11)})
    with qmi_gateway(personality=personality) as (gateway, _):
        installed(gateway)
        gateway.client.enable(CARD, FIRST, wait=PATIENCE).check()
        change = gateway.client.enable(CARD, SECOND, guard=("registered",), within=5.0, wait=PATIENCE)
        assert change.error is not None
        assert change.error.kind == "switch-rolled-back"
        assert "EMM cause 11" in str(change.error.details)
        assert str(gateway.card.enabled_iccid) == FIRST


def test_an_idle_daemon_answers_a_refresh() -> None:
    """If the card requests a REFRESH while lpad is idle, lpad answers, and does not open a channel."""
    with qmi_gateway(refresh_patience=60.0) as (gateway, modem):
        installed(gateway)
        gateway.client.enable(CARD, FIRST, wait=PATIENCE).check()
        gateway.until(lambda: not gateway.card.notifications and modem.function.channels == set())
        modem.received.clear()
        modem.do(lambda function: function.card_announces(_PROACTIVE_BYTES))
        gateway.until(lambda: (Service.UIM, Uim.REFRESH_COMPLETE) in asked(modem))
        assert not asked(modem) & {
            (Service.UIM, Uim.OPEN_LOGICAL_CHANNEL),
            (Service.UIM, Uim.SEND_APDU),
        }, "the daemon was idle"
        assert modem.function.refreshes_unanswered == 0


def asked(modem: QmiModem) -> set[tuple[int, int]]:
    return {(each.service, each.number) for each in modem.received}


OVER_THE_PORT = {"network": {"applier": "at"}}
CONDITIONS = ("registered", "bearer", "address")
APNS = {FIRST: "first.example", SECOND: "second.example"}


def calls(modem: QmiModem) -> list[tuple[int, str]]:
    """Return the IP version and the APN of each data session that is up."""
    found: list[tuple[int, str]] = []
    modem.do(
        lambda function: found.extend(
            (each.family, each.bearer.apn) for each in function.calls.of_clients.values()
        )
    )
    return sorted(found)


def test_bearer_and_address_are_conditions() -> None:
    """A guard over QMI waits for bearer and address with the profile's APN; a wrong APN rolls back."""
    personality = ModemPersonality(
        subscriptions={SECOND: Subscription(apns=("iot.example",))},
        autoselected={SECOND: "iot.example"},  # This lets the modem attach.
    )
    with qmi_gateway(personality=personality, settings=OVER_THE_PORT) as (gateway, modem):
        installed(gateway)
        gateway.client.enable(CARD, FIRST, wait=PATIENCE).check()
        assert calls(modem) == [(4, ""), (6, "")]
        gateway.client.set_network(CARD, SECOND, apn="iot.example")
        change = gateway.client.enable(CARD, SECOND, guard=CONDITIONS, within=60.0, wait=PATIENCE).check()
        assert change.result is not None
        told = change.result["network"]
        assert (told["applier"], told["bearer"], told["address"]) == ("at", "up", "up")
        assert told["addresses"] == ["10.64.0.2", "2001:db8::2"]
        assert calls(modem) == [(4, "iot.example"), (6, "iot.example")]
        gateway.client.enable(CARD, FIRST, wait=PATIENCE).check()
        gateway.client.set_network(CARD, SECOND, apn="wrong.example")
        change = gateway.client.enable(CARD, SECOND, guard=CONDITIONS, within=10.0, wait=PATIENCE)
        assert change.error is not None
        assert change.error.kind == "switch-rolled-back"
        assert "ESM cause 27" in str(change.error.details)
        assert str(gateway.card.enabled_iccid) == FIRST
        gateway.until(lambda: calls(modem) == [(4, ""), (6, "")])


def test_a_killed_daemon_leaves_a_session_that_the_next_one_replaces() -> None:
    """Data sessions continue if the daemon is killed; the restarted one replaces them at a switch."""
    with qmi_gateway(settings=OVER_THE_PORT) as (gateway, modem):
        installed(gateway)
        for iccid, apn in APNS.items():
            gateway.client.set_network(CARD, iccid, apn=apn)
        gateway.client.enable(CARD, FIRST, guard=CONDITIONS, within=60.0, wait=PATIENCE).check()
        for _ in range(3):
            gateway.kill()
            assert calls(modem) == [(4, "first.example"), (6, "first.example")]
            gateway.start()
            gateway.ready()
        assert calls(modem) == [(4, "first.example"), (6, "first.example")]
        gateway.client.enable(CARD, SECOND, guard=CONDITIONS, within=60.0, wait=PATIENCE).check()
        assert calls(modem) == [(4, "second.example"), (6, "second.example")]
        gateway.stop()
        assert len(modem.function.clients) == 2, "the clients are not exactly those of the sessions"
        gateway.start()


@pytest.mark.parametrize(
    "request_kind", [StopNetwork, SetIpFamily, StartNetwork], ids=lambda kind: kind.__name__
)
def test_a_daemon_killed_while_it_changes_the_session(request_kind: type[Body]) -> None:
    """If lpad is killed while it changes the data sessions, it completes this, and leaks no client."""
    with qmi_gateway(settings=OVER_THE_PORT) as (gateway, modem):
        installed(gateway)
        for iccid, apn in APNS.items():
            gateway.client.set_network(CARD, iccid, apn=apn)
        gateway.client.enable(CARD, FIRST, guard=CONDITIONS, within=60.0, wait=PATIENCE).check()
        wanted = (request_kind.SERVICE, request_kind.MESSAGE)
        modem.received.clear()
        modem.once(request_kind, delay=1.0)
        change = gateway.client.enable(CARD, SECOND, guard=CONDITIONS, within=60.0)
        gateway.until(lambda: wanted in asked(modem))
        gateway.kill()
        gateway.start()
        gateway.client.wait(change.id, seconds=PATIENCE)
        apn = APNS[str(gateway.card.enabled_iccid)]
        gateway.until(lambda: calls(modem) == [(4, apn), (6, apn)])
        gateway.stop()
        assert len(modem.function.clients) == 2, "the clients are not exactly those of the sessions"
        gateway.start()


def test_an_idle_daemon_hears_that_the_session_is_lost() -> None:
    """If a reset ends the data sessions, the card's layers show this; a switch opens new ones."""
    with qmi_gateway(settings=OVER_THE_PORT) as (gateway, modem):
        installed(gateway)
        gateway.client.enable(CARD, FIRST, guard=CONDITIONS, within=60.0, wait=PATIENCE).check()
        gateway.until(lambda: layer(gateway, "bearer") is True)
        modem.do(lambda function: function.lose_power())
        gateway.until(lambda: layer(gateway, "bearer") is False)
        gateway.client.enable(CARD, SECOND, guard=CONDITIONS, within=60.0, wait=PATIENCE).check()
        assert calls(modem) == [(4, ""), (6, "")]
        assert layer(gateway, "bearer") is True


def layer(gateway: Gateway, name: str) -> bool | None:
    layers = json.loads(gateway.client.request("GET", "/v1/euiccs/{}", CARD))["layers"]
    return next((each["up"] for each in layers if each["layer"] == name), None)


def test_the_probe_reports_the_link() -> None:
    """The daemon's probe names the link and the modem; `lpad probe` names the link without the daemon."""
    with qmi_gateway() as (gateway, modem):
        gateway.ready()
        result = gateway.client.probe(CARD, wait=PATIENCE).check().result or {}
        assert {key: result[key] for key in ("link", "model", "error")} == {
            "link": "qmi",
            "model": "PtyModem",
            "error": None,
        }
        gateway.stop()
        assert modem.function.clients == {}
        command = [sys.executable, "-m", "lpad.cli.lpad", "probe", "--port", modem.path, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        assert '"qmi"' in done.stdout
        assert modem.function.clients == {}
        gateway.start()


def test_a_cause_against_one_profile_is_none_against_the_next() -> None:
    """The ESM cause of one profile's refused session is not reported for the next profile."""
    personality = ModemPersonality(
        subscriptions={SECOND: Subscription(apns=("", "iot.example"))}, registration={FIRST: SEARCHING}
    )
    settings = {"network": {"applier": "at", "step_limit": 3}}
    with qmi_gateway(personality=personality, settings=settings) as (gateway, _):
        installed(gateway)
        gateway.client.set_network(CARD, SECOND, apn="wrong.example")
        gateway.client.set_network(CARD, FIRST, apn="first.example")
        refused = gateway.client.enable(CARD, SECOND, guard=None, wait=PATIENCE)
        assert "ESM cause 27" in str(refused.result)
        change = gateway.client.enable(CARD, FIRST, guard=("registered",), within=30.0, wait=PATIENCE)
        assert change.error is not None
        assert change.error.kind == "switch-rolled-back"
        assert "ESM cause" not in str(change.error.details)
        assert "try-default-apn" not in [each.name for each in change.steps]


@pytest.mark.parametrize("delay", [0.0, 2.0], ids=["immediate", "late"])
def test_a_card_that_is_taken_out_and_exchanged(delay: float, tmp_path: Path) -> None:
    """By the modem's indications alone, lpad notices an empty slot, the returned card, and another card."""
    with qmi_gateway(hourly=True, indication_delay=delay) as (gateway, modem):
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


def put_in(card: SoftCard, function: QmiFunction) -> None:
    function.swap_card(card)


def test_without_indications_an_exchanged_card_is_found_by_a_request() -> None:
    """If a modem sends no indications, lpad notices a removed card only at the next request."""
    with qmi_gateway(hourly=True, indication_delay=None) as (gateway, modem):
        installed(gateway)
        modem.do(lambda function: function.remove_card())
        assert gateway.client.euicc(CARD).state == "ready"
        assert gateway.client.refresh(CARD, wait=PATIENCE).error is not None
        assert gateway.client.euicc(CARD).state == "absent"
        modem.do(lambda function: function.swap_card(gateway.card))
        gateway.client.refresh(CARD, wait=PATIENCE).check()
        assert gateway.client.euicc(CARD).state == "ready"
