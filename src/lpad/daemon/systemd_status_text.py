"""The status line for `systemctl status`: cards, changes, and problems that need attention."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from lpad.api.request.settings_file_state import Configuration
from lpad.daemon import systemd
from lpad.engine.change.change import State
from lpad.engine.change.event_subscriptions import PROGRESS
from lpad.engine.snapshot.snapshot import CardState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lpad.engine.change.change import Change
    from lpad.engine.engine import Engine
    from lpad.engine.journal.file.writability import JournalHealth
    from lpad.engine.snapshot.snapshot import Snapshot


class Status:
    """Informs the service manager when an event changes the status line; belongs to one event loop."""

    def __init__(self, engine: Engine) -> None:
        """Begin to listen to the engine's events, in the running event loop."""
        self._engine = engine
        self._loop = asyncio.get_running_loop()
        self._configuration = Configuration()
        self._told = ""
        self._due = False
        self._news = engine.subscribe(self._wake, ignored=PROGRESS)

    def configured(self, configuration: Configuration) -> None:
        """Show the state of the settings in the status line."""
        self._configuration = configuration
        self._tell()

    def line(self) -> str:
        """Return the present status line."""
        return status_line(
            self._engine.snapshots(),
            self._engine.under_way(),
            self._configuration,
            journal=self._engine.journal,
            clock_set=self._engine.clock_set,
        )

    def _wake(self) -> None:
        """Schedule an update; called from any thread, once for many events."""
        if not self._due:
            self._due = True
            with suppress(RuntimeError):  # the event loop has ended before the engine
                self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self._due = False
        self._news.take()
        line = self.line()
        if line != self._told:
            self._told = line
            systemd.notify(f"STATUS={line}")


def status_line(
    snapshots: Iterable[Snapshot],
    changes: Iterable[Change],
    configuration: Configuration,
    *,
    journal: JournalHealth,
    clock_set: bool = True,
) -> str:
    """Return a line such as `2 eUICCs ready, 1 absent; change 7 (download) runs`."""
    counts = Counter(snapshot.state for snapshot in snapshots)
    states = [state for state in CardState if counts[state]]
    cards = [f"{counts[state]} {state}" for state in states]
    if cards:
        number, _, state = cards[0].partition(" ")
        cards[0] = f"{number} eUICC{'s' if number != '1' else ''} {state}"
    parts = [", ".join(cards) or "no card is configured; run 'lpad setup'"]
    for change in changes:
        question, pause = change.question, change.pause
        awaited = f" for {question.kind}" if question is not None else f" ({pause.reason})" if pause else ""
        does = f"waits{awaited}" if change.state is State.WAITING else "runs"
        parts.append(f"change {change.id} ({change.kind}) {does}")
    if not journal.ok:
        parts.append(f"the journal is {journal.state}, so lpad changes no card")
    if not clock_set:
        parts.append("the clock is not set, so lpad contacts no server")
    if configuration.restart_needed:
        parts.append(f"restart needed for {', '.join(configuration.restart_needed)}")
    if configuration.error is not None:
        parts.append(f"the settings file is wrong: {configuration.error.splitlines()[0]}")
    return "; ".join(parts)
