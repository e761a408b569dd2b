"""The reports on the card in the indications of a QMI modem."""

from __future__ import annotations

import pytest

from lpad.card.link.card_change_reports import NO_CARD_REPORT, CardReport
from lpad.card.qmi.card_indications import card_report_of
from lpad.card.qmi.qmi_indications import QmiIndications
from lpad.codec.qmi import card, network_registration
from lpad.codec.qmi.framing import Kind, Message
from lpad.codec.qmi.message_parameters import Body, encode
from lpad.codec.qmi.services import Service, Uim


def cards(*states: int) -> Body:
    return card.CardStatusIndication(
        status=card.Cards(cards=tuple(card.Card(state=state) for state in states))
    )


def slots(*states: int, active: int) -> Body:
    return card.SlotStatusIndication(
        slots=tuple(
            card.PhysicalSlot(card=state, active=int(index == active), logical=int(index == active))
            for index, state in enumerate(states)
        )
    )


def refresh(stage: int) -> Body:
    return card.RefreshIndication(event=card.RefreshEvent(stage=stage, mode=0, session=card.PRIMARY_SESSION))


def message(body: Body, parameters: tuple[tuple[int, bytes], ...] | None = None) -> Message:
    return Message(
        kind=Kind.INDICATION,
        service=body.SERVICE,
        client=1,
        transaction=0,
        number=body.MESSAGE,
        parameters=encode(body) if parameters is None else parameters,
    )


CASES: dict[str, tuple[Body, CardReport]] = {
    "absent": (cards(card.CardState.ABSENT), CardReport.GONE),
    "present": (cards(card.CardState.PRESENT), CardReport.STARTED),
    "only the other logical slot is empty": (
        cards(card.CardState.PRESENT, card.CardState.ABSENT), CardReport.STARTED
    ),
    "an error": (cards(card.CardState.ERROR), CardReport.OTHER),
    "no cards": (cards(), CardReport.OTHER),
    "the used slot is empty": (
        slots(card.PhysicalCard.PRESENT, card.PhysicalCard.ABSENT, active=1), CardReport.GONE
    ),
    "an unused slot is empty": (
        slots(card.PhysicalCard.PRESENT, card.PhysicalCard.ABSENT, active=0), CardReport.STARTED
    ),
    "an unknown slot": (slots(card.PhysicalCard.UNKNOWN, active=0), CardReport.OTHER),
    "a refresh begins": (refresh(card.RefreshStage.START), NO_CARD_REPORT),
    "a refresh ends": (refresh(card.RefreshStage.END_SUCCESS), CardReport.OTHER),
    "a refresh fails": (refresh(card.RefreshStage.END_FAILURE), CardReport.OTHER),
    "a rejection": (
        network_registration.EventReport(rejection=network_registration.Rejection(domain=2, cause=7)),
        NO_CARD_REPORT,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_only_an_empty_state_of_the_used_slot_means_an_empty_slot(case: str) -> None:
    """Only the state of lpad's slot counts, and an unknown state does not mean that the slot is empty."""
    body, report = CASES[case]
    assert card_report_of(message(body)) == report


@pytest.mark.parametrize("number", [Uim.CARD_STATUS, Uim.SLOT_STATUS, Uim.REFRESH])
def test_an_unreadable_state_is_not_an_empty_slot(number: Uim) -> None:
    """An unreadable state does not mean that the slot is empty, but that lpad has to check the card."""
    cut = Message(
        kind=Kind.INDICATION,
        service=Service.UIM,
        client=1,
        transaction=0,
        number=number,
        parameters=((0x10, b"\x01"),),
    )
    assert card_report_of(cut) is CardReport.OTHER


def test_a_reset_of_the_modem() -> None:
    """A modem that was reset no longer reports changes of its card, so lpad checks the card."""
    indications = QmiIndications()
    assert indications.card_reports.report == NO_CARD_REPORT
    indications.modem_was_reset()
    assert indications.card_reports.report is CardReport.OTHER
