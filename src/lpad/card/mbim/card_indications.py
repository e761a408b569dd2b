"""The indications of an MBIM function about its card (MBIM 1.0, 10.5.2; MS basic connect extensions)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError
from lpad.card.link.card_report import NO_CARD_REPORT, CardReport
from lpad.codec.mbim.basic_connect import ReadyState, SlotInfo, SlotState, SubscriberReadyStatus
from lpad.codec.mbim.information_buffer import decode
from lpad.codec.mbim.services import BASIC_CONNECT, BASIC_CONNECT_EXTENSIONS, Basic, Extended

if TYPE_CHECKING:
    from lpad.codec.mbim.messages import Indication

_EMPTY = (SlotState.OFF_EMPTY, SlotState.EMPTY)


def card_report_of(indication: Indication) -> CardReport:
    """Return the report on the card in an indication; 0 if it is about something else."""
    try:
        if (indication.service, indication.cid) == (BASIC_CONNECT, Basic.SUBSCRIBER_READY_STATUS):
            state = decode(SubscriberReadyStatus, indication.info).ready_state
            return CardReport.GONE if state == ReadyState.SIM_NOT_INSERTED else CardReport.OTHER
        if (indication.service, indication.cid) == (BASIC_CONNECT_EXTENSIONS, Extended.SLOT_INFO_STATUS):
            slot = decode(SlotInfo, indication.info)
            return CardReport.GONE if slot.state in _EMPTY else CardReport.OTHER
    except MalformedError:
        return CardReport.OTHER
    return NO_CARD_REPORT
