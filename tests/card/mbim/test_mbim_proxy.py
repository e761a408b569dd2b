"""lpad's MBIM link through Debian's mbim-proxy, next to mbimcli, and through one that refuses."""

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
from lpad.base.errors import CardUnreachable
from lpad.card.mbim.mbim_link import open_mbim_link
from lpad.card.port.control_port import open_control_port
from lpad.simulator.mbim.control_port import MbimModem
from proxy_namespace import ProxyNamespace

if TYPE_CHECKING:
    from pathlib import Path

SHARED_SWITCH = shared_switch.__file__

SESSIONS = """
import sys
from lpad.base.deadline import Deadline
from lpad.card.isdr.isdr import isdr_session
from lpad.card.mbim.mbim_link import open_mbim_link
from lpad.codec.es10_intents import GET_EID
deadline = Deadline.after(60)
link = open_mbim_link(sys.argv[1])
assert link.modem.dialogue._port.through_proxy
print(link.imei(deadline=deadline))
for _ in range(20):
    with isdr_session(link, deadline=deadline) as isdr:
        print(isdr.command(bytes.fromhex("BF3E035C015A"), intent=GET_EID, deadline=deadline).hex())
link.close()
"""

CARD_REPORTS = """
import select, sys
from lpad.base.deadline import Deadline
from lpad.card.isdr.isdr import isdr_session
from lpad.card.link.card_change_reports import CardReport
from lpad.card.mbim.mbim_link import open_mbim_link
deadline = Deadline.after(60)
link = open_mbim_link(sys.argv[1])
assert link.imei(deadline=deadline) and link.modem.dialogue._port.through_proxy
link.modem.iccid(deadline=deadline)
link.take_card_report()
while CardReport.GONE | CardReport.STARTED not in link.card_report:
    assert select.select([link.fileno()], [], [], deadline.remaining())[0], link.card_report
    link.hear(deadline=deadline)
print("gone and back")
link.close()
"""


@pytest.mark.programs("mbimcli")
def test_the_proxy_passes_reports_on_the_card_on(tmp_path: Path) -> None:
    """An idle link hears through the proxy that the card was taken out and put back."""
    card = ScriptedCard(answers={GET_EID: EID})
    with MbimModem(card, path=tmp_path / "cdc-wdm0") as modem, ProxyNamespace("mbim-proxy") as namespace:
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


@pytest.mark.programs("mbimcli")
def test_lpad_and_mbimcli_share_the_proxy(tmp_path: Path) -> None:
    """Lpad and mbimcli use the proxy at the same time, and neither program gets the other's answers."""
    card = ScriptedCard(answers={GET_EID: EID})
    with MbimModem(card, path=tmp_path / "cdc-wdm0") as modem, ProxyNamespace("mbim-proxy") as namespace:
        asked: list[str] = []
        done = threading.Event()

        def ask_in_turns() -> None:
            while not done.is_set():
                told = namespace.run("mbimcli", "-d", modem.path, "-p", "--query-device-caps")
                asked.append(told.stdout)

        other = threading.Thread(target=ask_in_turns)
        other.start()
        try:
            ours = namespace.run(sys.executable, "-c", SESSIONS, modem.path, seconds=100)
        finally:
            done.set()
            other.join()
        assert ours.stdout.split() == ["490154203237518", *[EID.hex()] * 20], ours.stderr
        assert asked
        assert all("490154203237518" in each for each in asked)
        assert modem.function.channels.open == {}


@pytest.mark.programs("mbimcli")
def test_profiles_are_switched_while_another_program_uses_the_proxy() -> None:
    """A daemon switches with a guard, and every call of mbimcli in the meantime gets its own answer.

    ModemManager itself needs made-up entries in /sys (`tests/debian_daemons/test_mbim_switch.py`), so mbimcli
    asks in a loop in its place.
    """
    with ProxyNamespace("mbim-proxy") as namespace:
        environment = f"PYTHONPATH={os.pathsep.join(sys.path)}"
        told = namespace.run("env", environment, sys.executable, SHARED_SWITCH, "mbim", seconds=200)
    assert told.returncode == 0, told.stderr[-4000:]
    asked, failed, switched, channels = map(int, told.stdout.split())
    assert asked > 3
    assert (failed, switched, channels) == (0, 6, 0)


def test_a_proxy_that_refuses_is_named(tmp_path: Path) -> None:
    """If the proxy closes the connection, as mbim-proxy does unless root calls, the error reports this."""
    name = f"\0lpad-test-{uuid.uuid4()}"
    with (
        MbimModem(ScriptedCard(), path=tmp_path / "cdc-wdm0") as modem,
        socket.socket(socket.AF_UNIX) as listener,
    ):
        listener.bind(name)
        listener.listen()

        def refuse() -> None:
            connection, _ = listener.accept()
            connection.close()

        accepting = threading.Thread(target=refuse)
        accepting.start()
        link = open_mbim_link(modem.path, open_port=partial(open_control_port, proxy=name))
        with pytest.raises(CardUnreachable, match="accepts only root"):
            link.imei(deadline=soon())
        link.close()
        accepting.join()


@pytest.mark.parametrize("kind", ["file", "folder", "nothing"])
def test_a_path_that_is_not_a_port_is_named(kind: str, tmp_path: Path) -> None:
    """A path that leads to no port is refused with the reason."""
    path = tmp_path / "cdc-wdm0"
    if kind == "file":
        path.write_bytes(b"")
    elif kind == "folder":
        path.mkdir()
    says = "no such port" if kind == "nothing" else "not a device"
    with pytest.raises(CardUnreachable, match=says):
        open_mbim_link(os.fspath(path))
