"""The line that `systemctl status lpad` shows."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from lpad.api.request.settings_file_state import Configuration
from lpad.daemon.systemd_status_text import Status, status_line
from lpad.engine.change.event_subscriptions import Hub
from lpad.engine.journal import Journal
from lpad.engine.journal.file.writability import JournalHealth, JournalState

if TYPE_CHECKING:
    from pathlib import Path

NO_CARD = "no card is configured; run 'lpad setup'"


def test_without_a_card() -> None:
    """If no card is configured, the status line names the remedy."""
    assert status_line((), (), Configuration(), journal=JournalHealth()) == NO_CARD


def test_a_journal_that_cannot_be_written(tmp_path: Path) -> None:
    """If the journal cannot be written, the status line names its state and the consequence."""
    journal = Journal(tmp_path / "missing" / "journal.db")
    line = status_line((), (), Configuration(), journal=journal.health)
    assert line == f"{NO_CARD}; the journal is unwritable, so lpad changes no card"
    health = JournalHealth(state=JournalState.READ_ONLY)
    assert "; the journal is read-only, so" in status_line((), (), Configuration(), journal=health)
    journal.close()


def test_a_clock_that_is_not_set() -> None:
    """If the clock is not set, the status line reports that lpad contacts no server."""
    line = status_line((), (), Configuration(), journal=JournalHealth(), clock_set=False)
    assert line == f"{NO_CARD}; the clock is not set, so lpad contacts no server"


def test_the_bytes_of_a_download_wake_nothing() -> None:
    """The line is due after each event, except for a download's reports on bytes, which it does not show."""
    hub = Hub()

    async def events() -> list[bool]:
        status = Status(cast("Any", SimpleNamespace(subscribe=hub.subscribe)))
        due = []
        for type_ in ("progress", "change"):
            hub.publish(type_, {})
            due.append(status._due)
        status._news.close()
        return due

    assert asyncio.run(events()) == [False, True]
