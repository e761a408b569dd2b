"""A switch asks its modem first: a port that was lost or silenced while idle is reopened, or replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card.link_contract import soon
from lpad.base.errors import CardUnreachable
from lpad.card.port.hotplug import PortWatch
from lpad.card.port_kinds import ModemPort
from lpad.engine.running.card.card_with_open_link import Card, CardPort
from lpad.simulator.mbim.control_port import MbimModem
from lpad.simulator.modem.pty_modem import PtyModem
from network.applier_contract import NEW
from network.modem_bench import IccidCard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.card.modem.modem_lent_by_link import LentModem


@pytest.fixture
def at(tmp_path: Path) -> Iterator[PtyModem]:
    with PtyModem(IccidCard(NEW), path=tmp_path / "ttyUSB2") as modem:
        yield modem


@pytest.fixture
def mbim(tmp_path: Path) -> Iterator[MbimModem]:
    with MbimModem(IccidCard(NEW), path=tmp_path / "cdc-wdm0") as modem:
        yield modem


def card_at(port: str, *fallbacks: str) -> Card:
    quirks = {"patience": {"apdu": 0.5, "information": 0.5}}
    there = ModemPort(path=port, fallbacks=fallbacks, quirks=quirks)
    open_link = there.way(memory=None, folder=None, watch=PortWatch()).open_link
    several = bool(fallbacks)
    return Card(
        CardPort(name="modem", transport="AT", open_link=open_link, device=port, several_ports=several)
    )


def iccid_of(card: Card) -> str:
    def ask(lent: LentModem | None) -> str:
        assert lent is not None
        report = lent.modem.iccid(deadline=soon()).report
        assert report is not None
        return str(report.likeliest)

    return card.ask_modem(ask, deadline=soon())


@pytest.mark.parametrize("how", ["gone", "silent"])
def test_another_port_is_asked(how: str, at: PtyModem, mbim: MbimModem) -> None:
    """If the port was lost while idle, lpad asks the modem over another port, which it then uses."""
    card = card_at(at.path, mbim.path)
    assert iccid_of(card) == NEW
    assert card.device == at.path
    if how == "gone":
        at.vanish()
    else:
        for _ in range(20):
            at.once("", executed=False, instead=())
    assert iccid_of(card) == NEW
    assert card.device == mbim.path
    card.drop()
    assert card.device == mbim.path


def test_a_port_that_is_silent_from_the_beginning(at: PtyModem, mbim: MbimModem) -> None:
    """If the port is silent from the first question on, the other port is used."""
    card = card_at(at.path, mbim.path)
    card.open(deadline=soon())
    card.drop()
    for _ in range(20):
        at.once("", executed=False, instead=())
    assert iccid_of(card) == NEW
    assert card.device == mbim.path
    card.drop()


def test_a_port_that_came_back_is_reopened(at: PtyModem) -> None:
    """If the modem was unplugged and plugged in again while lpad was idle, lpad opens the port again."""
    card = card_at(at.path)
    assert iccid_of(card) == NEW
    at.vanish()
    at.come_back()
    assert iccid_of(card) == NEW
    at.vanish()
    with pytest.raises(CardUnreachable):
        iccid_of(card)
    assert not card.is_open


def test_a_refusal_is_not_repeated(mbim: MbimModem) -> None:
    """If the modem refuses a request, lpad does not repeat the request."""
    card = card_at(mbim.path)
    card.open(deadline=soon())
    asked: list[object] = []

    def refuse(lent: LentModem | None) -> None:
        asked.append(lent)
        raise CardUnreachable("refused", modem_error="MBIM status 2")

    with pytest.raises(CardUnreachable):
        card.ask_modem(refuse, deadline=soon())
    assert len(asked) == 1
    card.drop()
