"""The table of the states in which a run holds the card."""

from __future__ import annotations

import pytest

from lpad.base.errors import InternalError
from lpad.engine.running.run_hold_states import TRANSITIONS, Hold, HoldEvent, after


def test_every_hold_is_reached_and_left() -> None:
    """Each state can be reached, and can be left by another turn, except for an open question."""
    assert set(TRANSITIONS) == set(Hold)
    reached = {following for wishes in TRANSITIONS.values() for following in wishes.values()}
    assert reached == set(Hold)
    assert [hold for hold in Hold if HoldEvent.BEGIN not in TRANSITIONS[hold]] == [Hold.ASKING]


@pytest.mark.parametrize("event", [HoldEvent.SHARE, HoldEvent.OVERTAKE])
def test_others_may_want_the_card_at_any_time(event: HoldEvent) -> None:
    """In each state, other runs may want the card; if they want it again, the state does not change."""
    for hold in Hold:
        following = after(hold, event)
        assert after(following, event) is following


def test_after_an_irreversible_step_only_another_turn_leads_back() -> None:
    """After the first irreversible step, only the beginning of another turn changes the state."""
    assert {
        event: after(Hold.BEYOND, event) for event in HoldEvent if event is not HoldEvent.BEGIN
    } == dict.fromkeys((event for event in HoldEvent if event is not HoldEvent.BEGIN), Hold.BEYOND)


@pytest.mark.parametrize("hold", [Hold.OVERTAKEN, Hold.RELEASED, Hold.ASKING])
def test_who_makes_way_alters_nothing(hold: Hold) -> None:
    """A run that makes way, or awaits an answer, reaches no irreversible step before its next turn."""
    with pytest.raises(InternalError, match="cannot take the event 'alter'"):
        after(hold, HoldEvent.ALTER)
