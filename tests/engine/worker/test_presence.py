"""The times at which an absent card is tried again."""

from __future__ import annotations

import time

import pytest

from lpad.engine.worker import presence
from lpad.engine.worker.presence import Presence

LATER = 3600.0


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch) -> Presence:
    """A presence during its first check; the first pause is one hour, and the later ones are two."""
    monkeypatch.setattr(presence, "REOPENING", (LATER, 2 * LATER))
    looking = Presence()
    looking.begins()
    return looking


def due_in(looking: Presence) -> float:
    assert looking.looks_at is not None
    return looking.looks_at - time.monotonic()


def test_without_news_the_next_check_is_put_off(looking: Presence) -> None:
    """After a failed check, lpad tries the card again only after the first pause."""
    looking.missed()
    assert LATER / 2 < due_in(looking) <= LATER


def test_news_while_a_look_continues_are_not_lost(looking: Presence) -> None:
    """If the port is released during a failing check, lpad tries the card immediately, but only once."""
    looking.look_now()
    looking.missed()
    assert due_in(looking) <= 0
    looking.begins()
    looking.missed()
    assert due_in(looking) > LATER / 2


def test_a_card_that_another_serves_is_looked_at_as_rarely_as_any(looking: Presence) -> None:
    """The next check of a card that another worker serves comes after the longest pause."""
    looking.missed(served=True)
    assert due_in(looking) > LATER


def test_a_new_reason_begins_with_the_short_pauses(looking: Presence) -> None:
    """After a new report or error, the first pause applies again, followed by the second."""
    for _ in range(3):
        looking.begins()
        looking.missed()
    assert due_in(looking) > LATER
    looking.begin_again()
    assert LATER / 2 < due_in(looking) <= LATER
    looking.begins()
    looking.missed()
    assert due_in(looking) > LATER


def test_reports_on_the_port(looking: Presence) -> None:
    """A port's disappearance is timed; an absent card's new port is tried immediately."""
    looking.found()
    went = []
    for there in (True, False, False):
        looking.port_seen(there=there)
        went.append(looking.port_went_at)
    assert went[0] is None
    assert went[1] is not None
    assert went[2] == went[1]
    assert looking.take_news() is False
    looking.begins()
    looking.missed()
    looking.port_seen(there=False)
    assert due_in(looking) > LATER / 2
    looking.port_seen(there=True)
    assert due_in(looking) <= 0
