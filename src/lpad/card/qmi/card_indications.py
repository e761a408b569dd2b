"""The indications of a QMI modem about its card (libqmi, `qmi-service-uim.json`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError
from lpad.card.link.card_change_reports import NO_CARD_REPORT, CardReport
from lpad.card.qmi.sim_slots import SLOT, used_slot
from lpad.codec.qmi import card
from lpad.codec.qmi.message_parameters import decode
from lpad.codec.qmi.services import Service, Uim

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.codec.qmi.framing import Message

WAITING = (card.RefreshStage.WAIT_FOR_OK, card.RefreshStage.START)
"""The stages of a refresh before the modem reads the card again."""
_BY_CARD_STATE: dict[int, CardReport] = {
    card.CardState.ABSENT: CardReport.GONE,
    card.CardState.PRESENT: CardReport.STARTED,
}
_BY_PHYSICAL_CARD: dict[int, CardReport] = {
    card.PhysicalCard.ABSENT: CardReport.GONE,
    card.PhysicalCard.PRESENT: CardReport.STARTED,
}


def card_report_of(message: Message) -> CardReport:
    """Return an indication's report on the card; `NO_CARD_REPORT` if it contains none."""
    read = _READERS.get((message.service, message.number))
    if read is None:
        return NO_CARD_REPORT
    try:
        return read(message)
    except MalformedError:
        return CardReport.OTHER


def _of_cards(message: Message) -> CardReport:
    status = decode(card.CardStatusIndication, message.parameters).status
    ours = () if status is None else status.cards[SLOT - 1 : SLOT]
    return next((_BY_CARD_STATE.get(each.state, CardReport.OTHER) for each in ours), CardReport.OTHER)


def _of_slots(message: Message) -> CardReport:
    used = used_slot(decode(card.SlotStatusIndication, message.parameters).slots)
    return CardReport.OTHER if used is None else _BY_PHYSICAL_CARD.get(used.card, CardReport.OTHER)


def _of_refresh(message: Message) -> CardReport:
    stage = decode(card.RefreshIndication, message.parameters).event.stage
    return NO_CARD_REPORT if stage in WAITING else CardReport.OTHER


_READERS: dict[tuple[int, int], Callable[[Message], CardReport]] = {
    (Service.UIM, Uim.CARD_STATUS): _of_cards,
    (Service.UIM, Uim.SLOT_STATUS): _of_slots,
    (Service.UIM, Uim.REFRESH): _of_refresh,
}
