"""Watching a reader on a real pcscd: a thread waits for a change and does not poll."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from card.link_contract import soon
from card.private_pcscd import FIRST, READER, PrivatePcscd, wait_for_cards
from card.scripted_card import ScriptedCard
from lpad.base.deadline import Deadline
from lpad.base.errors import CardUnreachable
from lpad.card.pcsc import reader_watch
from lpad.card.pcsc.reader_watch import ReaderWatch, Sight, watch_reader
from lpad.simulator.virtual_reader import VirtualReaderCard

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pcscd() -> Iterator[PrivatePcscd]:
    with PrivatePcscd() as running:
        yield running


def test_sees_a_card_come_and_go(pcscd: PrivatePcscd) -> None:
    """The first check reports the present state, and later ones wait for a change."""
    with ReaderWatch(f"{READER} *0") as watch:
        assert watch.wait_for_change(deadline=soon()) == Sight(FIRST, card=False)
        with VirtualReaderCard(ScriptedCard(), port=pcscd.port):
            assert watch.wait_for_change(deadline=soon()) == Sight(FIRST, card=True)
        assert watch.wait_for_change(deadline=soon()) == Sight(FIRST, card=False)


def test_the_deadline_ends_the_waiting(pcscd: PrivatePcscd) -> None:
    """If nothing changes, the present state is reported again at the deadline."""
    with ReaderWatch(0) as watch:
        first = watch.wait_for_change(deadline=soon())
        assert watch.wait_for_change(deadline=Deadline.after(0.05)) == first


def test_other_readers_are_ignored(pcscd: PrivatePcscd) -> None:
    """A card in another reader is not a change."""
    with ReaderWatch(FIRST) as watch:
        watch.wait_for_change(deadline=soon())
        with VirtualReaderCard(ScriptedCard(), port=pcscd.port + 1):
            wait_for_cards(present={f"{READER} 00 01"})
            assert watch.wait_for_change(deadline=Deadline.after(0.1)) == Sight(FIRST, card=False)


def test_a_reader_that_is_not_there(pcscd: PrivatePcscd) -> None:
    """A missing reader is reported as a state, and not raised as an error."""
    with ReaderWatch("Gemalto*") as watch:
        assert watch.wait_for_change(deadline=soon()) == Sight(None, card=False)


def test_closing_ends_the_waiting(pcscd: PrivatePcscd) -> None:
    """Closing a watch immediately wakes the thread that waits in it."""
    watch = ReaderWatch(FIRST)
    watch.wait_for_change(deadline=soon())
    waiting = threading.Thread(target=watch.wait_for_change, kwargs={"deadline": soon()})
    waiting.start()
    watch.close()
    waiting.join(30)
    assert not waiting.is_alive()


def test_the_end_of_pcscd_is_an_error(pcscd: PrivatePcscd) -> None:
    """Without pcscd, waiting ends immediately with an error."""
    with ReaderWatch(FIRST) as watch:
        watch.wait_for_change(deadline=soon())
        killer = threading.Timer(0.05, pcscd.kill)
        killer.start()
        with pytest.raises(CardUnreachable):
            watch.wait_for_change(deadline=soon())
        killer.join()
    with pytest.raises(CardUnreachable, match="pcscd is not running"):
        ReaderWatch(FIRST)


def test_a_card_that_stays_is_reported_once(pcscd: PrivatePcscd, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a long wait without a change is not reported as a removal of the card."""
    monkeypatch.setattr(reader_watch, "_LONG", 0.02)
    reports: queue.SimpleQueue[bool] = queue.SimpleQueue()
    with VirtualReaderCard(ScriptedCard(), port=pcscd.port):
        wait_for_cards(present={FIRST})
        end = watch_reader(FIRST, reports.put)
        assert reports.get(timeout=30)
        with pytest.raises(queue.Empty):
            reports.get(timeout=0.5)
        end()


def test_a_card_in_another_reader_is_another_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the setting now selects another reader with a card, its card replaces the earlier one."""
    sights = iter([Sight("A", card=True, events=1), Sight("B", card=True, events=1)])
    over = threading.Event()

    def wait_for_change(_: ReaderWatch, *, deadline: Deadline) -> Sight:
        del deadline
        if (sight := next(sights, None)) is not None:
            return sight
        over.wait(30)
        return Sight(None, card=False)

    monkeypatch.setattr(reader_watch, "Context", mock.Mock)
    monkeypatch.setattr(ReaderWatch, "wait_for_change", wait_for_change)
    reports: queue.SimpleQueue[bool] = queue.SimpleQueue()
    end = watch_reader(0, reports.put)
    assert [reports.get(timeout=30) for _ in range(3)] == [True, False, True]
    end()
    over.set()
