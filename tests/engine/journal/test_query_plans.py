"""The journal's statements find their rows by an index: their cost does not grow with the history."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from lpad.base.errors import CardUnreachable
from lpad.engine.change.idempotency import IdempotencyKey
from lpad.engine.change.params import DownloadParams, EnableParams
from lpad.engine.events.event_data import ProfileData
from lpad.engine.events.event_types import PROFILE_ENABLED
from lpad.engine.events.happening import Happening
from lpad.engine.journal import Journal, Retention

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ICCID = "8900101000000000017"
WHOLE_TABLES = {
    "notifications": "only undelivered notifications have a row",
    "tried": "another name of notifications in one statement",
    "sqlite_sequence": "has a row for each table",
    "events": "read whole only if the outbox is full, whose size is limited",
}
"""Tables that a statement may read completely, and why."""


class Traced:
    """A journal, and the statements that were carried out on it since `forget`."""

    def __init__(self, path: Path) -> None:
        self.journal = Journal(path, retention=Retention(number=4))
        self._connection = self.journal._database._db
        self._statements: list[str] = []
        self._connection.set_trace_callback(self._statements.append)

    def forget(self) -> None:
        self._statements.clear()

    def plans(self) -> Iterator[tuple[str, str]]:
        """Yield each distinct statement on a table with each line of its plan."""
        self._connection.set_trace_callback(None)
        for statement in dict.fromkeys(self._statements):
            if statement.split()[0] in ("SELECT", "UPDATE", "DELETE"):
                for *_, line in self._connection.execute(f"EXPLAIN QUERY PLAN {statement}"):
                    yield statement, line


@pytest.fixture
def traced(tmp_path: Path) -> Iterator[Traced]:
    made = Traced(tmp_path / "journal.db")
    yield made
    made.journal.close()


def work(journal: Journal) -> None:
    """Make each call of the journal that a running daemon makes."""
    key, another = (IdempotencyKey.of(0, uuid.uuid4().hex, request=b"request") for _ in range(2))
    changes = journal.changes
    for _ in range(6):
        change = changes.add("modem", DownloadParams(), secrets={"activation_code": "LPA:1$a.b$C"})
        changes.save(change.run())
        changes.save(change.run().failed(CardUnreachable("gone")))
    change = changes.add("modem", EnableParams(iccid=ICCID), secrets={}, key=key)
    journal.requests.change_id(key)
    journal.requests.add(another, change.id)
    changes.private(change)
    changes.get(change.id)
    changes.ended_at(change.id)
    for euicc in (None, "modem"):
        for before in (None, change.id):
            changes.latest(euicc=euicc, before=before, limit=20)
    journal.memos.put("name", 1)
    journal.memos.get("name", int)
    journal.memos.names("na")
    journal.memos.drop("name")
    outbox = journal.notifications
    outbox.keep(eid="89", seq=0, event="enable", address="a.b", iccid=None, raw=b"\x30\x00", at=1.0)
    (kept,) = outbox.all(eid="89")
    outbox.count()
    outbox.mark_sending(kept.id, at=1.0)
    outbox.mark_failed(kept.id, error="unreachable: no", next_attempt_at=2.0)
    outbox.make_due(at=1.5)
    outbox.retry(kept.id, at=1.0)
    outbox.drop(kept.id)
    data = ProfileData(euicc="modem", iccid=ICCID, change=change.id)
    journal.events.record([Happening(type=PROFILE_ENABLED, data=data)])
    journal.events.after(0, limit=10)
    journal.events.last()


def test_no_statement_reads_a_table_from_end_to_end(traced: Traced) -> None:
    """No statement scans a whole table: lists, single rows, writes and trimming use an index."""
    work(traced.journal)
    traced.forget()
    work(traced.journal)
    seen = list(traced.plans())
    assert len({statement for statement, _ in seen}) > 20
    scans = [
        (line, statement)
        for statement, line in seen
        if line.startswith("SCAN") and line.split()[1].removeprefix("main.") not in WHOLE_TABLES
    ]
    assert scans == []


def test_a_page_of_the_history_is_not_sorted(traced: Traced) -> None:
    """The rows of a page come in order from an index, so reading ends after the page."""
    work(traced.journal)
    pages = [line for statement, line in traced.plans() if "ORDER BY id DESC" in statement]
    assert len(pages) == 4
    assert [line for line in pages if "TEMP B-TREE" in line] == []


def test_unfinished_changes_are_found_by_their_state(traced: Traced) -> None:
    """Unfinished changes are found by an index, so that a start reads no ended change."""
    traced.journal.changes.unfinished()
    traced.journal.changes.unfinished("modem")
    lines = [line for _, line in traced.plans()]
    assert [line for line in lines if line.startswith("SEARCH")] == [
        "SEARCH main.changes USING INDEX changes_state (state=?)"
    ] * 2
    assert [line for line in lines if line.startswith("SCAN")] == []
