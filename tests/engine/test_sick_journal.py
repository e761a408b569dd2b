"""Journals that are damaged, locked, newer or unwritable: they are reported, and repaired or kept."""

from __future__ import annotations

import os
import resource
import sqlite3
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.journal_file import become_newer, sealed
from engine.lab import CARD, Lab
from engine.test_full_disk import no_space
from lpad.base.errors import JournalUnavailable, NotFound
from lpad.engine.change.change import Kind, State
from lpad.engine.change.params import EnableParams, RefreshParams, RenameParams
from lpad.engine.change.results import RefreshResult
from lpad.engine.journal import SCHEMA_VERSION, Journal, write_retry
from lpad.engine.journal.file.damaged_file_replacement import KEPT
from lpad.engine.journal.file.writability import JournalState
from lpad.engine.snapshot.snapshot import CardState
from lpad.simulator.smdp.functions.faults import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534
RUBBISH = b"not a database at all, but long enough to be read in full" * 100


@contextmanager
def as_nobody() -> Iterator[None]:
    """If the tests run as root, which permissions do not restrict, become an ordinary user for a while."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(me)


@contextmanager
def without_descriptors() -> Iterator[None]:
    """Prevent this process from opening further files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that all users may enter but only its owner may write to."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have lpad try an unusable journal again soon, so that no test waits a minute."""
    monkeypatch.setattr(write_retry, "EVERY", 0.05)


def filled(path: Path) -> None:
    """Make a journal with 50 changes and one notification."""
    journal = Journal(path)
    for _ in range(50):
        journal.changes.add("modem", RenameParams(iccid="8", nickname="y" * 500), secrets={})
    journal.notifications.keep(eid="89", seq=0, event="install", address="a.b", iccid=None, raw=b"x", at=1.0)
    journal.close()


def refuses(journal: Journal, state: JournalState) -> None:
    """Check that the journal has the given state and accepts no change."""
    assert journal.health.state is state
    assert journal.health.error is not None
    with pytest.raises(JournalUnavailable) as caught:
        journal.changes.add("modem", EnableParams(iccid="8900101000000000017"), secrets={})
    assert caught.value.details["reason"] == f"journal-{state}"
    assert caught.value.kind == "journal-unavailable"


def test_a_file_that_is_not_a_database_is_set_aside(tmp_path: Path) -> None:
    """A journal file that is not a database is kept under another name, and a new journal works."""
    path = tmp_path / "journal.db"
    path.write_bytes(RUBBISH)
    journal = Journal(path)
    (kept,) = journal.health.set_aside
    assert journal.health.state is JournalState.OK
    assert Path(kept).read_bytes() == RUBBISH
    assert journal.changes.add("modem", RefreshParams(), secrets={}).id > 1000
    journal.close()
    again = Journal(path)
    assert again.health.set_aside == (kept,)
    assert len(again.changes.latest()) == 1
    again.close()


def test_a_page_of_rubbish_inside_is_noticed(tmp_path: Path) -> None:
    """Opening the journal finds a damaged page; other pages are kept, and no number is used twice."""
    path = tmp_path / "journal.db"
    filled(path)
    content = bytearray(path.read_bytes())
    content[-8192:] = os.urandom(8192)
    path.write_bytes(content)
    journal = Journal(path)
    assert len(journal.health.set_aside) == 1
    assert 25 < len(journal.changes.latest()) < 50
    assert len(journal.notifications.all()) == 1
    assert journal.changes.add("modem", RefreshParams(), secrets={}).id > 50
    journal.close()


def test_only_the_latest_damaged_files_are_kept(tmp_path: Path) -> None:
    """Of the damaged journals, only the latest are kept, so that they do not fill the disk."""
    path = tmp_path / "journal.db"
    for number in range(KEPT + 2):
        path.write_bytes(RUBBISH + bytes([number]))
        Journal(path).close()
    kept = [file.read_bytes()[-1] for file in sorted(tmp_path.glob("journal.db.damaged-*"))]
    assert kept == list(range(2, KEPT + 2))


def test_a_newer_schema_is_not_misread(tmp_path: Path) -> None:
    """A newer lpad's journal stays unchanged and accepts no change."""
    path = tmp_path / "journal.db"
    filled(path)
    become_newer(path)
    before = path.read_bytes()
    journal = Journal(path)
    refuses(journal, JournalState.NEWER)
    assert journal.changes.latest() == []
    journal.close()
    assert path.read_bytes()[100:] == before[100:]


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_a_database_without_its_tables_is_set_aside(tmp_path: Path, version: int) -> None:
    """A database that lacks the journal's tables is set aside, and a new journal works."""
    path = tmp_path / "journal.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE changes (id INTEGER PRIMARY KEY)")
    db.execute(f"PRAGMA user_version = {version}")
    db.close()
    journal = Journal(path)
    assert journal.health.ok
    assert len(journal.health.set_aside) == 1
    assert journal.changes.unfinished() == []
    journal.close()


def test_a_record_that_cant_be_read_keeps_nothing_else_from_going_on(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    """If a change's record is unreadable, the journal is set aside, and other changes continue."""
    journal = lab.journal()
    unreadable = journal.changes.add(CARD, EnableParams(iccid="8900101000000000017"), secrets={})
    other = journal.changes.add(CARD, RefreshParams(), secrets={})
    journal.close()
    with sealed(lab.folder / "journal.db") as db:
        db.execute(
            "UPDATE changes SET body = CAST(replace(body, 'created_at', 'unheard-of') AS BLOB) WHERE id = ?",
            (unreadable.id,),
        )
    assert lab.ended(other.id).state is State.DONE
    assert [change.id for change in lab.engine.changes()] == [other.id]
    with pytest.raises(NotFound):
        lab.engine.change(unreadable.id)
    (repair,) = lab.engine.journal.repairs
    assert (repair.lost, repair.lost_changes) == ({"changes": 1}, (unreadable.id,))
    assert f"lost changes: [{unreadable.id}]" in caplog.text
    assert len(lab.engine.journal.set_aside) == 1


def test_a_change_of_a_later_lpads_kind_stays_for_it(lab: Lab) -> None:
    """A change of an unknown kind is neither carried out nor shown, and does not count as damage."""
    journal = lab.journal()
    later = journal.changes.add(CARD, EnableParams(iccid="8900101000000000017"), secrets={})
    other = journal.changes.add(CARD, RefreshParams(), secrets={})
    journal.close()
    renamed = "UPDATE changes SET body = CAST(replace(body, ?, ?) AS BLOB)"
    with sealed(lab.folder / "journal.db") as db:
        db.execute(f"{renamed} WHERE id = {later.id}", ("enable", "unheard-of"))
    assert lab.ended(other.id).state is State.DONE
    assert [change.id for change in lab.engine.changes()] == [other.id]
    assert (lab.engine.journal.repairs, lab.engine.journal.set_aside) == ((), ())
    lab.stop()
    with sealed(lab.folder / "journal.db") as db:
        db.execute(renamed, ("unheard-of", "enable"))
    journal = lab.journal()
    assert [change.id for change in journal.changes.unfinished()] == [later.id]
    journal.close()


def test_a_journal_in_use_elsewhere_is_not_touched(tmp_path: Path) -> None:
    """A second daemon on one journal accepts no changes until the first has released the journal."""
    first = Journal(tmp_path / "journal.db")
    second = Journal(tmp_path / "journal.db")
    refuses(second, JournalState.LOCKED)
    first.changes.add("modem", RefreshParams(), secrets={})
    first.close()
    assert second.try_again()
    assert len(second.changes.latest()) == 1
    second.close()


def test_a_file_that_may_not_be_written_is_read(public: Path) -> None:
    """Without the right to write to the journal, lpad lists its changes, and accepts no new ones."""
    path = public / "journal.db"
    filled(path)
    path.chmod(0o644)
    if os.geteuid() != 0:
        path.chmod(0o444)
        public.chmod(0o555)
    with as_nobody():
        journal = Journal(path)
        refuses(journal, JournalState.READ_ONLY)
        assert len(journal.changes.latest()) == 50
        assert len(journal.notifications.all()) == 1
        assert not journal.try_again()
        journal.close()


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    """If the journal cannot be created, lpad reports why, and creates it once its folder exists."""
    journal = Journal(tmp_path / "missing" / "journal.db")
    refuses(journal, JournalState.UNWRITABLE)
    assert "No such file" in str(journal.health.error)
    (tmp_path / "missing").mkdir()
    assert journal.try_again()
    journal.close()


def test_a_process_out_of_descriptors_takes_nothing_for_damaged(tmp_path: Path) -> None:
    """Without free file descriptors the journal stays unchanged, and lpad uses it later."""
    path = tmp_path / "journal.db"
    filled(path)
    before = path.read_bytes()
    with without_descriptors():
        journal = Journal(path)
    refuses(journal, JournalState.UNWRITABLE)
    with pytest.raises(JournalUnavailable):
        journal.changes.latest()
    assert path.read_bytes() == before
    assert journal.try_again()
    assert len(journal.changes.latest()) == 50
    assert journal.health.repairs == ()
    assert [each.name for each in tmp_path.glob("*damaged*")] == []
    journal.close()


def test_damage_while_it_is_open(tmp_path: Path) -> None:
    """Damage found during reading or writing is repaired immediately, and the journal still works."""
    path = tmp_path / "journal.db"
    journal = Journal(path)
    for _ in range(50):
        journal.changes.add("modem", RenameParams(iccid="8", nickname="y" * 2000), secrets={})
    change = journal.changes.add("modem", RenameParams(iccid="8", nickname="y"), secrets={"code": "1234"})
    # When a change with a secret ends, the write-ahead log is emptied into the file.
    journal.changes.save(change.run().done(RefreshResult()))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))

    for _ in range(200):
        added = journal.changes.add("modem", RenameParams(iccid="8", nickname="y" * 2000), secrets={})
        journal.changes.latest()
    assert added.id > change.id
    assert journal.health.ok
    assert len(journal.health.repairs) == 1
    journal.changes.save(change.run())  # A change that was running is written again.
    assert {added.id, change.id} <= {each.id for each in journal.changes.latest()}
    journal.close()


def test_the_card_is_read_nevertheless(lab: Lab) -> None:
    """With an unusable journal the card is read and shown, and changes that alter the card are refused."""
    iccid = lab.install()
    lab.stop()
    become_newer(lab.folder / "journal.db")
    lab.start()
    lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
    assert lab.engine.journal.state is JournalState.NEWER
    assert lab.engine.snapshot(CARD).listed.named(iccid) is not None
    with pytest.raises(JournalUnavailable):
        lab.submit(Kind.ENABLE, iccid=iccid)
    assert not lab.card.profiles[0].enabled


def test_the_changes_of_a_locked_journal_are_settled_later(lab: Lab) -> None:
    """Once another program releases the journal, lpad settles the changes in it."""
    iccid = lab.install()
    lab.stop()
    other = lab.journal()
    change = other.changes.add(CARD, EnableParams(iccid=iccid), secrets={})
    lab.start()
    lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
    assert lab.engine.journal.state is JournalState.LOCKED
    other.close()
    lab.until_true(lambda: lab.engine.journal.ok)
    lab.until_true(lambda: any(each.id == change.id for each in lab.engine.changes()))
    assert lab.ended(change.id).state is State.DONE
    assert lab.card.profiles[0].enabled


def test_after_damage_the_card_fills_the_outbox_again(lab: Lab) -> None:
    """After damage, notifications are copied from the card into the new journal again, and sent."""
    with no_space_at_the_server(lab):
        lab.install()
    lab.stop()
    for file in lab.folder.glob("journal.db*"):
        file.write_bytes(RUBBISH)
    lab.start()
    lab.until(lambda: lab.server.notifications, lambda found: len(found) == 2)
    lab.until_true(lambda: lab.card.notifications == ())
    assert len(lab.engine.journal.set_aside) == 1


@contextmanager
def no_space_at_the_server(lab: Lab) -> Iterator[None]:
    """Make the server fail once with 503, and wait at the end until lpad has noticed the failure."""
    lab.server.faults.add(
        Fault(function="handleNotification", kind=FaultKind.HTTP_STATUS, value=503, times=1)
    )
    yield
    lab.until_true(lambda: any(each.attempts for each in lab.engine.card(CARD).notifications()))


def test_a_disk_without_space_is_a_state(lab: Lab) -> None:
    """A full disk is shown as the journal's state; its beginning and its end are events."""
    lab.carry_out(Kind.REFRESH)
    seen = lab.engine.subscribe(lambda: None)
    with no_space():
        with pytest.raises(JournalUnavailable):
            lab.submit(Kind.REFRESH)
        assert lab.engine.journal.state in (JournalState.FULL, JournalState.UNWRITABLE)
    lab.until_true(lambda: lab.engine.journal.ok)
    told: list[object] = []

    def both() -> bool:
        told.extend(event.data["state"] for event in seen.take() if event.type == "journal")
        return len(told) == 2

    lab.until_true(both)
    assert told[1] == "ok"
    seen.close()
