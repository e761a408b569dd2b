"""A run's hold on the card: whether it can still make way for others, as a table.

    working ──▶ asking ──▶ released           working ──▶ overtaken
       │                                         working ──▶ beyond

Whoever wants the card says so at any time; what comes of it depends on what the run does just then.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from lpad.base.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Hold(enum.StrEnum):
    """How a run holds the card."""

    WORKING = "working"  # it has done nothing irreversible
    ASKING = "asking"  # it waits for an answer, and keeps its sessions with card and server meanwhile
    RELEASED = "released"  # it left the card while it waited for an answer
    OVERTAKEN = "overtaken"  # something else goes first; it leaves the card at its next safe point
    BEYOND = "beyond"  # it has begun what can't be taken back, and goes on to its end


class Wish(enum.StrEnum):
    """What happens to a hold."""

    ASK = "ask"  # the run asks the caller
    GO_ON = "go on"  # it was answered, or nobody has answered in time
    ALTER = "alter"  # the first irreversible step begins
    SHARE = "share"  # another change is queued, of no special urgency
    OVERTAKE = "overtake"  # something goes first
    BEGIN = "begin"  # another turn begins


TRANSITIONS: Mapping[Hold, Mapping[Wish, Hold]] = {
    Hold.WORKING: {
        Wish.ASK: Hold.ASKING,
        Wish.ALTER: Hold.BEYOND,
        Wish.SHARE: Hold.WORKING,
        Wish.OVERTAKE: Hold.OVERTAKEN,
        Wish.BEGIN: Hold.WORKING,
    },
    Hold.ASKING: {
        Wish.GO_ON: Hold.WORKING,
        Wish.SHARE: Hold.RELEASED,
        Wish.OVERTAKE: Hold.RELEASED,
    },
    Hold.RELEASED: {
        Wish.SHARE: Hold.RELEASED,
        Wish.OVERTAKE: Hold.RELEASED,
        Wish.BEGIN: Hold.WORKING,
    },
    Hold.OVERTAKEN: {
        Wish.SHARE: Hold.OVERTAKEN,
        Wish.OVERTAKE: Hold.OVERTAKEN,
        Wish.BEGIN: Hold.WORKING,
    },
    Hold.BEYOND: {
        Wish.ASK: Hold.BEYOND,
        Wish.GO_ON: Hold.BEYOND,
        Wish.ALTER: Hold.BEYOND,
        Wish.SHARE: Hold.BEYOND,
        Wish.OVERTAKE: Hold.BEYOND,
        Wish.BEGIN: Hold.WORKING,
    },
}


def after(hold: Hold, wish: Wish) -> Hold:
    """Return what a hold becomes.

    Raises:
        InternalError: the table has no such transition.
    """
    following = TRANSITIONS[hold].get(wish)
    if following is None:
        raise InternalError(f"a run that is {hold} knows no '{wish}'")
    return following
