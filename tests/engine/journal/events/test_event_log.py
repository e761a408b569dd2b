"""The outbox of events: numbered, in the transaction of the cause, limited; what it drops is counted."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from engine.journal_file import sealed
from engine.test_full_disk import no_space
from lpad.base.errors import JournalUnavailable
from lpad.engine.change.params import EnableParams
from lpad.engine.events import event_types as types
from lpad.engine.events.event_data import CardData, ProfileData
from lpad.engine.events.happening import Happening
from lpad.engine.journal import Journal
from lpad.engine.journal.events import event_log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.engine.events.event_types import EventType

ICCID = "8900101000000000017"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "journal.db")) as made:
        yield made


def profile(type_: EventType = types.PROFILE_ENABLED, change: int = 1) -> Happening:
    return Happening(type=type_, data=ProfileData(euicc="modem", iccid=ICCID, change=change), euicc="modem")


def ready(euicc: str = "modem", state: str = "") -> Happening:
    """Return an event that may be dropped; one with a state is recorded only if the state is new."""
    key = f"card:{euicc}" if state else None
    return Happening(type=types.CARD_READY, data=CardData(euicc=euicc), euicc=euicc, key=key, state=state)


def kept(journal: Journal) -> list[tuple[int, str]]:
    return [
        (each.sequence, each.type.removeprefix("org.lpad.").removesuffix(".v1"))
        for each in journal.events.after(0, limit=10_000)
    ]


def test_events_are_numbered_in_order_across_restarts(tmp_path: Path) -> None:
    """A number is never used twice, even if its event is gone; the device's name stays the same."""
    with closing(Journal(tmp_path / "journal.db")) as journal:
        assert journal.events.last() == 0
        journal.events.record([profile(), profile(types.PROFILE_DISABLED)])
        (source,) = {each.body.source for each in journal.events.after(0, limit=9)}
        assert source.startswith("urn:uuid:")
    with sealed(tmp_path / "journal.db") as db:
        db.execute("DELETE FROM events")
    with closing(Journal(tmp_path / "journal.db")) as journal:
        assert journal.events.last() == 2
        journal.events.record([profile()])
        (event,) = journal.events.after(2, limit=9)
        assert (event.sequence, event.body.source) == (3, source)
        journal.events.device = "gateway-17"
        journal.events.record([profile()])
        assert [each.body.source for each in journal.events.after(3, limit=9)] == ["gateway-17"]


def test_an_event_is_there_with_its_cause_or_not_at_all(journal: Journal) -> None:
    """A transaction stores the record and its event together; if it fails, neither is stored."""
    change = journal.changes.add("modem", EnableParams(iccid=ICCID), secrets={})

    def fail() -> None:
        with journal.events.writing([profile()]) as db:
            db.execute("UPDATE changes SET state = 'running' WHERE id = ?", (change.id,))
            db.execute("INSERT INTO changes (id, euicc, state, body) VALUES (?, '', '', '')", (change.id,))

    with pytest.raises(JournalUnavailable):
        fail()
    assert (journal.changes.get(change.id), kept(journal)) == (change, [])
    journal.changes.save(change.run(), happenings=[profile()])
    assert kept(journal) == [(1, "profile.enabled")]


def test_an_event_costs_its_change_no_transaction(journal: Journal) -> None:
    """A change needs the same number of commits, each of which syncs the disk, with or without events."""
    change = journal.changes.add("modem", EnableParams(iccid=ICCID), secrets={})
    journal.changes.save(change.run())
    statements: list[str] = []
    database: Any = journal.changes
    database._database._db.set_trace_callback(statements.append)
    for happenings in ([], [profile()], [profile(), profile()]):
        before = journal.events.last()
        statements.clear()
        journal.changes.save(change.run(), happenings=happenings)
        assert statements.count("COMMIT") == 1
        assert journal.events.last() == before + len(happenings)


def test_a_state_is_an_event_once(tmp_path: Path) -> None:
    """A repeated observation is not an event, even after a restart; the same state after another one is."""
    with closing(Journal(tmp_path / "journal.db")) as journal:
        journal.events.record([ready(state="ready")])
        journal.events.record([ready(state="ready")])
    with closing(Journal(tmp_path / "journal.db")) as journal:
        journal.events.record([ready(state="ready"), ready("other", state="ready")])
        assert [number for number, _ in kept(journal)] == [1, 2]
        journal.events.record([ready(state="absent"), ready(state="ready")])
        assert [number for number, _ in kept(journal)] == [1, 2, 3, 4]


def test_a_full_outbox_drops_unawaited_events_first(journal: Journal) -> None:
    """Unawaited events are dropped first, then droppable ones, then the others, each the oldest first."""
    journal.events.most = 4
    journal.events.record([profile(), ready(), profile(), ready()])
    journal.events.record([profile()])
    assert [number for number, _ in kept(journal)] == [1, 3, 4, 5]
    assert journal.events.dropped() == {}


def test_dropped_awaited_events_are_counted_and_reported(journal: Journal) -> None:
    """A drop of awaited events is an event itself, with the counts by type and the events' numbers."""
    journal.events.most = 20
    journal.events.awaited_by = [lambda number, _: number > 2, lambda number, _: number > 1_000]
    journal.events.record([profile(), ready(), *([profile()] * 9), ready(), *([profile()] * 8)])
    assert len(kept(journal)) == 20
    journal.events.record([profile()])  # Events 1 and 2 are delivered, so the droppable one is dropped first.
    assert 2 not in dict(kept(journal))
    journal.events.record([profile()])
    assert 1 not in dict(kept(journal))
    assert journal.events.dropped() == {}
    journal.events.record([profile()])
    assert 12 not in dict(kept(journal))
    assert journal.events.dropped() == {"org.lpad.card.ready.v1": 1}
    (told,) = [each for each in journal.events.after(20, limit=99) if each.type == types.EVENTS_DROPPED.name]
    assert told.body.data == {"count": 1, "types": {"org.lpad.card.ready.v1": 1}, "first": 12, "last": 12}
    journal.events.record([profile()] * 3)
    assert dict(kept(journal)).keys() & {3, 4, 5} == set()
    assert journal.events.dropped()["org.lpad.profile.enabled.v1"] >= 3


def test_a_full_disk_delays_no_change(tmp_path: Path) -> None:
    """If the disk is full, events wait in memory, and are written later in their order."""
    with closing(Journal(tmp_path / "journal.db")) as journal:
        with no_space(tmp_path / "journal.db-wal"):
            journal.events.record([profile(change=1)])
            journal.events.record([profile(change=2)])
            assert journal.events.unwritten
            assert kept(journal) == []
        journal.changes.add("modem", EnableParams(iccid=ICCID), secrets={})
        change = journal.changes.get(1)
        journal.changes.save(change.run(), happenings=[profile(change=3)])
        assert [each.change for each in journal.events.after(0, limit=9)] == [1, 2, 3]
        assert not journal.events.unwritten


def test_a_record_is_written_even_if_its_event_is_not(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the disk has room for the record only, the change continues, and the event follows."""
    change = journal.changes.add("modem", EnableParams(iccid=ICCID), secrets={}).run()

    def no_room(*_: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(journal.events, "_append", no_room)
        journal.changes.save(change, happenings=[profile()])
    assert journal.changes.get(change.id).state == "running"
    assert kept(journal) == []
    journal.events.record([])
    assert kept(journal) == [(1, "profile.enabled")]


def test_memory_is_bounded_while_the_journal_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many unwritten events, droppable ones go first, then the oldest; a later event counts them."""
    monkeypatch.setattr(event_log, "UNWRITTEN", 3)
    with closing(Journal(tmp_path / "journal.db")) as journal:
        with no_space(tmp_path / "journal.db-wal"):
            for each in (profile(change=1), ready(), profile(change=2), profile(change=3), profile(change=4)):
                journal.events.record([each])
        journal.events.record([])
        assert [name for _, name in kept(journal)] == ["profile.enabled"] * 3 + ["events.dropped"]
        assert journal.events.after(0, limit=9)[-1].body.data == {
            "count": 2,
            "types": {"org.lpad.card.ready.v1": 1, "org.lpad.profile.enabled.v1": 1},
        }


def test_a_listener_is_notified_once_an_event_can_be_read(journal: Journal) -> None:
    """A listener is not notified before the transaction ends, nor after it has stopped listening."""
    seen: list[int] = []
    forget = journal.events.on_news(lambda: seen.append(journal.events.last()))
    with journal.events.writing([profile()]):
        assert seen == []
    assert seen == [1]
    forget()
    journal.events.record([profile()])
    assert seen == [1]


def test_a_repair_keeps_events_and_never_repeats_a_number(tmp_path: Path) -> None:
    """A row with a wrong bit is lost and counted; the others keep their numbers and the device's name."""
    path = tmp_path / "journal.db"
    with closing(Journal(path)) as journal:
        journal.events.record([profile(change=1), profile(change=222_222), profile(change=3)])
        (source,) = {each.body.source for each in journal.events.after(0, limit=9)}
    content = path.read_bytes()
    at = content.index(b"222222")
    path.write_bytes(content[:at] + b"3" + content[at + 1 :])
    with closing(Journal(path)) as journal:
        (repair,) = journal.health.repairs
        assert repair.lost == {"events": 1}
        assert [each.sequence for each in journal.events.after(0, limit=9)] == [1, 3]
        journal.events.record([profile()])
        assert journal.events.last() == 4
        assert {each.body.source for each in journal.events.after(0, limit=9)} == {source}


def test_an_unwritable_journal_refuses_to_read_only_if_it_must(tmp_path: Path) -> None:
    """Reading events from a closed journal raises JournalUnavailable."""
    journal = Journal(tmp_path / "journal.db")
    journal.close()
    with pytest.raises(JournalUnavailable):
        journal.events.after(0, limit=1)


@pytest.mark.parametrize("late", [False, True])
def test_an_event_that_cannot_be_written_is_left_out(journal: Journal, *, late: bool) -> None:
    """An event that cannot be encoded is dropped; its record and the other events are written."""
    odd = Happening(type=types.CARD_READY, data=CardData(euicc="\ud800"), euicc="\ud800")
    if late:
        journal.events.postpone([odd, profile()])
    journal.memos.put("name", 1, happenings=[] if late else [odd, profile()])
    assert journal.memos.get("name", int) == 1
    assert [name for _, name in kept(journal)] == ["profile.enabled"]
    journal.memos.put("name", 2)
    assert journal.memos.get("name", int) == 2
    assert not journal.events.unwritten


def test_an_event_counts_as_awaited_if_that_cannot_be_found_out(journal: Journal) -> None:
    """If lpad cannot read whether an event is awaited, it counts as awaited, but a full outbox drops it."""

    def fails(*_: object) -> NoReturn:
        raise ValueError("a mistake in lpad")

    journal.events.awaited_by.append(fails)
    journal.events.most = 3
    for number in range(5):
        journal.events.record([profile(change=number)])
    assert kept(journal)[-1][1] in ("profile.enabled", "events.dropped")
    assert journal.events.dropped() == {types.PROFILE_ENABLED.name: 3}


def test_a_listener_that_cannot_be_notified_does_not_affect_the_others(journal: Journal) -> None:
    """If a listener raises an error, the others are notified, and the event counts as stored."""

    def fails() -> NoReturn:
        raise RuntimeError("Event loop is closed")

    told: list[None] = []
    journal.events.on_news(fails)
    journal.events.on_news(lambda: told.append(None))
    journal.memos.put("name", 1, happenings=[profile()])
    assert told == [None]


@pytest.mark.parametrize("number", [1 << 80, -(1 << 80)])
def test_a_position_of_any_size(journal: Journal, number: int) -> None:
    """A listener's position may be too large for SQLite: it is then before or after all events."""
    journal.events.record([profile()])
    expected = 1 if number < 0 else 0
    assert len(journal.events.after(number, limit=9)) == expected
    assert journal.events.count(after=number) == expected


def test_a_missing_number_leads_to_no_event(journal: Journal) -> None:
    """A missing or future number does not lead to the next event."""
    journal.events.most = 3
    for number in range(6):
        journal.events.record([profile(change=number)])
    numbers = [number for number, _ in kept(journal)]
    found = {number: journal.events.get(number) for number in range(8)}
    assert [number for number, event in found.items() if event is not None] == numbers
    assert all(event is None or event.sequence == number for number, event in found.items())
