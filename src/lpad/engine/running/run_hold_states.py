"""A run's hold on the card, as a table of states: whether the run can make way for other changes.

    working ──▶ asking ──▶ released           working ──▶ overtaken
       │                                         working ──▶ beyond

Other changes may request the card at any time; the effect depends on the run's present state.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from lpad.base.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Hold(enum.StrEnum):
    """The states of a run's hold on the card."""

    WORKING = "working"  # the run has done nothing irreversible
    ASKING = "asking"  # the run waits for an answer, and keeps its sessions with card and server meanwhile
    RELEASED = "released"  # the run has released the card while it waits for an answer
    OVERTAKEN = "overtaken"  # another change goes first; the run releases the card at its next safe point
    BEYOND = "beyond"  # the run has begun an irreversible step, and continues to its end


class HoldEvent(enum.StrEnum):
    """The events of a hold."""

    ASK = "ask"  # the run asks the caller
    GO_ON = "continue"  # the run was answered, or the time for an answer is over
    ALTER = "alter"  # the first irreversible step begins
    SHARE = "share"  # another change without special urgency is queued
    OVERTAKE = "overtake"  # a change that goes first is queued
    BEGIN = "begin"  # another turn begins


TRANSITIONS: Mapping[Hold, Mapping[HoldEvent, Hold]] = {
    Hold.WORKING: {
        HoldEvent.ASK: Hold.ASKING,
        HoldEvent.ALTER: Hold.BEYOND,
        HoldEvent.SHARE: Hold.WORKING,
        HoldEvent.OVERTAKE: Hold.OVERTAKEN,
        HoldEvent.BEGIN: Hold.WORKING,
    },
    Hold.ASKING: {
        HoldEvent.GO_ON: Hold.WORKING,
        HoldEvent.SHARE: Hold.RELEASED,
        HoldEvent.OVERTAKE: Hold.RELEASED,
    },
    Hold.RELEASED: {
        HoldEvent.SHARE: Hold.RELEASED,
        HoldEvent.OVERTAKE: Hold.RELEASED,
        HoldEvent.BEGIN: Hold.WORKING,
    },
    Hold.OVERTAKEN: {
        HoldEvent.SHARE: Hold.OVERTAKEN,
        HoldEvent.OVERTAKE: Hold.OVERTAKEN,
        HoldEvent.BEGIN: Hold.WORKING,
    },
    Hold.BEYOND: {
        HoldEvent.ASK: Hold.BEYOND,
        HoldEvent.GO_ON: Hold.BEYOND,
        HoldEvent.ALTER: Hold.BEYOND,
        HoldEvent.SHARE: Hold.BEYOND,
        HoldEvent.OVERTAKE: Hold.BEYOND,
        HoldEvent.BEGIN: Hold.WORKING,
    },
}


def after(hold: Hold, event: HoldEvent) -> Hold:
    """Return the next state of a hold.

    Raises:
        InternalError: the table has no transition for this state and event.
    """
    following = TRANSITIONS[hold].get(event)
    if following is None:
        raise InternalError(f"a run that is {hold} cannot take the event '{event}'")
    return following
