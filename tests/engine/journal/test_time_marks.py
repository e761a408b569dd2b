"""The steady clock across restarts: its marks in the journal, and the ages that follow from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.clocks import DAY, TODAY, YEAR, Clocks
from lpad.base.errors import NotFound
from lpad.engine.change.idempotency import IdempotencyKey
from lpad.engine.change.params import RefreshParams
from lpad.engine.change.results import RefreshResult
from lpad.engine.change.steady_clock import EARLIEST
from lpad.engine.journal import Journal, Retention

if TYPE_CHECKING:
    from pathlib import Path

KEEP = Retention(number=100, days=30)
KEY = IdempotencyKey.of(0, "the request's", request=b"")


def opened(folder: Path, clocks: Clocks) -> Journal:
    """Return the journal, opened as lpad opens it at its start."""
    journal = Journal(folder / "journal.db", retention=KEEP, clock=clocks.clock())
    journal.start()
    return journal


def ended(journal: Journal, key: IdempotencyKey | None = None) -> int:
    """Add a change that has ended; return its number."""
    change = journal.changes.add("modem", RefreshParams(), secrets={}, key=key)
    journal.changes.save(change.run().done(RefreshResult()))
    return change.id


def test_the_steady_time_continues_after_a_restart(tmp_path: Path) -> None:
    """A reopened journal shows the same steady time as before, plus the time since."""
    clocks = Clocks(wall=100.0)
    journal = opened(tmp_path, clocks)
    clocks.pass_by(3600)
    before = journal.clock.now()
    journal.close()
    clocks.pass_by(60)
    clocks.wall = TODAY
    journal = opened(tmp_path, clocks)
    assert journal.clock.now().since(before.steady) == pytest.approx(60)
    assert journal.clock.now().ran == pytest.approx(before.ran)
    journal.close()


def test_a_killed_lpad_loses_little(tmp_path: Path) -> None:
    """After a kill, the steady clock continues from the latest mark, which is written with changes."""
    clocks = Clocks()
    journal = opened(tmp_path, clocks)
    clocks.pass_by(3600)
    ended(journal)
    at = journal.clock.now()
    clocks.pass_by(5)
    journal._database.close()
    clocks.reboot(wall=100.0)
    again = opened(tmp_path, clocks)
    assert again.clock.now().since(at.steady) == pytest.approx(20)
    assert again.clock.now().ran == pytest.approx(3600)
    again.close()


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("jump", [2 * YEAR, -YEAR, -TODAY])
def test_a_clock_that_jumps_forgets_nothing(tmp_path: Path, jump: float, *, restarted: bool) -> None:
    """History and keys of requests stay while the clock is years ahead, and when it is right again."""
    clocks = Clocks()
    journal = opened(tmp_path, clocks)
    first = ended(journal, KEY)
    for change in (jump, -jump):
        if restarted:
            journal.close()
            clocks.reboot(wall=clocks.wall + change)
            journal = opened(tmp_path, clocks)
        else:
            clocks.wall += change
        ended(journal)
        assert journal.requests.change_id(KEY) == first
    assert len(journal.changes.latest()) == 3
    journal.close()


def test_changes_grow_old_with_the_time_that_passes(tmp_path: Path) -> None:
    """A change is removed a fixed number of days after its end, with the keys that led to it."""
    clocks = Clocks()
    journal = opened(tmp_path, clocks)
    first = ended(journal, KEY)
    clocks.pass_by(30 * DAY - 60)
    ended(journal)
    assert journal.requests.change_id(KEY) == first
    clocks.pass_by(120)
    ended(journal)
    assert journal.requests.change_id(KEY) is None
    with pytest.raises(NotFound):
        journal.changes.get(first)
    journal.close()


def test_a_journal_without_marks_under_a_wrong_clock(tmp_path: Path) -> None:
    """An lpad that is updated while the clock is two years ahead keeps the history."""
    clocks = Clocks()
    journal = Journal(tmp_path / "journal.db", retention=KEEP, clock=clocks.clock())
    first = ended(journal)
    with journal._database.writing() as db:
        db.execute("DELETE FROM memos")
        db.execute("UPDATE changes SET ended_at = ?", (TODAY,))
    journal.close()
    clocks.reboot(wall=TODAY + 2 * YEAR)
    journal = opened(tmp_path, clocks)
    ended(journal)
    assert journal.changes.get(first).id == first
    journal.close()


@pytest.mark.parametrize("damaged", ["", "{}", '{"wall":0,"boot":0,"boot_id":"","steady":-1e300,"ran":0}'])
def test_a_damaged_mark(tmp_path: Path, damaged: str) -> None:
    """An impossible mark is ignored, and the steady clock begins again."""
    clocks = Clocks()
    journal = opened(tmp_path, clocks)
    journal.close()
    journal = Journal(tmp_path / "journal.db", clock=clocks.clock())
    with journal._database.writing() as db:
        db.execute("UPDATE memos SET value = ?", (damaged,))
    journal.close()
    journal = opened(tmp_path, clocks)
    assert journal.clock.now().steady > EARLIEST
    journal.close()
