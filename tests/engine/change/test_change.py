"""The record of a change and its table of states."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from lpad.base.errors import CardRefused, InternalError
from lpad.engine.change.change import TRANSITIONS, Change, Kind, Question, QuestionKind, State, now
from lpad.engine.change.params import EnableParams
from lpad.engine.change.results import RefreshResult


def make(**fields: object) -> Change:
    params = EnableParams(iccid="8900101000000000017")
    values: dict[str, object] = {
        "id": 1, "euicc": "modem", "kind": Kind.ENABLE, "params": params, "created_at": now(),
    }  # fmt: skip
    return Change(**(values | fields))  # type: ignore[arg-type]  # a test's own fields


def test_every_state_leads_to_an_end() -> None:
    """From each state that is not an end, an end can be reached."""
    for state in State:
        seen, border = {state}, {state}
        while border:
            border = {after for before in border for after in TRANSITIONS[before]} - seen
            seen |= border
        assert any(each.ended for each in seen)


@pytest.mark.parametrize("state", [state for state in State if state.ended])
def test_an_end_is_an_end(state: State) -> None:
    """The states done, failed and cancelled are final."""
    ended = make(state=state)
    with pytest.raises(InternalError):
        ended.run()
    with pytest.raises(InternalError):
        ended.done(RefreshResult())


def test_a_queued_change_cannot_be_done() -> None:
    """A queued change cannot be done before it has run."""
    with pytest.raises(InternalError, match="queued to done"):
        make().done(RefreshResult())


def test_waiting_shows_the_question_until_it_runs_again() -> None:
    """The record of a change has its question only while the change waits."""
    question = Question(kind=QuestionKind.CONSENT, until=now())
    waiting = make().run().wait(question)
    assert waiting.state is State.WAITING
    assert waiting.question == question
    assert waiting.run().question is None


def test_steps_are_closed_with_their_duration() -> None:
    """A step that has ended has its duration; the current one has none."""
    change = make().run().at_step("read").at_step("write")
    assert [step.seconds is None for step in change.steps] == [False, True]
    assert change.step == "write"
    assert all(step.seconds is not None for step in change.done(RefreshResult()).steps)


def test_steps_last_as_long_as_the_steady_clock_says() -> None:
    """A wall clock that jumps by 56 years changes no duration, and each step is timed once."""
    first = make().run().at_step("read").timed(1000.0, before=None)
    long_ago = replace(first, steps=(replace(first.steps[0], at=datetime.fromtimestamp(0, UTC)),))
    second = long_ago.at_step("write").timed(1002.5, before=long_ago)
    assert [step.seconds for step in second.steps] == [2.5, None]
    ended = second.done(RefreshResult()).timed(1003.0, before=second)
    again = ended.timed(2000.0, before=ended)
    assert [step.seconds for step in again.steps] == [2.5, 0.5]


def test_a_failed_change_keeps_what_the_error_says() -> None:
    """The record has the error's kind, sentence and details, and states whether a retry helps."""
    error = CardRefused("no", function="ES10c.EnableProfile", code=3, reason="disallowedByPolicy")
    failed = make().run().failed(error)
    assert failed.error is not None
    assert failed.error.kind == "card-refused"
    assert failed.error.details == {
        "function": "ES10c.EnableProfile",
        "code": 3,
        "reason": "disallowedByPolicy",
    }
    assert failed.ended_at is not None
