"""A profile download as a table of states and events (SGP.22 v2.5, 3.1.2, 3.1.3 and 3.1.5).

Pure logic: no card, server or clock. `lpa/download.py` carries out the step that `STEPS` has for the present
state and feeds back the event; `TRANSITIONS` gives the next state. `DUTIES` lists for each state what an
abort must still do at the card and the server, so that no abort can omit it.

`python -m lpad.protocol.download_state_table` prints docs/download-session.md, which is generated from these
tables.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING

from lpad.base.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Mapping


class State(StrEnum):
    """The state of a download."""

    STARTED = "started"  # nothing has been done yet
    INFORMED = "informed"  # EUICCInfo1 has been read
    CHALLENGED = "challenged"  # the card has opened a session context
    ANSWERED = "answered"  # the server has opened a session and proved its identity, which lpad has checked
    AUTHENTICATING = "authenticating"  # AuthenticateServer was sent: the card may have accepted the server
    AUTHENTICATED = "authenticated"  # the card has accepted the server and signed
    OFFERED = "offered"  # the server has shown the profile's metadata
    ACCEPTED = "accepted"  # the caller and the policy have accepted the profile
    PREPARED = "prepared"  # the card has made its one-time key
    BOUND = "bound"  # the package has arrived and has been checked
    LOADING = "loading"  # segments are being sent
    RENEWING = "renewing"  # another confirmation code needs another session, so this session is cancelled
    CANCELLING = "cancelling"  # the session is being cancelled on card and server
    INSTALLED = "installed"  # the card reports that the profile is installed
    REJECTED = (
        "rejected"  # the card reports in its ProfileInstallationResult that the profile is not installed
    )
    ABANDONED = "abandoned"  # the download has ended, and no profile is installed


class Event(StrEnum):
    """The events of a download."""

    INFO_READ = "info read"
    CHALLENGE_READ = "challenge read"
    SERVER_PROVEN = "server's answer is right"
    AUTHENTICATION_SENT = "AuthenticateServer begins"
    SERVER_REFUSED_BY_CARD = "card refuses the server"
    CARD_SIGNED = "card accepts the server"
    PROFILE_OFFERED = "metadata received"
    PROFILE_WANTED = "caller accepts"
    KEY_MADE = "one-time key made"
    PACKAGE_RECEIVED = "package received"
    CODE_REFUSED = "server wants another confirmation code"
    LOADING_BEGAN = "first segment begins"
    RESULT_GOOD = "card reports success"
    RESULT_BAD = "card reports failure"
    FAILED = "error, refusal or cancellation"
    SESSION_CANCELLED = "both CancelSession tried"


class Step(StrEnum):
    """The steps of a download; the names are stable, and the listener gets each name before the step."""

    GET_EUICC_INFO1 = "get-euicc-info1"
    GET_EUICC_CHALLENGE = "get-euicc-challenge"
    INITIATE_AUTHENTICATION = "initiate-authentication"
    AUTHENTICATE_SERVER = "authenticate-server"
    AUTHENTICATE_CLIENT = "authenticate-client"
    CONFIRM = "confirm"
    PREPARE_DOWNLOAD = "prepare-download"
    GET_BOUND_PROFILE_PACKAGE = "get-bound-profile-package"
    LOAD_BOUND_PROFILE_PACKAGE = "load-bound-profile-package"
    CANCEL_SESSION = "cancel-session"


class Duty(StrEnum):
    """The actions that an abort still requires."""

    NOTHING = "nothing"
    CANCEL = "CancelSession on card and server"
    ASK_RESULT = "CancelSession, unless the card gave its ProfileInstallationResult"


# The state in which each step is done. A state that is neither in this table nor in `ENDS` is reached and
# left within the previous step.
STEPS: Mapping[State, Step] = {
    State.STARTED: Step.GET_EUICC_INFO1,
    State.INFORMED: Step.GET_EUICC_CHALLENGE,
    State.CHALLENGED: Step.INITIATE_AUTHENTICATION,
    State.ANSWERED: Step.AUTHENTICATE_SERVER,
    State.AUTHENTICATED: Step.AUTHENTICATE_CLIENT,
    State.OFFERED: Step.CONFIRM,
    State.ACCEPTED: Step.PREPARE_DOWNLOAD,
    State.PREPARED: Step.GET_BOUND_PROFILE_PACKAGE,
    State.BOUND: Step.LOAD_BOUND_PROFILE_PACKAGE,
    State.RENEWING: Step.CANCEL_SESSION,
    State.CANCELLING: Step.CANCEL_SESSION,
}

ENDS = frozenset({State.INSTALLED, State.REJECTED, State.ABANDONED})

# Before AuthenticateServer the card has no transaction ID and cannot sign a cancellation. From then on
# an abort without CancelSession leaves the order locked at the server, and some cards refuse the next
# session. Once segments are being sent, the card ends the session itself with its ProfileInstallationResult.
DUTIES: Mapping[State, Duty] = {
    State.STARTED: Duty.NOTHING,
    State.INFORMED: Duty.NOTHING,
    State.CHALLENGED: Duty.NOTHING,
    State.ANSWERED: Duty.NOTHING,
    State.AUTHENTICATING: Duty.CANCEL,
    State.AUTHENTICATED: Duty.CANCEL,
    State.OFFERED: Duty.CANCEL,
    State.ACCEPTED: Duty.CANCEL,
    State.PREPARED: Duty.CANCEL,
    State.BOUND: Duty.CANCEL,
    State.LOADING: Duty.ASK_RESULT,
    State.RENEWING: Duty.CANCEL,
    State.CANCELLING: Duty.CANCEL,
    State.INSTALLED: Duty.NOTHING,
    State.REJECTED: Duty.NOTHING,
    State.ABANDONED: Duty.NOTHING,
}

TRANSITIONS: Mapping[State, Mapping[Event, State]] = {
    State.STARTED: {
        Event.INFO_READ: State.INFORMED,
        Event.FAILED: State.ABANDONED,
    },
    State.INFORMED: {
        Event.CHALLENGE_READ: State.CHALLENGED,
        Event.FAILED: State.ABANDONED,
    },
    State.CHALLENGED: {
        Event.SERVER_PROVEN: State.ANSWERED,
        Event.FAILED: State.ABANDONED,
    },
    State.ANSWERED: {
        Event.AUTHENTICATION_SENT: State.AUTHENTICATING,
        Event.FAILED: State.ABANDONED,
    },
    State.AUTHENTICATING: {
        Event.CARD_SIGNED: State.AUTHENTICATED,
        Event.SERVER_REFUSED_BY_CARD: State.ABANDONED,
        Event.FAILED: State.CANCELLING,
    },
    State.AUTHENTICATED: {
        Event.PROFILE_OFFERED: State.OFFERED,
        Event.FAILED: State.CANCELLING,
    },
    State.OFFERED: {
        Event.PROFILE_WANTED: State.ACCEPTED,
        Event.FAILED: State.CANCELLING,
    },
    State.ACCEPTED: {
        Event.KEY_MADE: State.PREPARED,
        Event.FAILED: State.CANCELLING,
    },
    State.PREPARED: {
        Event.PACKAGE_RECEIVED: State.BOUND,
        Event.CODE_REFUSED: State.RENEWING,
        Event.FAILED: State.CANCELLING,
    },
    State.BOUND: {
        Event.LOADING_BEGAN: State.LOADING,
        Event.FAILED: State.CANCELLING,
    },
    State.LOADING: {
        Event.RESULT_GOOD: State.INSTALLED,
        Event.RESULT_BAD: State.REJECTED,
        Event.FAILED: State.CANCELLING,
    },
    State.RENEWING: {
        Event.SESSION_CANCELLED: State.STARTED,
    },
    State.CANCELLING: {
        Event.SESSION_CANCELLED: State.ABANDONED,
    },
    State.INSTALLED: {},
    State.REJECTED: {},
    State.ABANDONED: {},
}


class DownloadSession:
    """The state machine of one download."""

    def __init__(self) -> None:
        self._state = State.STARTED

    @property
    def state(self) -> State:
        """The present state."""
        return self._state

    @property
    def step(self) -> Step | None:
        """The next step; None after the end, and while a step is in progress."""
        return STEPS.get(self._state)

    @property
    def duty(self) -> Duty:
        """The duty of an abort in the present state."""
        return DUTIES[self._state]

    @property
    def ended(self) -> bool:
        """Whether the download has ended."""
        return self._state in ENDS

    def on(self, event: Event) -> State:
        """Make the transition for `event` and return the new state.

        Raises:
            InternalError: the table has no such transition.
        """
        following = TRANSITIONS[self._state].get(event)
        if following is None:
            raise InternalError(f"a download that is {self._state} cannot take the event '{event}'")
        self._state = following
        return following


def diagram() -> str:
    """Return the table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.STARTED}"]
    for state, events in TRANSITIONS.items():
        lines += [f"    {state} --> {following}: {event}" for event, following in events.items()]
    lines += [f"    {state} --> [*]" for state in State if state in ENDS]
    return "\n".join(lines)


def document() -> str:
    """Return docs/download-session.md."""
    rows = [f"| {state} | {STEPS.get(state, '')} | {DUTIES[state]} |" for state in State]
    return "\n".join(
        [
            "# A download, state by state",
            "",
            "Generated from the tables in `src/lpad/protocol/download_state_table.py` by",
            "`python -m lpad.protocol.download_state_table > docs/download-session.md`.",
            "",
            "```mermaid",
            diagram(),
            "```",
            "",
            "Most states have a step. The listener gets a step's name before the step begins, and the name",
            "appears in a change's progress. The last column names the actions that remain if the download",
            "is aborted in the state.",
            "",
            "| state | step | an abort owes |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    sys.stdout.write(document())
