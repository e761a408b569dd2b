"""The gauges also count the changes of cards that the settings no longer list."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lpad.engine.change.change import Failure, Pause, PauseReason
from lpad.engine.change.event_subscriptions import Hub
from lpad.engine.change.params import EnableParams
from lpad.engine.journal import Journal
from lpad.engine.running.change_store import ChangeStore
from lpad.engine.running.metric_counters import Counters
from lpad.engine.running.metric_gauges import Gauges

if TYPE_CHECKING:
    from pathlib import Path


def test_a_paused_change_of_a_removed_card_is_counted(tmp_path: Path) -> None:
    """A change that waits for another attempt counts, even if its card was just removed from the settings."""
    with closing(Journal(tmp_path / "journal.db")) as journal:
        store = ChangeStore(journal, Hub(), Counters())
        change = store.add("removed", EnableParams(iccid="8900101000000000017"), secrets={})
        error = Failure(kind="unreachable", sentence="the server cannot be reached")
        pause = Pause(
            reason=PauseReason.NETWORK, since=datetime(2026, 1, 1, tzinfo=UTC), retry_at=None, error=error
        )
        store.show(change.paused(pause))
        gauges = Gauges(store, journal, snapshots=list)
        assert gauges.paused() == {("removed", PauseReason.NETWORK.value): 1}
        assert gauges.unfinished() == {"removed": 1}
