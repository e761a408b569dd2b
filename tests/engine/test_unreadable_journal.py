"""A journal that can be neither read nor written: the card is shown, and its lists are errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from engine.lab import CARD, FROM_DEFAULT_SMDP, Lab
from lpad.base.errors import JournalUnavailable
from lpad.engine.change.change import Kind
from lpad.engine.journal import Journal
from lpad.engine.snapshot.snapshot import CardState

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def away(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a missing journal, as on a disk that is not mounted."""
    folder = lab.folder / "not-mounted"
    monkeypatch.setattr(lab, "journal", lambda: Journal(folder / "journal.db"))
    return folder


def test_the_card_is_shown_and_lists_are_errors(lab: Lab, away: Path) -> None:
    """Without a journal, lpad shows the card; changes and notifications are errors, not empty lists."""
    lab.start(replace(lab.port, provisioning=FROM_DEFAULT_SMDP))
    lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
    for read in (
        lab.engine.changes,
        lambda: lab.engine.card(CARD).notifications(),
        lambda: lab.engine.change(1),
    ):
        with pytest.raises(JournalUnavailable):
            read()
    with pytest.raises(JournalUnavailable):
        lab.submit(Kind.REFRESH)
    assert lab.engine.alive
    assert lab.engine.gauges.unsent() == {}
    assert not lab.engine.journal.ok


def test_a_journal_is_used_once_it_is_there(lab: Lab, away: Path) -> None:
    """Once the journal can be used, new changes are accepted."""
    lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
    away.mkdir()
    assert lab.engine._journal.try_again()
    assert lab.carry_out(Kind.REFRESH).error is None
