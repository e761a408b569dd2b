"""The journal: written to disk when a call returns, readable by its owner only, and clear about faults."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lpad.base.errors import CardUnreachable, NotFound
from lpad.engine.change.change import Kind, State
from lpad.engine.change.idempotency import IdempotencyKey
from lpad.engine.change.notes import DownloadNotes
from lpad.engine.change.params import DownloadParams, RefreshParams
from lpad.engine.change.results import RefreshResult
from lpad.engine.journal import Journal, Retention
from lpad.engine.journal.notifications import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CODE = "LPA:1$smdp.example.com$SECRET-MATCHING-ID"

WRITER = """
import sys
from pathlib import Path
from lpad.engine.change.notes import ProfileNotes, noting
from lpad.engine.change.params import DownloadParams
from lpad.engine.journal import Journal
journal = Journal(Path(sys.argv[1]))
change = journal.changes.add("modem", DownloadParams(), secrets={"activation_code": "LPA:1$a.b$C"})
change = change.run().at_step("load-bound-profile-package")
journal.changes.save(change, notes=noting(ProfileNotes, iccid="8900101000000000017"))
outbox = journal.notifications
outbox.keep(eid="89", seq=0, event="install", address="a.b", iccid=None, raw=b"\\x30\\x00", at=1.0)
print("written", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal.db")
    yield made
    made.close()


def files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


def test_written_rows_survive_kill_9(tmp_path: Path) -> None:
    """If a process is killed as soon as a call returns, the written rows are on the disk."""
    path = tmp_path / "journal.db"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        os.kill(process.pid, signal.SIGKILL)
    journal = Journal(path)
    (change,) = journal.changes.unfinished("modem")
    assert (change.state, change.step) == (State.RUNNING, "load-bound-profile-package")
    private = journal.changes.private(change)
    assert private.notes == DownloadNotes(iccid="8900101000000000017")
    assert private.secrets == {"activation_code": "LPA:1$a.b$C"}
    (stored,) = journal.notifications.all()
    assert (stored.seq, stored.raw, stored.stage) == (0, b"\x30\x00", Stage.PENDING)
    journal.close()


def test_secrets_are_gone_from_the_disk_when_a_change_ends(tmp_path: Path) -> None:
    """Neither the file nor its write-ahead log holds a code once the change has ended."""
    journal = Journal(tmp_path / "journal.db")
    change = journal.changes.add("modem", DownloadParams(), secrets={"activation_code": CODE})
    assert CODE.encode() in files(tmp_path)
    journal.changes.save(change.run())
    journal.changes.save(change.run().failed(CardUnreachable("gone")))
    assert b"SECRET-MATCHING-ID" not in files(tmp_path)
    assert journal.changes.private(change).secrets == {}
    journal.close()


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Only its owner can read the journal's files."""
    Journal(tmp_path / "journal.db").close()
    assert (tmp_path / "journal.db").stat().st_mode & 0o077 == 0


def test_ended_changes_give_way_to_new_ones(journal: Journal) -> None:
    """The journal does not grow forever, and never drops a change that has not ended."""
    first = journal.changes.add("modem", RefreshParams(), secrets={})
    ended = journal.changes.add("modem", RefreshParams(), secrets={})
    journal.changes.save(ended.run().done(RefreshResult()))
    for _ in range(Retention().number + 1):
        last = journal.changes.add("modem", RefreshParams(), secrets={})
    with pytest.raises(NotFound):
        journal.changes.get(ended.id)
    assert journal.changes.get(first.id).state is State.QUEUED
    assert journal.changes.latest(limit=1)[0].id == last.id


def test_neither_key_nor_request_can_be_read_on_disk(tmp_path: Path, journal: Journal) -> None:
    """The stored part of a key reveals neither the key nor, by guessing, the request."""
    key = IdempotencyKey.of(7, "0c6c3b1e-KEY", request=b'"confirmation_code":"1234"')
    journal.changes.add("modem", DownloadParams(), secrets={}, key=key)
    kept = files(tmp_path)
    assert b"0c6c3b1e-KEY" not in kept
    assert hashlib.sha256(b'"confirmation_code":"1234"').digest() not in kept
    assert IdempotencyKey.of(7, "other", request=b'"confirmation_code":"1234"').request not in kept


def test_a_notification_is_kept_once(journal: Journal) -> None:
    """A notification that is read twice is stored once; other bytes under its number are another one."""

    def keep(raw: bytes) -> bool:
        return journal.notifications.keep(
            eid="89", seq=3, event="enable", address="a.b", iccid=None, raw=raw, at=1.0
        )

    assert keep(b"one")
    assert not keep(b"one")
    journal.notifications.mark_delivered(journal.notifications.all()[0].id)
    assert keep(b"other")
    older, newer = journal.notifications.all(eid="89")
    assert (older.raw, older.stage, older.displaced) == (b"one", Stage.DELIVERED, True)
    assert (newer.raw, newer.stage, newer.seq) == (b"other", Stage.PENDING, 3)


def test_a_failure_postpones_those_behind_it(journal: Journal) -> None:
    """A failed notification and the later ones for its recipient wait; only the former counts the attempt."""
    for seq in (1, 2):
        journal.notifications.keep(
            eid="89", seq=seq, event="enable", address="a.b", iccid=None, raw=b"x", at=1.0
        )
    first, second = journal.notifications.all()
    journal.notifications.mark_sending(first.id, at=2.0)
    journal.notifications.mark_failed(first.id, error="e", next_attempt_at=99.0, postponed=[second.id])
    after = journal.notifications.all()
    assert [(each.attempts, each.next_attempt_at) for each in after] == [(1, 99.0), (0, 99.0)]


def test_a_new_notification_makes_the_queue_before_it_due(journal: Journal) -> None:
    """A new notification makes the earlier ones for its recipient due, too, so that the order is kept."""
    journal.notifications.keep(eid="89", seq=1, event="enable", address="a.b", iccid=None, raw=b"x", at=1.0)
    journal.notifications.mark_failed(journal.notifications.all()[0].id, error="e", next_attempt_at=99.0)
    journal.notifications.keep(eid="89", seq=2, event="enable", address="a.b", iccid=None, raw=b"x", at=5.0)
    assert [each.next_attempt_at for each in journal.notifications.all()] == [5.0, 5.0]


FIRST_VERSION = """
CREATE TABLE changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, euicc TEXT NOT NULL, state TEXT NOT NULL,
    body BLOB NOT NULL, private BLOB
);
CREATE INDEX changes_state ON changes (state);
CREATE TABLE notifications (
    id INTEGER PRIMARY KEY AUTOINCREMENT, eid TEXT NOT NULL, seq INTEGER NOT NULL, event TEXT NOT NULL,
    address TEXT NOT NULL, iccid TEXT, raw BLOB NOT NULL, stored_at REAL NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, last_error TEXT,
    next_attempt_at REAL NOT NULL, UNIQUE (eid, seq)
);
INSERT INTO changes (euicc, state, body, private) VALUES ('modem', 'queued',
    '{"id":1,"euicc":"modem","kind":"refresh","params":{},"created_at":"2026-11-01T00:00:00Z"}',
    '{"secrets":{},"notes":{}}');
INSERT INTO notifications (eid, seq, event, address, raw, stored_at, delivered, attempts, next_attempt_at)
    VALUES ('89', 0, 'install', 'a.b', x'3000', 1.0, 0, 2, 7.0),
    ('89', 1, 'enable', 'a.b', x'3000', 1.0, 1, 1, 7.0);
PRAGMA user_version = 1;
"""


def test_a_file_of_the_first_version_opens(tmp_path: Path) -> None:
    """A journal of the first version opens, with all records and all of their fields."""
    path = tmp_path / "journal.db"
    db = sqlite3.connect(path)
    db.executescript(FIRST_VERSION)
    db.close()
    journal = Journal(path)
    assert [change.kind for change in journal.changes.unfinished("modem")] == [Kind.REFRESH]
    pending, delivered = journal.notifications.all(eid="89")
    assert (pending.seq, pending.stage, pending.attempts) == (0, Stage.PENDING, 2)
    assert delivered.stage is Stage.DELIVERED
    journal.close()
