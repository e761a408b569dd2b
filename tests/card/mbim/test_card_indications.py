"""The reports on the card in the indications of an MBIM function."""

from __future__ import annotations

import pytest

from lpad.card.link.card_change_reports import NO_CARD_REPORT, CardReport
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
STARTED = [
    *(
        SubscriberReadyStatus(ready_state=state)
        for state in (
            ReadyState.INITIALIZED,
            ReadyState.NOT_ACTIVATED,
            ReadyState.DEVICE_LOCKED,
            ReadyState.NO_ESIM_PROFILE,
        )
    ),
    *(
        SlotInfo(slot=0, state=state)
        for state in (SlotState.ACTIVE, SlotState.ACTIVE_ESIM, SlotState.ACTIVE_ESIM_NO_PROFILES)
    ),
]
OTHER = [
    *(
        SubscriberReadyStatus(ready_state=state)
        for state in (ReadyState.NOT_INITIALIZED, ReadyState.BAD_SIM, ReadyState.FAILURE, 99)
    ),
    *(
        SlotInfo(slot=0, state=state)
        for state in (SlotState.UNKNOWN, SlotState.OFF, SlotState.NOT_READY, SlotState.ERROR, 99)
    ),
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
    [
        *((each, CardReport.GONE) for each in GONE),
        *((each, CardReport.STARTED) for each in STARTED),
        *((each, CardReport.OTHER) for each in OTHER),
    ],
    ids=str,
)
def test_only_an_empty_state_means_an_empty_slot(information: Information, report: CardReport) -> None:
    """Only a state that means an empty slot counts as one; an unknown state does not."""
    assert card_report_of(indication(information), used_slot=0) is report


@pytest.mark.parametrize("state", SlotState)
def test_the_state_of_another_slot(state: SlotState) -> None:
    """The state of another slot is ignored; if lpad does not know its own slot, it checks the card."""
    of_the_second = indication(SlotInfo(slot=1, state=state))
    assert card_report_of(of_the_second, used_slot=0) == NO_CARD_REPORT
    assert card_report_of(of_the_second, used_slot=None) is CardReport.OTHER


def test_an_unreadable_state_is_not_an_empty_slot() -> None:
    """An unreadable state does not mean that the slot is empty, but that lpad has to check the card."""
    cut = Indication(service=BASIC_CONNECT, cid=Basic.SUBSCRIBER_READY_STATUS, info=b"\x02")
    assert card_report_of(cut, used_slot=0) is CardReport.OTHER


def test_a_registration_reports_no_card() -> None:
    """An indication of the registration is not a report on the card."""
    assert card_report_of(indication(RegistrationStatus(state=3)), used_slot=0) == NO_CARD_REPORT
