"""Debian's qmicli uses the simulated QMI modem, directly and through the real qmi-proxy.

Debian 12's qmicli has no command for APDUs, so these tests do not cover channels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from card.scripted_card import ScriptedCard
from engine.lab import FIRST, Lab
from lpad.engine.change.change import Kind
from lpad.simulator.modem.pdp_contexts import Subscription
from lpad.simulator.modem.personality import ModemPersonality
from lpad.simulator.qmi.behaviour import QmiBehaviour
from lpad.simulator.qmi.control_port import QmiModem
from proxy_namespace import ProxyNamespace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.programs("qmicli")

READINGS = {
    "--get-service-version-info": "uim (1.46)",
    "--dms-get-ids": "IMEI: '490154203237518'",
    "--dms-get-manufacturer": "Manufacturer: 'lpad'",
    "--dms-get-model": "Model: 'PtyModem'",
    "--dms-get-revision": "Revision: '1.0'",
    "--dms-get-operating-mode": "Mode: 'online'",
    "--nas-get-serving-system": "Registration state: 'not-registered'",
    "--wds-get-packet-service-status": "Connection status: 'disconnected'",
    "--uim-get-card-status": "Card state: 'present'",
    "--uim-get-slot-status": "Is eUICC: yes",
}


@dataclass
class Rig:
    """A simulated modem, and qmicli as its host."""

    modem: QmiModem
    namespace: ProxyNamespace
    through: tuple[str, ...]

    def __call__(self, *arguments: str) -> str:
        done = self.namespace.run("qmicli", "-d", self.modem.path, *self.through, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(params=[False, True], ids=["alone", "qmi-proxy"])
def qmicli(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """Qmicli directly or through qmi-proxy."""
    personality = ModemPersonality()
    habits = QmiBehaviour(slots=2)
    with (
        QmiModem(
            ScriptedCard(), path=tmp_path / "cdc-wdm0", behaviour=habits, personality=personality
        ) as modem,
        ProxyNamespace("qmi-proxy" if request.param else None) as namespace,
    ):
        yield Rig(modem, namespace, ("--device-open-qmi", *(("-p",) if request.param else ())))


def test_qmicli_reads_the_modem(qmicli: Rig) -> None:
    """Qmicli prints the names, IMEI, states and slots of the simulated modem, and releases its clients."""
    for question, says in READINGS.items():
        assert says in qmicli(question)
    assert qmicli.modem.function.clients == {}


@pytest.fixture
def registered(lab: Lab, tmp_path: Path) -> Iterator[Rig]:
    """Qmicli through qmi-proxy to a registered modem whose network has a default APN and iot.example."""
    lab.install()
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).error is None
    subscription = Subscription(apns=("", "iot.example"), types=("IP", "IPV6"))
    personality = ModemPersonality(subscriptions={FIRST: subscription})
    with (
        QmiModem(lab.card, path=tmp_path / "cdc-wdm0", personality=personality) as modem,
        ProxyNamespace("qmi-proxy") as namespace,
    ):
        yield Rig(modem, namespace, ("--device-open-qmi", "-p"))


@pytest.mark.parametrize(
    ("family", "address"), [(4, "IPv4 address: 10.64.0.2"), (6, "IPv6 address: 2001:db8::2/64")]
)
def test_qmicli_starts_and_stops_a_data_session(registered: Rig, family: int, address: str) -> None:
    """Qmicli starts a data session, reads its address, and stops it."""
    started = registered(f"--wds-start-network=apn=iot.example,ip-type={family}", "--client-no-release-cid")
    (handle,) = re.findall(r"Packet data handle: '(\d+)'", started)
    ((_, client),) = registered.modem.function.clients
    ours = (f"--client-cid={client}", "--client-no-release-cid")
    if family == 6:
        registered("--wds-set-ip-family=6", *ours)
    assert "Connection status: 'connected'" in registered("--wds-get-packet-service-status", *ours)
    assert address in registered("--wds-get-current-settings", *ours)
    registered(f"--wds-stop-network={handle}", *ours)
    assert "Connection status: 'disconnected'" in registered("--wds-get-packet-service-status", *ours)


def test_a_session_ends_with_its_client(registered: Rig) -> None:
    """When qmicli releases its client, the modem ends the client's data session."""
    registered("--wds-start-network=apn=iot.example,ip-type=4")
    assert registered.modem.function.clients == {}
    assert "Connection status: 'disconnected'" in registered("--wds-get-packet-service-status")


def test_a_refused_session_has_the_network_s_cause(registered: Rig) -> None:
    """Qmicli prints the cause of a refused session, and NoEffect if a session is already open."""
    done = registered.namespace.run(
        "qmicli", "-d", registered.modem.path, *registered.through, "--wds-start-network=apn=wrong,ip-type=4"
    )
    assert "CallFailed" in done.stderr
    assert "unknown-apn" in done.stderr
    assert "verbose call end reason (6,27)" in done.stderr
    registered("--wds-start-network=apn=iot.example,ip-type=4", "--client-no-release-cid")
    done = registered.namespace.run(
        "qmicli", "-d", registered.modem.path, *registered.through, "--wds-start-network=ip-type=4"
    )
    assert "NoEffect" in done.stderr


def test_qmicli_stops_the_modem_s_own_session(lab: Lab, tmp_path: Path) -> None:
    """Qmicli can stop the data session that a modem, by its habit, has started itself."""
    lab.install()
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).error is None
    habits = QmiBehaviour(starts_session=True)
    with (
        QmiModem(lab.card, path=tmp_path / "cdc-wdm0", behaviour=habits) as modem,
        ProxyNamespace("qmi-proxy") as namespace,
    ):
        qmicli = Rig(modem, namespace, ("--device-open-qmi", "-p"))
        assert "Connection status: 'connected'" in qmicli("--wds-get-packet-service-status")
        qmicli("--wds-stop-network=disable-autoconnect")
        assert "Connection status: 'disconnected'" in qmicli("--wds-get-packet-service-status")


def test_qmicli_powers_the_card(qmicli: Rig) -> None:
    """Qmicli switches the card off, after which the card is absent, and on, which restarts it."""
    restarts = qmicli.modem.function.modem.radio.restarts
    qmicli("--uim-sim-power-off=1")
    assert "Card state: 'absent'" in qmicli("--uim-get-card-status")
    qmicli("--uim-sim-power-on=1")
    assert "Card state: 'present'" in qmicli("--uim-get-card-status")
    assert qmicli.modem.function.modem.radio.restarts > restarts


def test_qmicli_switches_the_radio_and_the_slot(qmicli: Rig) -> None:
    """Qmicli sets the modem's operating mode, and switches to the second slot, which is empty."""
    qmicli("--dms-set-operating-mode=low-power")
    assert "Mode: 'low-power'" in qmicli("--dms-get-operating-mode")
    qmicli("--dms-set-operating-mode=online")
    qmicli("--uim-switch-slot=2")
    assert "Card state: 'absent'" in qmicli("--uim-get-card-status")


def test_qmicli_is_refused_by_name(qmicli: Rig) -> None:
    """If qmicli reads a file that the card lacks, it prints SimFileNotFound."""
    done = qmicli.namespace.run(
        "qmicli", "-d", qmicli.modem.path, *qmicli.through, "--uim-read-transparent=0x3F00,0x2F05"
    )
    assert done.returncode != 0
    assert "SimFileNotFound" in done.stderr
