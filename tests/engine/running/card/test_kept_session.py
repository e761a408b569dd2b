"""The session that stays open after a switch, on a modem that falls silent or refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card.link_contract import EID, GET_EID, soon
from card.scripted_card import ScriptedCard
from lpad.base.deadline import Deadline
from lpad.base.errors import CardBusy, CardUnreachable
from lpad.card.mbim.mbim_link import open_mbim_link
from lpad.codec.mbim.information_buffer import decode
from lpad.codec.mbim.messages import Command
from lpad.codec.mbim.services import BASIC_CONNECT, UICC, Basic, Uicc
from lpad.codec.mbim.uicc_access import CloseChannelRequest
from lpad.engine.running.card.card_with_open_link import Card, CardPort
from lpad.simulator.mbim.control_port import MbimModem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.card.modem.modem_lent_by_link import LentModem


@pytest.fixture
def modem(tmp_path: Path) -> Iterator[MbimModem]:
    with MbimModem(ScriptedCard(answers={GET_EID: EID}), path=tmp_path / "cdc-wdm0") as modem:
        yield modem


@pytest.fixture
def card(modem: MbimModem) -> Iterator[Card]:
    """Yield a card with a session that was kept open."""
    card = Card(CardPort(name="card", transport="mbim", open_link=lambda _: open_mbim_link(modem.path)))
    _keep_session(card)
    modem.received.clear()
    yield card
    card.drop()


def _keep_session(card: Card) -> None:
    with card.session(deadline=soon()) as euicc:
        card.keep_session(euicc, "89")


def _channels_closed(modem: MbimModem) -> list[int]:
    """Return the channels that lpad closed; 0 stands for the channels of earlier processes."""
    return [
        decode(CloseChannelRequest, each.info).channel
        for each in modem.received
        if isinstance(each, Command) and (each.service, each.cid) == (UICC, Uicc.CLOSE_CHANNEL)
    ]


def test_a_silent_modem_is_sent_no_close(card: Card, modem: MbimModem) -> None:
    """If the modem is silent, lpad reopens the port without sending the channel's close first."""
    deadlines = iter((Deadline.after(0.3), soon()))

    def ask(lent: LentModem | None) -> object:
        assert lent is not None
        return lent.modem.iccid(deadline=next(deadlines))

    modem.once(BASIC_CONNECT, Basic.SUBSCRIBER_READY_STATUS, lost=True)
    card.ask_modem(ask, deadline=soon())
    assert next(deadlines, None) is None
    assert card.resume_session() is None
    assert _channels_closed(modem) == [0], "only when the port was open again"


def test_a_modem_that_answers_closes_the_channel(card: Card, modem: MbimModem) -> None:
    """If the modem answers, the kept session's channel is closed when the link is closed."""
    card.drop()
    (closed,) = _channels_closed(modem)
    assert closed > 0
    assert card.resume_session() is None


@pytest.mark.parametrize(
    "error", [CardBusy("the SIM is busy"), CardUnreachable("the slot is empty", modem_error="MBIM 2")]
)
def test_no_session_on_an_outdated_link(
    card: Card, modem: MbimModem, error: CardBusy | CardUnreachable
) -> None:
    """A failure ends the kept session, even if the link stays open to listen to the modem."""
    card.rest(error)
    assert card.idle_port is not None
    assert card.resume_session() is None
    assert len(_channels_closed(modem)) == 1
    with card.session(deadline=soon()) as euicc:
        card.keep_session(euicc, "89")
        card.rest(error)
    assert card.resume_session() is None
