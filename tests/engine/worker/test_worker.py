"""A worker and its changes continue in spite of internal errors, a failing disk and removed cards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from engine.lab import CARD, Lab
from lpad.base.errors import JournalUnavailable
from lpad.engine.change.change import Change, Kind, State
from lpad.engine.change.event_subscriptions import Hub
from lpad.engine.change.params import DownloadParams, EnableParams, RefreshParams
from lpad.engine.journal.changes import Changes
from lpad.engine.recovery import reconcile
from lpad.engine.running import change_store
from lpad.engine.running.change_store import ChangeStore
from lpad.engine.snapshot import card_reading
from lpad.engine.snapshot.snapshot import CardState
from lpad.engine.worker.card_observer import Observer

if TYPE_CHECKING:
    from lpad.engine.journal import Private

SECRET = "SECRET-MATCHING-ID"


def _fails(*_: object, **__: object) -> NoReturn:
    raise ValueError(f"bad luck with {SECRET}")


def _ready(lab: Lab) -> None:
    lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)


def test_a_change_ends_though_the_card_cant_be_read_any_more(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If reading the card fails with an internal error, the change fails, and shows no secret."""
    _ready(lab)
    with monkeypatch.context() as broken:
        broken.setattr(card_reading, "read_card", _fails)
        broken.setattr(card_reading, "read_profiles", _fails)
        change = lab.carry_out(Kind.ENABLE, iccid="8900101000000000017")
    assert change.error is not None
    assert change.error.kind == "internal-error"
    assert SECRET not in change.error.sentence
    error = lab.engine.snapshot(CARD).error
    assert error is None or SECRET not in error.sentence
    assert lab.carry_out(Kind.REFRESH).state is State.DONE


def test_changes_of_a_card_that_the_settings_name_no_more_are_ended(lab: Lab) -> None:
    """If the settings no longer name a card, its changes fail with not-found."""
    journal = lab.journal()
    change = journal.changes.add("gone", DownloadParams(), secrets={"activation_code": "x"})
    journal.close()
    _ready(lab)
    ended = lab.engine.change(change.id)
    assert ended.error is not None
    assert ended.error.kind == "not-found"
    assert "gone" in ended.error.sentence


def test_an_internal_error_while_settling_does_not_affect_other_changes(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupted change whose settling meets an internal error fails; the next one is still settled."""
    journal = lab.journal()
    first = journal.changes.add(CARD, EnableParams(iccid="8900101000000000017"), secrets={})
    second = journal.changes.add(CARD, RefreshParams(), secrets={})
    for change in (first, second):
        journal.changes.save(change.run())
    journal.close()
    whole = reconcile.judge
    monkeypatch.setattr(
        reconcile,
        "judge",
        lambda change, *rest: (_fails if change.id == first.id else whole)(change, *rest),
    )
    _ready(lab)
    error = lab.ended(first.id).error
    assert error is not None
    assert error.kind == "internal-error"
    assert SECRET not in error.sentence
    assert lab.ended(second.id).state is State.DONE


def _with_mistake(monkeypatch: pytest.MonkeyPatch, number: int, *states: State) -> None:
    """Make lpad raise an error when it stores the change `number` in one of the given states."""
    whole = Changes.save

    def save(changes: Changes, change: Change, **rest: Any) -> None:
        if change.id == number and change.state in states:
            _fails()
        whole(changes, change, **rest)

    monkeypatch.setattr(Changes, "save", save)


@pytest.mark.parametrize("states", [[State.RUNNING], [State.RUNNING, State.FAILED]])
def test_a_change_that_cant_be_stored_as_begun_ends(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, states: list[State]
) -> None:
    """A change that cannot be stored as running fails, and later changes are carried out."""
    _ready(lab)
    before = lab.carry_out(Kind.REFRESH)
    _with_mistake(monkeypatch, before.id + 1, *states)
    change = lab.carry_out(Kind.REFRESH)
    assert change.id == before.id + 1
    assert change.error is not None
    assert change.error.kind == "internal-error"
    assert SECRET not in change.error.sentence
    assert lab.carry_out(Kind.REFRESH).state is State.DONE
    assert lab.engine.change(change.id).error == change.error


def test_a_mistake_after_a_failure_ends_the_change(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """If an internal error occurs while lpad handles a change's error, the change still ends."""
    _ready(lab)
    with monkeypatch.context() as broken:
        broken.setattr(Observer, "look", _fails)
        change = lab.carry_out(Kind.ENABLE, iccid="8900101000000000017")
    assert change.error is not None
    assert change.error.kind == "internal-error"
    assert lab.carry_out(Kind.REFRESH).state is State.DONE


def test_an_end_that_cant_be_stored_is_shown_and_stored_later(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change that cannot be stored as done is shown as done, and stored later."""
    _ready(lab)
    before = lab.carry_out(Kind.REFRESH)
    with monkeypatch.context() as broken:
        _with_mistake(broken, before.id + 1, State.DONE)
        change = lab.carry_out(Kind.REFRESH)
        assert change.state is State.DONE
        assert lab.carry_out(Kind.REFRESH).state is State.DONE
    assert lab.carry_out(Kind.REFRESH).state is State.DONE
    lab.stop()
    journal = lab.journal()
    assert journal.changes.get(change.id).state is State.DONE
    journal.close()


@pytest.mark.parametrize("place", ["events", "news"])
def test_a_change_whose_event_cant_be_reported_is_carried_out(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """If reporting a change's event fails, the change is still queued, carried out, stored and ended."""
    _ready(lab)
    whole = Hub.publish

    def publish(hub: Hub, type_: str, *data: Any, **rest: Any) -> None:
        if type_ == "change":
            _fails()
        whole(hub, type_, *data, **rest)

    with monkeypatch.context() as broken:
        if place == "events":
            broken.setattr(change_store, "happenings", _fails)
        else:
            broken.setattr(Hub, "publish", publish)
        number = lab.submit(Kind.REFRESH).id
        lab.until_true(lambda: lab.engine.change(number).state.ended)
    lab.stop()
    journal = lab.journal()
    assert journal.changes.get(number).state is State.DONE
    journal.close()


def test_a_mistake_while_one_is_settled_keeps_nothing_else_from_its_end(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If an interrupted change's notes cannot be read, the change fails, and the next one is carried out."""
    journal = lab.journal()
    first, second = (journal.changes.add(CARD, RefreshParams(), secrets={}) for _ in range(2))
    for change in (first, second):
        journal.changes.save(change.run())
    journal.close()
    whole = ChangeStore.private
    monkeypatch.setattr(
        ChangeStore,
        "private",
        lambda store, change: (_fails if change.id == first.id else whole)(store, change),
    )
    assert lab.ended(second.id).state is State.DONE
    ended = lab.ended(first.id)
    assert ended.error is not None
    assert ended.error.kind == "internal-error"


def test_changes_on_a_failing_disk_are_settled_later(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the disk fails for one change, later changes are done, and that one is done once the disk works."""
    journal = lab.journal()
    first, second = (journal.changes.add(CARD, RefreshParams(), secrets={}) for _ in range(2))
    for change in (first, second):
        journal.changes.save(change.run())
    journal.close()
    whole = ChangeStore.private
    troubles = [JournalUnavailable("a bad sector")]

    def private(store: ChangeStore, change: Change) -> Private:
        if change.id == first.id and troubles:
            raise troubles[0]
        return whole(store, change)

    monkeypatch.setattr(ChangeStore, "private", private)
    assert lab.ended(second.id).state is State.DONE
    assert not lab.engine.change(first.id).state.ended
    troubles.clear()
    lab.engine._workers.of(CARD).adopt()  # lpad makes this call when the journal is usable again.
    assert lab.ended(first.id).state is State.DONE
