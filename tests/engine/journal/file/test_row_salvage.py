"""A damaged journal is repaired: what can be read stays, what cannot is named, nothing is done twice."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.journal_file import sealed
from engine.test_full_disk import no_space
from engine.test_sick_journal import as_nobody, filled, public, refuses
from faults.flip_trials.sample_journal import CLOSED, EID, KILLED, Contents, make
from faults.injected.flip import JOURNAL, Flip
from lpad.base.errors import JournalUnavailable
from lpad.engine.change.notes import NotedLimit, SwitchNotes, noting
from lpad.engine.change.params import EnableParams, GuardParams, RefreshParams
from lpad.engine.change.results import RefreshResult
from lpad.engine.journal import SCHEMA_VERSION, Journal
from lpad.engine.journal.file import damaged_file_replacement, database
from lpad.engine.journal.file.checksummed_rows import keep_sealed
from lpad.engine.journal.file.migration import migrate
from lpad.engine.journal.file.schema import CHECKSUMS_SINCE
from lpad.engine.journal.file.writability import JournalState
from lpad.engine.network_settings.settings_store import NetworkStore
from lpad.network.network_settings import Authentication, NetworkSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["public"]

PASSWORD = b"pa55-in-the-journal"
SECRET = NetworkSettings(
    apn="x", username="user", password=PASSWORD.decode(), authentication=Authentication.PAP
)

DIES = """
import os, sys
from pathlib import Path
from lpad.engine.journal import Journal

left = int(sys.argv[2])

def count(event, args):
    global left
    if event in ("open", "os.rename", "os.remove", "os.truncate", "sqlite3.connect"):
        left -= 1
        if left < 0:
            os._exit(9)

sys.addaudithook(count)
Journal(Path(sys.argv[1]))
os._exit(0)
"""
"""A program that opens a journal, and ends itself at one step of its file operations."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, Contents]]:
    """Return a folder of journals with every kind of entry, and the contents of each journal."""
    folder = tmp_path_factory.mktemp("worn") / "bases"
    folder.mkdir()
    return folder, make(folder)


@pytest.fixture
def worn(made: tuple[Path, Mapping[str, Contents]], tmp_path: Path) -> Path:
    """Return the path of a copy of the closed sample journal."""
    shutil.copytree(made[0] / CLOSED, tmp_path / "state")
    return tmp_path / "state" / JOURNAL


def spoil(path: Path, pattern: bytes, *, which: int = 0, behind: int = 0, bit: int = 0) -> None:
    """Flip a bit near some bytes of a file."""
    content = path.read_bytes()
    at = -1
    for _ in range(which + 1):
        at = content.index(pattern, at + 1)
    path.write_bytes(Flip(JOURNAL, at + behind, bit).done_to(content))


def holds_all(journal: Journal, said: Contents) -> None:
    """Assert that a journal has exactly the given contents."""
    assert {each.id: each for each in journal.changes.latest()} == said.changes
    assert {each.id: journal.changes.private(each) for each in journal.changes.unfinished()} == said.private
    assert {each.id: each for each in journal.notifications.all()} == said.notifications
    assert {number: journal.requests.change_id(key) for number, key in said.keys.items()} == {
        number: number for number in said.keys
    }
    assert {name: journal.memos.get(name, object) for name in said.memos} == said.memos


def test_no_copy_is_for_others(worn: Path) -> None:
    """The repaired journal and the one that was set aside are closed to others, whatever the umask is."""
    worn.chmod(0o600)  # Lpad creates a journal with this mode.
    NetworkStore(Journal(worn).memos).put("8900101000000000017", SECRET)
    worn.write_bytes(b"garbage" + worn.read_bytes()[7:])
    before = os.umask(0)
    try:
        journal = Journal(worn)
    finally:
        os.umask(before)
    assert len(journal.health.set_aside) == 1
    there = [*worn.parent.glob("journal*")]
    assert any(PASSWORD in each.read_bytes() for each in there)
    assert {each.name: each.stat().st_mode & 0o777 for each in there} == {each.name: 0o600 for each in there}
    assert len(there) > 1


@pytest.mark.parametrize(
    ("pattern", "behind", "bit"),
    [
        (b"SQLite format 3", 0, 5),
        (b"SQLite format 3", 16, 3),
        (b"SQLite format 3", 18, 2),
        (b"SQLite format 3", 19, 1),
        (b"SQLite format 3", 47, 0),
        (b"SQLite format 3", 60, 0),
        (b"SQLite format 3", 63, 1),
        (b"UNIQUE (eid, seq)", 13, 7),
        (b"attempts INTEGER", 3, 1),
        (b"DEFAULT 0", 8, 0),
        (b"DEFAULT 0", 8, 6),
        (b"CREATE INDEX changes_state", 13, 5),
    ],
)
def test_a_wrong_bit_outside_the_rows_loses_nothing(
    worn: Path, made: tuple[Path, Mapping[str, Contents]], pattern: bytes, behind: int, bit: int
) -> None:
    """With a wrong bit in the version, the format or a table's description, all rows are in the new file."""
    spoil(worn, pattern, behind=behind, bit=bit)
    damaged = worn.read_bytes()
    journal = Journal(worn)
    assert journal.health.ok
    holds_all(journal, made[1][CLOSED])
    (repair,) = journal.health.repairs
    assert (repair.lost, repair.lost_changes) == ({}, ())
    (kept,) = journal.health.set_aside
    assert Path(kept).read_bytes() == damaged
    journal.close()
    again = Journal(worn)
    assert again.health.repairs == (repair,)
    again.close()


def test_a_row_that_cant_be_believed_is_dropped_and_named(
    worn: Path, made: tuple[Path, Mapping[str, Contents]], caplog: pytest.LogCaptureFixture
) -> None:
    """A damaged row is dropped, its neighbours stay, and the loss is logged once and shown in the health."""
    said = made[1][CLOSED]
    spoil(worn, b'"name":"prepare-download"', which=3, behind=9, bit=7)
    journal = Journal(worn)
    (repair,) = journal.health.repairs
    (lost,) = repair.lost_changes
    assert repair.lost == {"changes": 1}
    assert {each.id for each in journal.changes.latest()} == set(said.changes) - {lost}
    assert len([each for each in caplog.records if str([lost]) in each.getMessage()]) == 1
    journal.close()
    caplog.clear()
    again = Journal(worn)
    assert again.health.repairs == (repair,)
    assert caplog.records == []
    again.close()


def test_a_wrong_due_time_is_not_believed(worn: Path, made: tuple[Path, Mapping[str, Contents]]) -> None:
    """A notification with a damaged number is dropped because of its checksum, and can be copied again."""
    said = made[1][CLOSED]
    with sqlite3.connect(worn) as db:
        db.execute("UPDATE notifications SET next_attempt_at = next_attempt_at * 1024 WHERE seq = 4")
    db.close()
    journal = Journal(worn)
    assert {each.seq for each in journal.notifications.all()} == set(range(len(said.notifications))) - {4}
    assert journal.health.repairs[-1].lost == {"notifications": 1}
    assert journal.notifications.keep(
        eid=EID, seq=4, event="install", address="a.b", iccid=None, raw=b"from the card", at=1.0
    )
    journal.close()


@pytest.mark.parametrize("table", ["requests", "memos", "changes"])
def test_essential_rows_survive_their_loss(
    worn: Path, made: tuple[Path, Mapping[str, Contents]], table: str
) -> None:
    """A switch on trial, its way back, request keys and memos survive the loss of their rows."""
    said = made[1][CLOSED]
    condition = f"id = {said.on_trial}" if table == "changes" else "1"
    with sqlite3.connect(worn) as db:
        db.execute(f"UPDATE {table} SET checksum = checksum + 1 WHERE {condition}")
    db.close()
    journal = Journal(worn)
    holds_all(journal, said)
    assert journal.health.repairs[-1].lost == {}
    journal.close()


def test_second_copies_go_with_what_they_are_of(tmp_path: Path) -> None:
    """A second copy is deleted with its original: no secret is left, and no dropped memo comes back."""
    journal = Journal(tmp_path / JOURNAL)
    params = EnableParams(iccid="8900101000000000017", guard=GuardParams(until=("confirm",)))
    change = journal.changes.add("modem", params, secrets={"code": "SECRET-ONE"})
    journal.changes.save(change.run(), notes=noting(SwitchNotes, limit=NotedLimit(seconds=1)))
    journal.memos.put("rescue", 1)
    assert b"SECRET-ONE" in b"".join(each.read_bytes() for each in tmp_path.glob("journal.db*"))
    journal.memos.drop("rescue")
    journal.changes.save(change.run().done(RefreshResult()))
    assert b"SECRET-ONE" not in b"".join(each.read_bytes() for each in tmp_path.glob("journal.db*"))
    journal.close()
    spoil(tmp_path / JOURNAL, b"SQLite format 3", behind=60)
    journal = Journal(tmp_path / JOURNAL)
    assert journal.memos.get("rescue", int) is None
    journal.close()


@pytest.mark.parametrize(
    ("frame", "at"),
    [(0, 2), (0, 5), (0, 8), (0, 18), (3, 1), (20, 2), (-6, 2), (-6, 10), (-6, 20), (-6, 24 + 4000)],
    ids=str,
)
def test_a_damaged_write_ahead_log(
    made: tuple[Path, Mapping[str, Contents]], tmp_path: Path, frame: int, at: int
) -> None:
    """In a damaged write-ahead log, transactions after the wrong bit are kept; SQLite would drop them."""
    shutil.copytree(made[0] / KILLED, tmp_path / "state")
    path = tmp_path / "state" / JOURNAL
    log = path.with_name(f"{JOURNAL}-wal")
    content = log.read_bytes()
    place = 32 + (frame % ((len(content) - 32) // 4120)) * 4120 + at
    log.write_bytes(Flip(log.name, place, 1).done_to(content))
    journal = Journal(path)
    holds_all(journal, made[1][KILLED])
    assert "write-ahead log" in journal.health.repairs[-1].cause
    journal.close()


def test_a_log_that_a_power_cut_tore_is_not_damage(
    made: tuple[Path, Mapping[str, Contents]], tmp_path: Path
) -> None:
    """After a power cut, SQLite undoes the unfinished transaction, and lpad repairs nothing."""
    shutil.copytree(made[0] / KILLED, tmp_path / "state")
    path = tmp_path / "state" / JOURNAL
    log = path.with_name(f"{JOURNAL}-wal")
    log.write_bytes(log.read_bytes()[:-2048])
    journal = Journal(path)
    assert journal.health.repairs == ()
    assert {each.id: each for each in journal.changes.latest()} == made[1][KILLED].changes
    journal.close()


def test_a_journal_whose_file_is_gone_and_whose_log_is_there(
    made: tuple[Path, Mapping[str, Contents]], tmp_path: Path
) -> None:
    """If the journal's file is empty, lpad saves its write-ahead log's content, which SQLite would remove."""
    shutil.copytree(made[0] / KILLED, tmp_path / "state")
    path = tmp_path / "state" / JOURNAL
    path.write_bytes(b"")
    journal = Journal(path)
    assert journal.health.ok
    later = max(made[1][KILLED].changes)
    assert journal.changes.get(later) == made[1][KILLED].changes[later]
    journal.close()


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))
def test_a_damaged_file_of_an_earlier_version(tmp_path: Path, version: int) -> None:
    """A damaged file's rows are saved by their checksums or, in versions without them, if they look valid."""
    path = tmp_path / JOURNAL
    db = sqlite3.connect(path, isolation_level=None)
    migrate(db, to=version)
    if version >= CHECKSUMS_SINCE:
        keep_sealed(db)
    body = '{"id":%d,"euicc":"modem","kind":"refresh","params":{},"created_at":"2026-11-01T00:00:00Z"}'
    db.execute("BEGIN")
    for number in range(1, 6):
        db.execute(
            "INSERT INTO changes (euicc, state, body, private) VALUES ('modem', 'queued', ?, ?)",
            ((body % number).encode(), b'{"secrets":{},"notes":{}}'),
        )
    db.execute(
        "INSERT INTO notifications (eid, seq, event, address, raw, stored_at, next_attempt_at)"
        " VALUES ('89', 7, 'enable', 'a.b', x'3000', 1.0, 1.0)"
    )
    db.execute("COMMIT")
    db.close()
    spoil(path, b"SQLite format 3", behind=47)
    journal = Journal(path)
    assert [each.id for each in journal.changes.unfinished()] == [1, 2, 3, 4, 5]
    assert [each.seq for each in journal.notifications.all()] == [7]
    journal.close()


@pytest.mark.parametrize("version", range(CHECKSUMS_SINCE, SCHEMA_VERSION))
def test_a_migration_seals_no_damaged_row(tmp_path: Path, version: int) -> None:
    """A row that is damaged before a migration is dropped and reported; the others are migrated."""
    path = tmp_path / JOURNAL
    db = sqlite3.connect(path, isolation_level=None)
    migrate(db, to=version)
    keep_sealed(db)
    db.executemany(
        "INSERT INTO notifications (eid, seq, event, address, raw, stored_at, answered, next_attempt_at)"
        " VALUES ('89', ?, 'enable', 'a.b', ?, 1.0, 7, 1.0)",
        [(7, b"0\x01SOUND"), (8, b"0\x01WRONG")],
    )
    db.close()
    spoil(path, b"0\x01WRONG", behind=3)
    journal = Journal(path)
    assert [(each.seq, each.answered, each.answered_since) for each in journal.notifications.all()] == [
        (7, 7, None)
    ]
    (repair,) = journal.health.repairs
    assert repair.lost == {"notifications": 1}
    journal.close()


def test_a_power_cut_at_any_step_of_a_repair(worn: Path, made: tuple[Path, Mapping[str, Contents]]) -> None:
    """After a power cut in a repair, the next start has all rows, and at most one extra file."""
    spoil(worn, b"SQLite format 3", behind=60)
    base = worn.parent
    for step in range(200):
        folder = base.with_name(f"cut-{step}")
        shutil.copytree(base, folder)
        status = subprocess.run(
            [sys.executable, "-c", DIES, folder / JOURNAL, str(step)], check=False
        ).returncode
        journal = Journal(folder / JOURNAL)
        assert journal.health.ok, step
        holds_all(journal, made[1][CLOSED])
        assert 1 <= len(journal.health.set_aside) <= 2, step
        assert list(folder.glob("*.repair*")) == []
        journal.close()
        if status == 0:
            assert step > 10
            return
    pytest.fail("the repair has no end")


@pytest.mark.parametrize("part", ["", "-wal", "-shm", "-journal"])
@pytest.mark.parametrize("thing", ["folder", "pipe", "loop", "socket"])
def test_something_else_in_a_files_place(
    worn: Path, made: tuple[Path, Mapping[str, Contents]], part: str, thing: str
) -> None:
    """An object that is not a regular file is moved away without a wait; readable rows are kept."""
    place = worn.with_name(worn.name + part)
    put(place, thing)
    journal = Journal(worn)
    assert journal.health.ok
    assert place.name == f"{JOURNAL}-shm" or place.is_file() or not os.path.lexists(place)
    if part:
        holds_all(journal, made[1][CLOSED])
    journal.changes.add("modem", RefreshParams(), secrets={})
    journal.close()
    again = Journal(worn)
    assert len(again.health.repairs) == 1
    again.close()


@pytest.mark.parametrize("thing", ["folder", "pipe", "loop", "socket"])
@pytest.mark.parametrize("name", ["journal.reserve", f"{JOURNAL}.repairing", f"{JOURNAL}.repaired"])
def test_a_journal_is_repaired_next_to_files_with_its_names(
    worn: Path, made: tuple[Path, Mapping[str, Contents]], name: str, thing: str
) -> None:
    """A damaged journal is repaired even if other files have the names that lpad would use."""
    put(worn.with_name(name), thing)
    spoil(worn, b"SQLite format 3", behind=60)
    journal = Journal(worn)
    assert journal.health.ok
    holds_all(journal, made[1][CLOSED])
    journal.close()


def put(place: Path, thing: str) -> None:
    """Put something other than a regular file at a path."""
    place.unlink(missing_ok=True)
    if thing == "folder":
        place.mkdir()
        (place / "something").touch()
    elif thing == "pipe":
        os.mkfifo(place)
    elif thing == "loop":
        place.symlink_to(place.name)
    else:
        os.mknod(place, 0o140600)


def test_a_link_is_followed_and_stays(
    worn: Path, made: tuple[Path, Mapping[str, Contents]], tmp_path: Path
) -> None:
    """A journal that a symbolic link leads to is repaired in its place."""
    link = tmp_path / JOURNAL
    link.symlink_to(worn)
    spoil(worn, b"SQLite format 3", behind=60)
    journal = Journal(link)
    holds_all(journal, made[1][CLOSED])
    journal.close()
    assert link.is_symlink()
    assert Path(journal.health.set_aside[0]).parent == worn.parent


def test_a_removed_journal_leaves_no_empty_file(tmp_path: Path) -> None:
    """Setting a missing journal aside creates no file."""
    assert damaged_file_replacement.set_aside(tmp_path / JOURNAL) is None
    assert list(tmp_path.iterdir()) == []


def test_only_the_beginning_of_an_odd_file_is_kept(tmp_path: Path) -> None:
    """Of a file larger than any journal, only the beginning is kept."""
    path = tmp_path / JOURNAL
    with path.open("wb") as file:
        file.write(b"no journal")
        file.truncate(damaged_file_replacement.LARGEST_KEPT * 2)
    journal = Journal(path)
    (kept,) = journal.health.set_aside
    assert Path(kept).stat().st_size == damaged_file_replacement.LARGEST_KEPT
    journal.close()


def test_no_space_for_a_repair(worn: Path, made: tuple[Path, Mapping[str, Contents]]) -> None:
    """Without space for a repair, lpad shows the readable rows, and repairs the file once there is space."""
    said = made[1][CLOSED]
    spoil(worn, b"SQLite format 3", behind=60)
    before = worn.read_bytes()
    with no_space():
        journal = Journal(worn)
        refuses(journal, JournalState.DAMAGED)
        assert {each.id: each for each in journal.changes.latest()} == said.changes
        assert worn.read_bytes() == before
        assert not journal.try_again()
    assert journal.try_again()
    holds_all(journal, said)
    journal.close()


def test_two_that_repair_at_the_same_time(worn: Path) -> None:
    """Of two processes that repair, the second waits, so that it does not replace the first one's result."""
    spoil(worn, b"SQLite format 3", behind=60)
    with damaged_file_replacement.alone(worn):
        journal = Journal(worn)
        refuses(journal, JournalState.LOCKED)
    assert journal.try_again()
    journal.close()


@pytest.fixture
def others(public: Path) -> Path:
    """Return the path of a journal that lpad's user cannot write, in a folder that this user can write."""
    path = public / JOURNAL
    filled(path)
    path.chmod(0o644 if os.geteuid() == 0 else 0o444)
    if os.geteuid() == 0:
        os.chown(public, 65534, 65534)
    return path


def test_a_file_unwritable_for_minutes_counts_as_damaged(
    others: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a file cannot be written for five minutes but one next to it can, lpad moves all rows there."""
    moment = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: moment)
    with as_nobody():
        journal = Journal(others)
        refuses(journal, JournalState.READ_ONLY)
        moment += database.UNWRITABLE_FOR - 1
        assert not journal.try_again()
        moment += 2
        assert journal.try_again()
        assert len(journal.changes.latest()) == 50
        assert len(journal.notifications.all()) == 1
        assert len(journal.health.set_aside) == 1
        journal.changes.add("modem", RefreshParams(), secrets={})
        journal.close()


def test_a_folder_that_cant_be_written_is_not_damage(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal in an unwritable folder stays unchanged and readable, however long this lasts."""
    path = public / JOURNAL
    filled(path)
    path.chmod(0o644)
    if os.geteuid() != 0:
        path.chmod(0o444)
        public.chmod(0o555)
    moment = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: moment)
    with as_nobody():
        journal = Journal(path)
        for _ in range(5):
            moment += 1000
            assert not journal.try_again()
        refuses(journal, JournalState.READ_ONLY)
        assert len(journal.changes.latest()) == 50
        journal.close()


def test_a_journal_that_cant_be_read_is_an_error_and_not_empty(public: Path) -> None:
    """If the journal's file cannot be read, each read raises an error instead of returning nothing."""
    path = public / JOURNAL
    filled(path)
    path.chmod(0o600 if os.geteuid() == 0 else 0)
    with as_nobody():
        journal = Journal(path)
        refuses(journal, JournalState.READ_ONLY)
        for read in (journal.changes.latest, journal.changes.unfinished, journal.notifications.all):
            with pytest.raises(JournalUnavailable):
                read()
        journal.close()


def test_a_log_that_may_not_be_read_is_not_empty(
    made: tuple[Path, Mapping[str, Contents]], public: Path
) -> None:
    """If only the log exists, and belongs to another user, lpad does not start a new journal in its place."""
    log = public / f"{JOURNAL}-wal"
    shutil.copyfile(made[0] / KILLED / log.name, log)
    log.chmod(0)
    public.chmod(0o777)
    with as_nobody():
        journal = Journal(public / JOURNAL)
        refuses(journal, JournalState.READ_ONLY)
        with pytest.raises(JournalUnavailable):
            journal.changes.latest()
        journal.close()
    log.chmod(0o600)
    journal = Journal(public / JOURNAL)
    assert journal.changes.latest(), "what is in it is saved"
    journal.close()


def test_a_number_that_is_damaged_is_not_a_later_lpad(
    worn: Path, made: tuple[Path, Mapping[str, Contents]]
) -> None:
    """A file counts as a later lpad's only if the checksum of its version is right."""
    with sqlite3.connect(worn) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    journal = Journal(worn)
    holds_all(journal, made[1][CLOSED])
    journal.close()
    with sealed(worn) as db:
        db.execute("UPDATE about SET value = ? WHERE name = 'format'", (SCHEMA_VERSION + 1,))
    journal = Journal(worn)
    refuses(journal, JournalState.NEWER)
    journal.close()
