"""lpad's QMI link through Debian's qmi-proxy, next to qmicli, and through one that refuses."""

from __future__ import annotations

import os
import socket
import sys
import threading
import uuid
from functools import partial
from typing import TYPE_CHECKING

import pytest

from card.link import shared_switch
from card.link_contract import EID, GET_EID, soon
from card.scripted_card import ScriptedCard
from engine.lab import FIRST, Lab
from lpad.base.errors import CardUnreachable
from lpad.card.port.control_port import open_control_port
from lpad.card.qmi.qmi_link import open_qmi_link
from lpad.codec.qmi import control
from lpad.engine.change.change import Kind
from lpad.simulator.qmi.control_port import QmiModem
from proxy_namespace import ProxyNamespace

if TYPE_CHECKING:
    from pathlib import Path

SHARED_SWITCH = shared_switch.__file__

SESSIONS = """
import os, sys
from pathlib import Path
from lpad.base.deadline import Deadline
from lpad.card.isdr.isdr import isdr_session
from lpad.card.link.remembered_links import LinkMemory
from lpad.card.qmi.qmi_link import open_qmi_link
from lpad.codec.es10_intents import GET_EID
deadline = Deadline.after(60)
link = open_qmi_link(sys.argv[1], memory=LinkMemory(Path(sys.argv[4])))
assert link.modem.dialogue._port.through_proxy
print(link.imei(deadline=deadline))
for _ in range(int(sys.argv[2])):
    with isdr_session(link, deadline=deadline) as isdr:
        print(isdr.command(bytes.fromhex("BF3E035C015A"), intent=GET_EID, deadline=deadline).hex())
if sys.argv[3] == "killed":
    sys.stdout.flush()
    os.kill(os.getpid(), 9)
link.close()
"""

DATA_SESSION = """
import os, sys
from pathlib import Path
from lpad.base.deadline import Deadline
from lpad.card.link.remembered_links import LinkMemory
from lpad.card.qmi.qmi_link import open_qmi_link
from lpad.protocol.data_session_types import SessionWish
deadline = Deadline.after(60)
link = open_qmi_link(sys.argv[1], memory=LinkMemory(Path(sys.argv[3])))
if sys.argv[2] == "opened":
    print(link.modem.open_session(SessionWish(apn="em"), deadline=deadline))
    assert link.modem.dialogue._port.through_proxy
    sys.stdout.flush()
    os.kill(os.getpid(), 9)
print(link.modem.session(deadline=deadline))
if sys.argv[2] == "closed":
    link.modem._session.close(deadline=deadline)
link.close()
"""

CARD_REPORTS = """
import select, sys
from lpad.base.deadline import Deadline
from lpad.card.isdr.isdr import isdr_session
from lpad.card.link.card_change_reports import CardReport
from lpad.card.qmi.qmi_link import open_qmi_link
deadline = Deadline.after(60)
link = open_qmi_link(sys.argv[1])
assert link.imei(deadline=deadline) and link.modem.dialogue._port.through_proxy
link.modem.iccid(deadline=deadline)
link.take_card_report()
while CardReport.GONE | CardReport.STARTED not in link.card_report:
    assert select.select([link.fileno()], [], [], deadline.remaining())[0], link.card_report
    link.hear(deadline=deadline)
print("gone and back")
link.close()
"""


@pytest.mark.programs("qmicli")
def test_the_proxy_passes_reports_on_the_card_on(tmp_path: Path) -> None:
    """An idle link hears through the proxy that the card was taken out and put back."""
    card = ScriptedCard(answers={GET_EID: EID})
    with QmiModem(card, path=tmp_path / "cdc-wdm0") as modem, ProxyNamespace("qmi-proxy") as namespace:
        done = threading.Event()

        def take_out_and_put_back() -> None:
            while not done.wait(0.2):
                modem.do(lambda function: function.remove_card())
                done.wait(0.2)
                modem.do(lambda function: function.swap_card(card))

        hand = threading.Thread(target=take_out_and_put_back)
        hand.start()
        try:
            ours = namespace.run(sys.executable, "-c", CARD_REPORTS, modem.path, seconds=100)
        finally:
            done.set()
            hand.join()
        assert ours.stdout == "gone and back\n", ours.stderr


@pytest.mark.programs("qmicli")
def test_lpad_and_qmicli_share_the_proxy(tmp_path: Path) -> None:
    """Lpad and qmicli use the proxy at the same time, and neither program gets the other's answers."""
    card = ScriptedCard(answers={GET_EID: EID})
    with QmiModem(card, path=tmp_path / "cdc-wdm0") as modem, ProxyNamespace("qmi-proxy") as namespace:
        asked: list[str] = []
        done = threading.Event()

        def ask_in_turns() -> None:
            while not done.is_set():
                told = namespace.run("qmicli", "-d", modem.path, "-p", "--device-open-qmi", "--dms-get-ids")
                asked.append(told.stdout)

        other = threading.Thread(target=ask_in_turns)
        other.start()
        try:
            ours = namespace.run(
                sys.executable, "-c", SESSIONS, modem.path, "20", "closed", str(tmp_path), seconds=100
            )
        finally:
            done.set()
            other.join()
        assert ours.stdout.split() == ["490154203237518", *[EID.hex()] * 20], ours.stderr
        assert asked
        assert all("490154203237518" in each for each in asked)
        assert modem.function.channels == set()
        assert modem.function.clients == {}
        sent = {(each.service, each.number) for each in modem.received}
        assert (control.Sync.SERVICE, control.Sync.MESSAGE) not in sent


@pytest.mark.programs("qmicli")
def test_clients_of_a_killed_process_are_given_back_through_the_proxy(tmp_path: Path) -> None:
    """qmi-proxy 1.32 keeps a killed process's clients; lpad's next process releases those in the note."""
    card = ScriptedCard(answers={GET_EID: EID})
    folder = str(tmp_path / "links")
    with QmiModem(card, path=tmp_path / "cdc-wdm0") as modem, ProxyNamespace("qmi-proxy") as namespace:
        for _ in range(3):
            ours = namespace.run(sys.executable, "-c", SESSIONS, modem.path, "1", "killed", folder)
            assert EID.hex() in ours.stdout, ours.stderr
        assert len(modem.function.clients) == 2
        ours = namespace.run(sys.executable, "-c", SESSIONS, modem.path, "1", "closed", folder)
        assert EID.hex() in ours.stdout, ours.stderr
        assert modem.function.clients == {}


@pytest.mark.programs("qmicli")
def test_a_data_session_outlives_its_process_behind_the_proxy(lab: Lab, tmp_path: Path) -> None:
    """After a kill, lpad's next process continues the data session and closes it; qmicli sees it, too."""
    lab.install()
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).error is None
    folder = str(tmp_path / "links")
    with QmiModem(lab.card, path=tmp_path / "cdc-wdm0") as modem, ProxyNamespace("qmi-proxy") as namespace:
        qmicli = ("qmicli", "-d", modem.path, "-p", "--device-open-qmi", "--wds-get-packet-service-status")
        for step in ("opened", "looked", "closed"):
            ours = namespace.run(sys.executable, "-c", DATA_SESSION, modem.path, step, folder)
            assert "'10.64.0.2', '2001:db8::2'" in ours.stdout, (step, ours.stderr)
            up = "connected" if step != "closed" else "disconnected"
            assert f"Connection status: '{up}'" in namespace.run(*qmicli).stdout, step
        assert modem.function.clients == {}


@pytest.mark.programs("qmicli")
def test_profiles_are_switched_while_another_program_uses_the_proxy() -> None:
    """A daemon switches with a guard, and every call of qmicli in the meantime gets its own answer.

    ModemManager does not run in this test; qmicli asks in a loop in its place.
    """
    with ProxyNamespace("qmi-proxy") as namespace:
        environment = f"PYTHONPATH={os.pathsep.join(sys.path)}"
        told = namespace.run("env", environment, sys.executable, SHARED_SWITCH, "qmi", seconds=200)
    assert told.returncode == 0, told.stderr[-4000:]
    asked, failed, switched, channels = map(int, told.stdout.split())
    assert asked > 3
    assert (failed, switched, channels) == (0, 6, 0)


def test_a_proxy_that_refuses_is_named(tmp_path: Path) -> None:
    """If the proxy closes the connection, as qmi-proxy does unless root calls, the error reports this."""
    name = f"\0lpad-test-{uuid.uuid4()}"
    with (
        QmiModem(ScriptedCard(), path=tmp_path / "cdc-wdm0") as modem,
        socket.socket(socket.AF_UNIX) as listener,
    ):
        listener.bind(name)
        listener.listen()

        def refuse() -> None:
            connection, _ = listener.accept()
            connection.close()

        accepting = threading.Thread(target=refuse)
        accepting.start()
        link = open_qmi_link(modem.path, open_port=partial(open_control_port, proxy=name))
        with pytest.raises(CardUnreachable, match="accepts only root"):
            link.imei(deadline=soon())
        link.close()
        accepting.join()
