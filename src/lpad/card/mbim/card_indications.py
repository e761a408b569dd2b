"""The indications of an MBIM function about its card (MBIM 1.0, 10.5.2; MS basic connect extensions)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError
from lpad.card.link.card_change_reports import NO_CARD_REPORT, CardReport
from lpad.codec.mbim.basic_connect import ReadyState, SlotInfo, SlotState, SubscriberReadyStatus
from lpad.codec.mbim.information_buffer import decode
from lpad.codec.mbim.services import BASIC_CONNECT, BASIC_CONNECT_EXTENSIONS, Basic, Extended

if TYPE_CHECKING:
    from lpad.codec.mbim.messages import Indication

_BY_READY_STATE: dict[int, CardReport] = {
    ReadyState.SIM_NOT_INSERTED: CardReport.GONE,
    ReadyState.INITIALIZED: CardReport.STARTED,
    ReadyState.NOT_ACTIVATED: CardReport.STARTED,
    ReadyState.DEVICE_LOCKED: CardReport.STARTED,
    ReadyState.NO_ESIM_PROFILE: CardReport.STARTED,
}
_BY_SLOT_STATE: dict[int, CardReport] = {
    SlotState.OFF_EMPTY: CardReport.GONE,
    SlotState.EMPTY: CardReport.GONE,
    SlotState.ACTIVE: CardReport.STARTED,
    SlotState.ACTIVE_ESIM: CardReport.STARTED,
    SlotState.ACTIVE_ESIM_NO_PROFILES: CardReport.STARTED,
}


def card_report_of(indication: Indication, *, used_slot: int | None) -> CardReport:
    """Return an indication's report on the card; 0 if the indication is about something else.

    Args:
        indication: an indication of the MBIM function.
        used_slot: the physical slot that lpad uses, from 0. The state of another slot is ignored; None:
            lpad does not know the slot, so the state of any slot counts as a possible change of the card.
    """
    try:
        if (indication.service, indication.cid) == (BASIC_CONNECT, Basic.SUBSCRIBER_READY_STATUS):
            state = decode(SubscriberReadyStatus, indication.info).ready_state
            return _BY_READY_STATE.get(state, CardReport.OTHER)
        if (indication.service, indication.cid) == (BASIC_CONNECT_EXTENSIONS, Extended.SLOT_INFO_STATUS):
            return _of_slot(decode(SlotInfo, indication.info), used_slot)
    except MalformedError:
        return CardReport.OTHER
    return NO_CARD_REPORT


def _of_slot(slot: SlotInfo, used_slot: int | None) -> CardReport:
    if used_slot is None:
        return CardReport.OTHER
    return _BY_SLOT_STATE.get(slot.state, CardReport.OTHER) if slot.slot == used_slot else NO_CARD_REPORT
