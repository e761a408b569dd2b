"""Named listeners: their events count as awaited, their number is limited, and no change waits for them."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from engine.test_full_disk import no_space
from lpad.base.errors import Conflict, InvalidValue, NotFound, NotPermitted
from lpad.engine.change.steady_clock import Moment, SteadyClock
from lpad.engine.events import event_types
from lpad.engine.events.event_data import CardData
from lpad.engine.events.happening import Happening
from lpad.engine.journal import Journal
from lpad.engine.listeners import listeners as module
from lpad.engine.listeners.listeners import (
    FORGOTTEN_AFTER,
    KEPT_EVERY,
    MOST,
    MOST_OF_A_USER,
    Asker,
    Listeners,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USER, OTHER, ADMIN = Asker(user=1001, admin=False), Asker(user=1002, admin=False), Asker(user=0, admin=True)
FAULTY = Happening(type=event_types.CARD_FAULTY, data=CardData(euicc="modem", cause="test"))
NAME = "lpad-mqtt"


class Runs:
    """Lpad's running time, which a test sets; the wall clock may show anything."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.wall = 1_800_000_000.0

    def clock(self) -> SteadyClock:
        return SteadyClock(
            read=lambda: Moment(wall=self.wall, boot=self.seconds, boot_id="one"),
            running=lambda: self.seconds,
        )


@pytest.fixture
def runs() -> Runs:
    return Runs()


@pytest.fixture
def journal(tmp_path: Path, runs: Runs) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "journal.db", clock=runs.clock())) as made:
        yield made


def listening(journal: Journal) -> Listeners:
    """Return the listeners of a journal, as the engine has them."""
    made = Listeners(journal)
    journal.events.awaited_by = [lambda number, _: made.awaits(number)]
    made.load()
    return made


def commits(journal: Journal) -> list[str]:
    """Return a list to which each commit of the journal is added."""
    seen: list[str] = []
    changes: Any = journal.changes
    changes._database._db.set_trace_callback(lambda said: seen.append(said) if said == "COMMIT" else None)
    return seen


def test_unacknowledged_events_are_awaited(journal: Journal) -> None:
    """A full outbox counts and reports dropped events that were not acknowledged, but does not grow."""
    journal.events.most = 100
    made = listening(journal)
    journal.events.record([FAULTY] * 101)
    assert journal.events.dropped() == {}
    assert made.connect(NAME, USER, after=60) == 60
    journal.events.record([FAULTY] * 50)
    assert journal.events.dropped() == {}
    assert made.acknowledge(NAME, USER, position=80).position == 80
    journal.events.record([FAULTY] * 30)
    assert journal.events.dropped()[event_types.CARD_FAULTY.name] > 0
    kept = journal.events.after(0, limit=999)
    assert len(kept) <= 100
    assert event_types.EVENTS_DROPPED.name in {each.type for each in kept}
    made.forget(NAME, USER)
    before = journal.events.dropped()
    journal.events.record([FAULTY] * 200)
    assert journal.events.dropped() == before


def test_positions_survive_restarts(tmp_path: Path) -> None:
    """Positions survive restarts; a connection may set an earlier one, acknowledgements only later ones."""
    path = tmp_path / "journal.db"
    with closing(Journal(path)) as journal:
        made = listening(journal)
        journal.events.record([FAULTY] * 10)
        assert made.connect(NAME, USER, after=None) == 10
        assert made.connect("all", USER, after=0) == 0
        made.acknowledge("all", USER, position=4)
        made.close()
    with closing(Journal(path)) as journal:
        made = listening(journal)
        found = {each.name: (each.position, each.pending) for each in made.all()}
        assert found == {NAME: (10, 0), "all": (4, 6)}
        assert made.connect("all", USER, after=None) == 4
        assert made.connect("all", USER, after=2) == 2
        assert made.acknowledge("all", USER, position=1).position == 2
        with pytest.raises(InvalidValue, match="no event 11 yet"):
            made.acknowledge("all", USER, position=11)
        assert made.connect("all", USER, after=999) == 0  # The number is of another journal.


@pytest.mark.parametrize("name", ["", "A", ".a", "a b", "a/b", "a" * 33, "ä", "a\n"])
def test_a_name_is_bounded(journal: Journal, name: str) -> None:
    """A listener's name must be short, and safe in a path, a log and a metric."""
    with pytest.raises(InvalidValue, match="1 to 32"):
        listening(journal).connect(name, ADMIN, after=None)


def test_the_number_is_bounded(journal: Journal) -> None:
    """Listeners are limited per user and in total; known names need no place, forgotten ones free theirs."""
    made = listening(journal)
    for number in range(MOST_OF_A_USER):
        made.connect(f"u{number}", USER, after=None)
    with pytest.raises(Conflict, match="DELETE /v1/listeners/NAME") as refused:
        made.connect("more", USER, after=None)
    assert refused.value.details == {"limit": MOST_OF_A_USER}
    made.connect("u0", USER, after=None)
    made.forget("u1", USER)
    made.connect("more", USER, after=None)
    for number in range(MOST - MOST_OF_A_USER):
        made.connect(f"root{number}", ADMIN, after=None)
    with pytest.raises(Conflict) as full:
        made.connect("root-more", ADMIN, after=None)
    assert full.value.details == {"limit": MOST}
    assert len(made.all()) == MOST


def test_a_listener_belongs_to_its_user(journal: Journal) -> None:
    """A user cannot move or forget another user's listener; an administrator can."""
    made = listening(journal)
    made.connect(NAME, USER, after=None)
    with pytest.raises(NotPermitted, match="belongs to user 1001"):
        made.connect(NAME, OTHER, after=0)
    with pytest.raises(NotPermitted):
        made.acknowledge(NAME, OTHER, position=0)
    with pytest.raises(NotPermitted):
        made.forget(NAME, OTHER)
    assert made.connect(NAME, ADMIN, after=None) == 0
    assert made.forget(NAME, ADMIN).user == USER.user
    with pytest.raises(NotFound, match="existing listeners: none"):
        made.acknowledge(NAME, USER, position=0)


def test_a_connected_listener_is_not_forgotten(journal: Journal) -> None:
    """Forgetting a connected listener is refused, because it would return with its next connection."""
    made = listening(journal)
    made.connect(NAME, USER, after=None)
    with made.listening(NAME):
        with pytest.raises(Conflict, match="stop its program first"):
            made.forget(NAME, ADMIN)
        assert [each.name for each in made.all()] == [NAME]
    made.forget(NAME, USER)
    assert made.all() == []


def test_a_long_absence_ends_a_listener(journal: Journal, runs: Runs) -> None:
    """A listener ends after a long absence in lpad's running time; a connected one stays."""
    made = listening(journal)
    made.connect("here", USER, after=None)
    made.connect("away", USER, after=None)
    with made.listening("here"):
        runs.wall += 10 * FORGOTTEN_AFTER
        assert [each.name for each in made.all()] == ["away", "here"]
        runs.seconds += FORGOTTEN_AFTER - 1
        away, here = made.all()
        assert (away.absent, away.connected) == (FORGOTTEN_AFTER - 1, False)
        assert (here.absent, here.connected) == (0, True)
        runs.seconds += 2
        assert [each.name for each in made.all()] == ["here"]
    assert [each.absent for each in made.all()] == [0]
    assert made.connect("away", OTHER, after=None) == 0


def test_no_listener_keeps_the_journal_busy(journal: Journal, runs: Runs) -> None:
    """However often a listener acknowledges, comes and goes, there is one commit in ten seconds."""
    journal.events.record([FAULTY] * 100)
    made = listening(journal)
    seen = commits(journal)
    for number in range(100):
        made.connect(NAME, USER, after=number)
        made.acknowledge(NAME, USER, position=number)
        made.forget(NAME, USER)
    assert len(seen) == 1
    made.connect(NAME, USER, after=7)
    runs.seconds += KEPT_EVERY
    made.close()
    assert len(seen) == 2
    assert [each.position for each in listening(journal).all()] == [7]


def test_an_unwritten_acknowledgement_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An acknowledgement that was not written immediately is written later, without another request."""
    monkeypatch.setattr(module, "KEPT_EVERY", 0.5)
    with closing(Journal(tmp_path / "journal.db")) as journal:
        made = listening(journal)
        made.connect(NAME, USER, after=None)
        made.forget(NAME, USER)
        assert made.all() == []
        end = time.monotonic() + 30
        while listening(journal).all():
            assert time.monotonic() < end
            time.sleep(0.05)


def test_a_full_disk_ends_no_listener(tmp_path: Path) -> None:
    """On a full disk, a listener continues from memory, and its position is written once there is space."""
    path = tmp_path / "journal.db"
    with closing(Journal(path)) as journal:
        journal.events.record([FAULTY] * 3)
        made = listening(journal)
        with no_space(tmp_path / "journal.db-wal"):
            assert made.connect(NAME, USER, after=1) == 1
            assert made.acknowledge(NAME, USER, position=2).pending == 1
        made.close()
    with closing(Journal(path)) as journal:
        assert [each.position for each in listening(journal).all()] == [2]


def test_the_latest_event_can_be_acknowledged(journal: Journal) -> None:
    """The latest event can be acknowledged; a later number cannot."""
    made = listening(journal)
    made.connect(NAME, USER, after=None)
    journal.events.record([FAULTY])
    acknowledged = made.acknowledge(NAME, USER, position=1)
    assert (acknowledged.position, acknowledged.pending) == (1, 0)
    assert (made.awaits(1), made.awaits(2)) == (False, True)
    with pytest.raises(InvalidValue):
        made.acknowledge(NAME, USER, position=2)
