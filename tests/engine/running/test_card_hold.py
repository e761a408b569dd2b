"""How a run holds the card is a table."""

from __future__ import annotations

import pytest

from lpad.base.errors import InternalError
from lpad.engine.running.card_hold import TRANSITIONS, Hold, HoldEvent, after


def test_every_hold_is_reached_and_left() -> None:
    """Each can be come to, and another turn can follow upon each but a question that is open."""
    assert set(TRANSITIONS) == set(Hold)
    reached = {following for wishes in TRANSITIONS.values() for following in wishes.values()}
    assert reached == set(Hold)
    assert [hold for hold in Hold if HoldEvent.BEGIN not in TRANSITIONS[hold]] == [Hold.ASKING]


@pytest.mark.parametrize("event", [HoldEvent.SHARE, HoldEvent.OVERTAKE])
def test_others_may_want_the_card_at_any_time(event: HoldEvent) -> None:
    """Whatever a run is doing, the event has a result, and the same one the second time."""
    for hold in Hold:
        following = after(hold, event)
        assert after(following, event) is following


def test_what_was_begun_goes_to_its_end() -> None:
    """Beyond the first irreversible step nothing leads back but another turn."""
    assert {
        event: after(Hold.BEYOND, event) for event in HoldEvent if event is not HoldEvent.BEGIN
    } == dict.fromkeys((event for event in HoldEvent if event is not HoldEvent.BEGIN), Hold.BEYOND)


@pytest.mark.parametrize("hold", [Hold.OVERTAKEN, Hold.RELEASED, Hold.ASKING])
def test_who_makes_way_alters_nothing(hold: Hold) -> None:
    """A run that leaves the card, or has yet to be answered, never comes to its irreversible step."""
    with pytest.raises(InternalError, match="cannot take the event 'alter'"):
        after(hold, HoldEvent.ALTER)
