"""The simulated QMI modem before Debian's qmicli, alone and behind the real qmi-proxy.

Debian 12's qmicli has no command for APDUs, so channels are not among what it can prove.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from card.scripted_card import ScriptedCard
from engine.lab import FIRST, Lab
from lpad.engine.change.change import Kind
from lpad.simulator.modem.personality import ModemPersonality
from lpad.simulator.qmi.control_port import QmiModem
from lpad.simulator.qmi.habits import QmiHabits
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
    """A simulated modem, and qmicli before it."""

    modem: QmiModem
    namespace: ProxyNamespace
    through: tuple[str, ...]

    def __call__(self, *arguments: str) -> str:
        done = self.namespace.run("qmicli", "-d", self.modem.path, *self.through, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(params=[False, True], ids=["alone", "qmi-proxy"])
def qmicli(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """Qmicli alone and through qmi-proxy."""
    personality = ModemPersonality()
    habits = QmiHabits(slots=2)
    with (
        QmiModem(ScriptedCard(), path=tmp_path / "cdc-wdm0", habits=habits, personality=personality) as modem,
        ProxyNamespace("qmi-proxy" if request.param else None) as namespace,
    ):
        yield Rig(modem, namespace, ("--device-open-qmi", *(("-p",) if request.param else ())))


def test_qmicli_reads_the_modem(qmicli: Rig) -> None:
    """Names, IMEI, registration, card and slots are what the simulated modem has."""
    for question, says in READINGS.items():
        assert says in qmicli(question)
    assert qmicli.modem.function.clients == {}


def test_qmicli_reads_the_data_session(lab: Lab, tmp_path: Path) -> None:
    """The addresses are those of the modem; for IPv6, a client chooses that version first."""
    lab.install()
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).error is None
    with (
        QmiModem(lab.card, path=tmp_path / "cdc-wdm0") as modem,
        ProxyNamespace("qmi-proxy") as namespace,
    ):
        modem.function.modem.contexts.contexts[1].kind = "IPV4V6"
        qmicli = Rig(modem, namespace, ("--device-open-qmi", "-p"))
        assert "Connection status: 'connected'" in qmicli("--wds-get-packet-service-status")
        assert "IPv4 address: 10.64.0.2" in qmicli("--wds-get-current-settings")
        qmicli("--wds-set-ip-family=6", "--client-no-release-cid")
        ((_, client),) = modem.function.clients
        assert "IPv6 address: 2001:db8::2/64" in qmicli(
            "--wds-get-current-settings", f"--client-cid={client}"
        )


def test_qmicli_powers_the_card(qmicli: Rig) -> None:
    """Off, the card is absent; on, it was restarted."""
    restarts = qmicli.modem.function.modem.radio.restarts
    qmicli("--uim-sim-power-off=1")
    assert "Card state: 'absent'" in qmicli("--uim-get-card-status")
    qmicli("--uim-sim-power-on=1")
    assert "Card state: 'present'" in qmicli("--uim-get-card-status")
    assert qmicli.modem.function.modem.radio.restarts > restarts


def test_qmicli_switches_the_radio_and_the_slot(qmicli: Rig) -> None:
    """Both are the modem's own states, and the other slot is empty."""
    qmicli("--dms-set-operating-mode=low-power")
    assert "Mode: 'low-power'" in qmicli("--dms-get-operating-mode")
    qmicli("--dms-set-operating-mode=online")
    qmicli("--uim-switch-slot=2")
    assert "Card state: 'absent'" in qmicli("--uim-get-card-status")


def test_qmicli_is_refused_by_name(qmicli: Rig) -> None:
    """A file that is not there has the error that libqmi knows for it."""
    done = qmicli.namespace.run(
        "qmicli", "-d", qmicli.modem.path, *qmicli.through, "--uim-read-transparent=0x3F00,0x2F05"
    )
    assert done.returncode != 0
    assert "SimFileNotFound" in done.stderr
