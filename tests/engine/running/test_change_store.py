"""The change store: an earlier run's changes are taken over once, each for its own card."""

from __future__ import annotations

import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest

from engine.test_full_disk import no_space
from lpad.base.errors import JournalUnavailable
from lpad.engine.change.change import Progress, State
from lpad.engine.change.event_subscriptions import Hub
from lpad.engine.change.params import DisableParams, EnableParams, Params
from lpad.engine.change.results import RefreshResult, SwitchResult
from lpad.engine.journal import Journal
from lpad.engine.running.change_store import ChangeStore
from lpad.engine.running.metric_counters import Counters

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.engine.change.change import Change


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "journal.db")) as made:
        yield made


ASKED = EnableParams(iccid="8900101000000000017")


def store_on(journal: Journal) -> ChangeStore:
    return ChangeStore(journal, Hub(), Counters())


def add(store: ChangeStore, euicc: str = "modem", params: Params = ASKED) -> Change:
    return store.add(euicc, params, secrets={})


def test_an_earlier_runs_changes_are_adopted_once(journal: Journal) -> None:
    """A live change is not begun a second time, and no worker takes another card's change."""
    left = add(store_on(journal))
    store = store_on(journal)
    assert store.unended() == []
    live = add(store)
    other = add(store, "reader")
    assert [change.id for change in store.adopt("modem")] == [left.id]
    assert store.adopt("modem") == []
    assert store.adopt("reader") == []
    assert {change.id for change in store.unended()} == {left.id, live.id, other.id}


def test_nothing_is_adopted_while_its_end_could_not_be_written(journal: Journal, tmp_path: Path) -> None:
    """A change is not adopted while the journal cannot be written, as the next start would repeat it."""
    left = add(store_on(journal))
    store = store_on(journal)
    with no_space(tmp_path / "journal.db-wal"):
        for _ in range(1000):
            if not journal.health.ok:
                break
            with pytest.raises(Exception, match="journal"):
                add(store)
        assert store.adopt("modem") == []
    assert journal.try_again()
    assert left.id in [change.id for change in store.adopt("modem")]


def test_an_end_is_written_once(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if two threads find the journal writable again, a change's end is written only once."""
    store = store_on(journal)
    change = store.save(add(store).run())
    save = journal.changes.save
    together = threading.Barrier(2)

    def refuse(*_: object, **__: object) -> None:
        raise JournalUnavailable("the journal cannot be written")

    def save_slowly(*words: Any, **more: Any) -> None:
        with suppress(threading.BrokenBarrierError):
            together.wait(1)
        save(*words, **more)

    with monkeypatch.context() as patched:
        patched.setattr(journal.changes, "save", refuse)
        store.save(change.done(SwitchResult(iccid=ASKED.iccid)))
    assert journal.events.last() == 0
    monkeypatch.setattr(journal.changes, "save", save_slowly)
    threads = [threading.Thread(target=store.catch_up) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert [each.type for each in journal.events.after(0, limit=9)] == ["org.lpad.profile.enabled.v1"]
    assert journal.changes.get(change.id).state is State.DONE


def test_only_orphans_are_ended(journal: Journal) -> None:
    """Only the changes of cards that the settings no longer name are ended."""
    add(store_on(journal))
    orphan = add(store_on(journal), "gone")
    store = store_on(journal)
    store.end_orphans({"modem"})
    assert store.change(orphan.id).state is State.FAILED
    assert [change.euicc for change in store.unfinished()] == ["modem"]


def test_the_same_is_under_way_only_if_all_of_it_is_the_same(journal: Journal) -> None:
    """An equal change under way has the same card, kind, parameters and secrets, and has not ended."""
    store = store_on(journal)
    change = add(store)
    assert store.under_way("modem", ASKED, secrets={}) == [change]
    assert store.under_way("reader", ASKED, secrets={}) == []
    assert store.under_way("modem", DisableParams(iccid=ASKED.iccid), secrets={}) == []
    assert store.under_way("modem", EnableParams(iccid="8900101000000000025"), secrets={}) == []
    assert store.under_way("modem", ASKED, secrets={"matching_id": "1"}) == []
    store.save(change.run().done(RefreshResult()))
    assert store.under_way("modem", ASKED, secrets={}) == []


def test_progress_is_seen_and_not_written(journal: Journal) -> None:
    """The number of transferred bytes is only in memory until the change's next record is written."""
    store = store_on(journal)
    change = store.save(add(store).run())
    assert store.show_progress(change, Progress(sent=1, total=2)).progress == Progress(sent=1, total=2)
    assert store.change(change.id).progress == Progress(sent=1, total=2)
    assert store.active() == [store.change(change.id)]
    assert journal.changes.get(change.id).progress is None
