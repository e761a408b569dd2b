"""Debian's mbimcli uses the simulated MBIM modem, directly and through the real mbim-proxy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from card.scripted_card import ScriptedCard
from lpad.base.deadline import Deadline
from lpad.base.identifiers import ISD_R
from lpad.card.mbim.mbim_dialogue import MbimDialogue
from lpad.card.mbim.mbim_modem import MbimModem as MbimModemLink
from lpad.card.port.control_port import open_control_port
from lpad.protocol.data_session_types import SessionWish
from lpad.simulator.mbim.behaviour import MbimBehaviour
from lpad.simulator.mbim.control_port import MbimModem
from proxy_namespace import ProxyNamespace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.programs("mbimcli")

READINGS = {
    "--query-device-services": "ms-uicc-low-level-access",
    "--query-device-caps": "Device ID: '490154203237518'",
    "--query-subscriber-ready-status": "Ready state: 'no-esim-profile'",
    "--query-registration-state": "Register state: 'deregistered'",
    "--query-radio-state": "Software radio state: 'on'",
    "--query-packet-service-state": "Packet service state: 'detached'",
    "--query-connection-state": "Activation state: 'deactivated'",
    "--ms-query-device-slot-mappings": "Executor '0': slot '0'",
    "--ms-query-slot-info-status=0": "'state-active-esim-no-profiles'",
    "--ms-query-sys-caps": "Number of slots: '2'",
    "--ms-query-uicc-atr": "3B:9F:96",
}


@dataclass
class Rig:
    """A simulated modem, and mbimcli as its host."""

    modem: MbimModem
    namespace: ProxyNamespace
    through: tuple[str, ...]

    def __call__(self, *arguments: str) -> str:
        done = self.namespace.run("mbimcli", "-d", self.modem.path, *self.through, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(params=[(False, 4096), (False, 64), (True, 4096), (True, 64)], ids=str)
def mbimcli(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """Mbimcli directly or through mbim-proxy, with transfers of at most 4096 or 64 bytes."""
    proxy, most = request.param
    habits = MbimBehaviour(slots=2, max_transfer=most, lte_attach=True)
    with (
        MbimModem(ScriptedCard(fci_waits=False), path=tmp_path / "cdc-wdm0", behaviour=habits) as modem,
        ProxyNamespace("mbim-proxy" if proxy else None) as namespace,
    ):
        yield Rig(modem, namespace, ("-p",) if proxy else ())


def test_mbimcli_reads_the_modem(mbimcli: Rig) -> None:
    """Mbimcli prints the IMEI, states, slots and ATR that the simulated modem has."""
    for question, says in READINGS.items():
        assert says in mbimcli(question)


def test_mbimcli_uses_the_card(mbimcli: Rig) -> None:
    """Mbimcli can open a channel to the ISD-R, send an APDU, and close the channel by its group."""
    aid = bytes(ISD_R).hex()
    wish = f"--ms-set-uicc-open-channel=application-id={aid},selectp2arg=4,channel-group=3"
    opened = mbimcli(wish, "--no-close").lower()
    assert "status: 144" in opened
    assert "channel: 1" in opened
    command = "channel=1,secure-message=none,classbyte-type=extended,command=81E2910003BF2000"
    assert "status: 144" in mbimcli(f"--ms-set-uicc-apdu={command}").lower()
    mbimcli("--ms-set-uicc-close-channel=channel=0,channel-group=3")
    assert mbimcli.modem.function.channels.open == {}


def test_mbimcli_reads_the_initial_bearer(mbimcli: Rig) -> None:
    """Mbimcli prints the stored attach settings, once for each roaming condition."""
    dialogue = MbimDialogue(open_control_port(mbimcli.modem.path))
    wish = SessionWish(apn="iot.example", username="user", authentication=1)
    assert MbimModemLink(dialogue).store_attach_settings(wish, deadline=Deadline.after(30))
    dialogue.close()
    told = mbimcli("--ms-query-lte-attach-configuration")
    lines = [" ".join(each.split()) for each in told.splitlines()]
    for line in ("Access string: iot.example", "Username: user", "Auth protocol: pap", "IP type: ipv4v6"):
        assert lines.count(line) == 3, told
    assert [each for each in lines if each.startswith("Roaming:")] == [
        f"Roaming: {each}" for each in ("home", "partner", "non-partner")
    ]


def test_mbimcli_connects_only_once_the_modem_is_registered(mbimcli: Rig) -> None:
    """While the modem is not registered, mbimcli's --connect fails."""
    done = mbimcli.namespace.run(
        "mbimcli", "-d", mbimcli.modem.path, *mbimcli.through, "--connect=session-id=0,apn=internet"
    )
    assert done.returncode != 0
    assert "Failure" in done.stderr
