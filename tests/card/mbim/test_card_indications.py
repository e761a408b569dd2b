"""The reports on the card in the indications of an MBIM function."""

from __future__ import annotations

import pytest

from lpad.card.link.card_report import NO_CARD_REPORT, CardReport
from lpad.card.mbim.card_indications import card_report_of
from lpad.codec.mbim.basic_connect import (
    ReadyState,
    RegistrationStatus,
    SlotInfo,
    SlotState,
    SubscriberReadyStatus,
)
from lpad.codec.mbim.information_buffer import Information, encode
from lpad.codec.mbim.messages import Indication
from lpad.codec.mbim.services import BASIC_CONNECT, BASIC_CONNECT_EXTENSIONS, Basic, Extended

GONE = [
    SubscriberReadyStatus(ready_state=ReadyState.SIM_NOT_INSERTED),
    SlotInfo(slot=0, state=SlotState.EMPTY),
    SlotInfo(slot=0, state=SlotState.OFF_EMPTY),
]
OTHER = [
    *(
        SubscriberReadyStatus(ready_state=state)
        for state in (*ReadyState, 99)
        if state != ReadyState.SIM_NOT_INSERTED
    ),
    SlotInfo(slot=0, state=SlotState.ACTIVE_ESIM),
    SlotInfo(slot=0, state=SlotState.UNKNOWN),
]


def indication(information: Information) -> Indication:
    if isinstance(information, SlotInfo):
        place = (BASIC_CONNECT_EXTENSIONS, int(Extended.SLOT_INFO_STATUS))
    elif isinstance(information, SubscriberReadyStatus):
        place = (BASIC_CONNECT, int(Basic.SUBSCRIBER_READY_STATUS))
    else:
        place = (BASIC_CONNECT, int(Basic.REGISTER_STATE))
    return Indication(service=place[0], cid=place[1], info=encode(information))


@pytest.mark.parametrize(
    ("information", "report"),
    [*((each, CardReport.GONE) for each in GONE), *((each, CardReport.OTHER) for each in OTHER)],
    ids=str,
)
def test_only_an_empty_state_means_an_empty_slot(information: Information, report: CardReport) -> None:
    """Only a state that means an empty slot counts as one; an unknown state does not."""
    assert card_report_of(indication(information)) is report


def test_an_unreadable_state_is_not_an_empty_slot() -> None:
    """It is a reason to check the card."""
    cut = Indication(service=BASIC_CONNECT, cid=Basic.SUBSCRIBER_READY_STATUS, info=b"\x02")
    assert card_report_of(cut) is CardReport.OTHER


def test_a_registration_reports_no_card() -> None:
    """The registration is not a report on the card."""
    assert card_report_of(indication(RegistrationStatus(state=3))) == NO_CARD_REPORT
