"""A modem with an AT port and an MBIM or QMI port, only one of which reaches the card."""

from __future__ import annotations

import select
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from card.link_contract import EID, GET_EID, soon
from card.scripted_card import ScriptedCard
from lpad.base.errors import CardBusy, CardError, CardUnreachable
from lpad.card.isdr.isdr import isdr_session
from lpad.card.link.card_change_reports import CardReport, CardReporting
from lpad.card.link.isdr_aids import isdr_aids
from lpad.card.link.link import present_link
from lpad.card.link.link_facts import facts_of
from lpad.card.link.network_connection_reports import Listening
from lpad.card.port.control_port import open_control_port
from lpad.card.port.hotplug import PortWatch
from lpad.card.port_kinds import ModemPort
from lpad.card.probe import probe
from lpad.simulator.mbim.behaviour import MbimBehaviour
from lpad.simulator.mbim.control_port import MbimModem
from lpad.simulator.modem.pty_modem import PtyModem
from lpad.simulator.qmi.behaviour import QmiBehaviour
from lpad.simulator.qmi.control_port import QmiModem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.card.link.link import Link
    from lpad.card.port_kinds import Way

REFUSES = MbimBehaviour(select_p2=())
"""SelectFailed for every SELECT, as on an XMM7560."""
BARS = QmiBehaviour(bars_isdr=True)
"""AccessDenied, as on an LE910C4."""


class Ports:
    """Two ports that lead to one card, and the settings that name both."""

    def __init__(self, folder: Path, stack: ExitStack, kind: str) -> None:
        self._folder = folder
        self._stack = stack
        self.kind = kind
        self.card = ScriptedCard(answers={GET_EID: EID})
        self.at = stack.enter_context(PtyModem(self.card, path=folder / "ttyUSB2"))

    def control(self, *, refuses: bool = False) -> MbimModem | QmiModem:
        if self.kind == "mbim":
            mbim = MbimModem(self.card, path=self.control_path, behaviour=REFUSES if refuses else None)
            return self._stack.enter_context(mbim)
        qmi = QmiModem(self.card, path=self.control_path, behaviour=BARS if refuses else None)
        return self._stack.enter_context(qmi)

    @property
    def control_path(self) -> str:
        return str(self._folder / f"wwan0{self.kind}0")

    def remembered(self) -> list[Path]:
        """Return the files in which lpad has noted the working port instead of the refusing one."""
        return list((self._folder / "links").glob("*.working"))

    def way(self) -> Way:
        quirks = {"patience": {"apdu": 1.0, "information": 0.5}}
        port = ModemPort(path=self.control_path, fallbacks=(self.at.path,), quirks=quirks)
        return port.way(memory=None, folder=self._folder / "links", watch=PortWatch())


@pytest.fixture(params=["mbim", "qmi"])
def ports(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ports]:
    with ExitStack() as stack:
        yield Ports(tmp_path, stack, request.param)


def kind_that_answers(link: Link) -> str | None:
    with isdr_session(link, deadline=soon()) as isdr:
        assert isdr.command(GET_EID, deadline=soon()) == EID
    return facts_of(link).kind


def test_the_port_of_the_settings_is_used_if_it_works(ports: Ports) -> None:
    """If the port of the settings works, the other port stays closed, so that other programs can use it."""
    ports.control()
    link = ports.way().open_link(soon())
    assert kind_that_answers(link) == ports.kind
    assert not ports.at.received
    link.close()


def test_a_port_that_refuses_is_replaced_and_this_is_remembered(
    ports: Ports, caplog: pytest.LogCaptureFixture
) -> None:
    """If one port refuses, lpad uses the other; after a restart it does not ask the refusing port again."""
    modem = ports.control(refuses=True)
    link = ports.way().open_link(soon())
    assert kind_that_answers(link) == "csim"
    assert f"lpad uses {ports.at.path} instead" in caplog.text
    present = present_link(link)
    assert isinstance(present, Listening)
    assert present.fileno() > 0
    assert ports.card.open == set()
    assert ports.remembered()
    link.close()
    asked = len(modem.received)
    link = ports.way().open_link(soon())
    assert kind_that_answers(link) == "csim"
    link.close()
    assert len(modem.received) == asked > 0


def test_the_report_names_the_port_that_is_used_instead(ports: Ports) -> None:
    """A probe shows the fallback only while it is in use; its search for more eUICCs changes no port."""
    modem = ports.control()
    link = ports.way().open_link(soon())
    for port, kind in ((None, ports.kind), (ports.at.path, "csim")):
        assert kind_that_answers(link) == kind
        assert bool(ports.at.received) == (port is not None)
        report = probe(lambda: link, port="modem", aids=isdr_aids(), deadline=soon())
        assert report.error is None
        shown = report.shown(unredacted=True)
        assert (shown.fallback_port, shown.link) == (port, kind)
        modem.once(vanish=True)
    link.close()


def test_a_silent_port_is_replaced(ports: Ports) -> None:
    """If the modem is silent on one port, lpad uses the other; the silent one is tried again later."""
    modem = ports.control()
    for _ in range(9):
        modem.once(executed=False, lost=True)
    link = ports.way().open_link(soon())
    assert link.imei(deadline=soon()) is not None
    assert kind_that_answers(link) == "csim"
    link.close()
    assert not ports.remembered()


def test_a_vanished_port_is_replaced_until_it_is_back(ports: Ports) -> None:
    """A vanished port is replaced, but only until it is back, because it has not refused anything."""
    modem = ports.control()
    link = ports.way().open_link(soon())
    assert kind_that_answers(link) == ports.kind
    modem.once(vanish=True)
    assert kind_that_answers(link) == "csim"
    link.close()
    modem.come_back()
    link = ports.way().open_link(soon())
    assert kind_that_answers(link) == ports.kind
    link.close()


def test_a_failure_within_a_session_changes_no_port(ports: Ports) -> None:
    """A failure within a session ends the session with its error; only the next one uses the other port."""
    modem = ports.control()
    link = ports.way().open_link(soon())
    with isdr_session(link, deadline=soon()) as isdr:
        modem.once(vanish=True)
        with pytest.raises(CardError):
            isdr.command(GET_EID, deadline=soon())
        assert not ports.at.received
    assert kind_that_answers(link) == "csim"
    link.close()


def test_a_port_in_use_is_not_replaced(ports: Ports) -> None:
    """A port that another program uses is not replaced; the error names that program."""
    ports.control()
    way = ports.way()
    holder = way.open_link(soon())
    with pytest.raises(CardBusy, match="holds it"):
        ports.way().open_link(soon())
    assert not ports.at.received
    holder.close()


def test_if_no_port_reaches_the_card_the_error_is_that_of_the_first(tmp_path: Path) -> None:
    """If no port reaches the card, the error is that of the settings' port, which the user can repair."""
    card = ScriptedCard(applications=())
    with (
        PtyModem(card, path=tmp_path / "ttyUSB2") as at,
        MbimModem(card, path=tmp_path / "wwan0mbim0") as mbim,
    ):
        port = ModemPort(path=mbim.path, fallbacks=(at.path, "/dev/gone"))
        link = port.way(memory=None, folder=None, watch=PortWatch()).open_link(soon())
        with pytest.raises(CardError, match="not an eUICC"):
            kind_that_answers(link)
        assert at.received
        link.close()


def ask_modem(link: Link) -> None:
    with link.lend_modem(deadline=soon()) as lent:
        assert lent is not None
        lent.modem.iccid(deadline=soon())


def test_a_port_that_is_silent_for_the_modem_comes_last_once(ports: Ports) -> None:
    """If a port is silent in use, the next opening uses the other port, and the one after it the first."""
    modem = ports.control()
    way = ports.way()
    link = way.open_link(soon())
    assert kind_that_answers(link) == ports.kind
    for _ in range(9):
        modem.once(executed=False, lost=True)
    with pytest.raises(CardUnreachable):
        ask_modem(link)
    link.close()
    modem.forget_faults()
    for kind in ("csim", ports.kind):
        link = way.open_link(soon())
        assert kind_that_answers(link) == kind
        link.close()


def test_an_empty_slot_is_listened_to(ports: Ports) -> None:
    """If no port reaches a card, the one over which the modem reports the next card stays open."""
    modem = ports.control()
    modem.do(lambda function: function.remove_card())
    for _ in range(50):
        ports.at.once("", executed=False, instead=("+CME ERROR: 10",))
    link = ports.way().open_link(soon())
    with pytest.raises(CardError, match=r"sim not inserted|no sim"):
        kind_that_answers(link)
    present: Any = present_link(link)
    assert present.reports_card
    present.hear(deadline=soon())
    present.take_card_report()
    modem.do(lambda function: function.swap_card(ports.card))
    assert select.select([present.fileno()], [], [], 30)[0]
    present.hear(deadline=soon())
    assert present.card_report is CardReport.STARTED
    link.close()
    assert present_link(link) is None


def test_a_set_aside_port_is_closed_once_another_one_works(ports: Ports) -> None:
    """If the control port reports an empty slot but the AT port has the card, only the AT port stays open."""
    ports.control().do(lambda function: function.remove_card())
    link = ports.way().open_link(soon())
    assert kind_that_answers(link) == "csim"
    assert not isinstance(present_link(link), CardReporting)
    open_control_port(ports.control_path).close()
    link.close()
