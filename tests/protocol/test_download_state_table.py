"""The table of states of a download session."""

from __future__ import annotations

from pathlib import Path

import pytest

from lpad.base.errors import InternalError
from lpad.protocol.download_state_table import (
    DUTIES,
    ENDS,
    STEPS,
    TRANSITIONS,
    DownloadSession,
    Duty,
    Event,
    State,
    Step,
    document,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "download-session.md"

GOOD_WAY = [
    (Step.GET_EUICC_INFO1, Event.INFO_READ),
    (Step.GET_EUICC_CHALLENGE, Event.CHALLENGE_READ),
    (Step.INITIATE_AUTHENTICATION, Event.SERVER_PROVEN),
    (Step.AUTHENTICATE_SERVER, Event.AUTHENTICATION_SENT),
    (None, Event.CARD_SIGNED),
    (Step.AUTHENTICATE_CLIENT, Event.PROFILE_OFFERED),
    (Step.CONFIRM, Event.PROFILE_WANTED),
    (Step.PREPARE_DOWNLOAD, Event.KEY_MADE),
    (Step.GET_BOUND_PROFILE_PACKAGE, Event.PACKAGE_RECEIVED),
    (Step.LOAD_BOUND_PROFILE_PACKAGE, Event.LOADING_BEGAN),
    (None, Event.RESULT_GOOD),
]


def test_the_good_way() -> None:
    """A download without errors goes through each step once, and ends as installed."""
    session = DownloadSession()
    for step, event in GOOD_WAY:
        assert session.step == step
        session.on(event)
    assert session.state is State.INSTALLED
    assert session.ended
    assert session.step is None


def test_aborts_owe_cancellation_from_authenticate_server_on() -> None:
    """From AuthenticateServer on, a failure leads to CancelSession; before, it only ends the session."""
    session = DownloadSession()
    owed = []
    for _, event in GOOD_WAY:
        owed.append(session.duty)
        failure = TRANSITIONS[session.state][Event.FAILED]
        assert failure is (State.ABANDONED if session.duty is Duty.NOTHING else State.CANCELLING)
        session.on(event)
    assert owed == [Duty.NOTHING] * 4 + [Duty.CANCEL] * 6 + [Duty.ASK_RESULT]


def test_another_confirmation_code_takes_another_session() -> None:
    """A refused confirmation code cancels the session and starts from the beginning."""
    session = DownloadSession()
    for _, event in GOOD_WAY[:8]:
        session.on(event)
    assert session.on(Event.CODE_REFUSED) is State.RENEWING
    assert session.step is Step.CANCEL_SESSION
    assert session.on(Event.SESSION_CANCELLED) is State.STARTED


@pytest.mark.parametrize("state", State)
def test_every_state_has_its_place(state: State) -> None:
    """Each state has a duty, can be reached, and either has transitions or is an end."""
    assert bool(TRANSITIONS[state]) is (state not in ENDS)
    assert state in DUTIES
    reached = {following for events in TRANSITIONS.values() for following in events.values()}
    assert state in reached
    assert (state in STEPS) is (state not in ENDS | {State.AUTHENTICATING, State.LOADING})


def test_an_impossible_event_is_our_fault() -> None:
    """An event that a state has no transition for is an internal error, and changes no state."""
    session = DownloadSession()
    with pytest.raises(InternalError, match="started"):
        session.on(Event.RESULT_GOOD)
    assert session.state is State.STARTED


def test_the_document_is_fresh() -> None:
    """docs/download-session.md matches the table of states."""
    assert DOCUMENT.read_text(encoding="utf-8") == document()
