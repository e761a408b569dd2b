"""The limit on restarts of a modem, with a clock that the test moves."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from engine.clocks import DAY, Clocks
from lpad.base.errors import JournalUnavailable
from lpad.engine.change.event_subscriptions import Hub
from lpad.engine.journal import Journal
from lpad.engine.running.card.modem_restart_limit import MOST, PAUSES, ModemRestartLimit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def journal(tmp_path: Path, clocks: Clocks) -> Iterator[Journal]:
    kept = Journal(tmp_path / "journal.db", clock=clocks.clock())
    yield kept
    kept.close()


def resets_of(journal: Journal) -> ModemRestartLimit:
    """Return the restart limit that a daemon would have if it started now with this journal."""
    return ModemRestartLimit("modem", journal=journal, hub=Hub())


def climb(resets: ModemRestartLimit) -> bool:
    if not resets.ascend():
        return False
    resets.taken("radio-cycle")
    resets.taken("modem-reset")
    return True


def test_a_modem_that_nothing_helps_is_left_alone_in_the_end(journal: Journal, clocks: Clocks) -> None:
    """In a year of requests, lpad restarts a modem no more often than the limit, at growing intervals."""
    resets = resets_of(journal)
    at = []
    for _ in range(365 * 24 * 6):
        if climb(resets):
            at.append(clocks.read().boot)
        clocks.pass_by(600)
    assert len(at) == MOST
    gaps = [later - earlier for earlier, later in itertools.pairwise(at)]
    assert gaps == sorted(gaps)
    assert all(gap >= pause for gap, pause in zip(gaps, PAUSES, strict=True))
    assert resets.state.exhausted
    assert resets.seconds_left is None
    assert "will not restart it again" in resets.sentence


def test_a_crash_loop_is_bound_too(journal: Journal, clocks: Clocks) -> None:
    """A daemon that dies after each restart of the modem counts its predecessors' restarts."""
    climbed = 0
    for _ in range(50):
        climbed += resets_of(journal).ascend()
        clocks.pass_by(5)
    assert climbed == 3
    assert resets_of(journal).state.times == 3


@pytest.mark.parametrize("wall", [0.0, None], ids=["a board that starts at 1970", "a clock that continues"])
def test_a_device_that_reboots_again_and_again_is_bound_too(
    tmp_path: Path, clocks: Clocks, wall: float | None
) -> None:
    """Reboots of the device do not reset the count of restarts, even if the time between is lost."""
    climbed = 0
    for _ in range(100):
        kept = Journal(tmp_path / "journal.db", clock=clocks.clock())
        kept.start()
        climbed += resets_of(kept).ascend()
        clocks.pass_by(60)
        kept.close()
        clocks.reboot(wall=wall)
    assert 3 <= climbed <= MOST


def test_restarts_that_helped_are_not_counted(journal: Journal, clocks: Clocks) -> None:
    """A modem that reads the card after each restart may be restarted with each switch."""
    resets = resets_of(journal)
    for _ in range(50):
        assert climb(resets)
        resets.helped()
    assert resets.state.times == 0
    assert resets_of(journal).state.times == 0


def test_a_users_restart_resets_the_count(journal: Journal, clocks: Clocks) -> None:
    """After a user's restart of the modem, lpad may restart it again."""
    resets = resets_of(journal)
    for _ in range(MOST):
        assert climb(resets)
        clocks.pass_by(DAY)
    assert not climb(resets)
    resets.ordered()
    assert climb(resets)


def test_the_sentence_has_the_time_of_the_next_restart(journal: Journal, clocks: Clocks) -> None:
    """The error states the number of restarts, the time of the next, and the command for one now."""
    resets = resets_of(journal)
    for _ in range(3):
        assert climb(resets)
    assert not climb(resets)
    assert resets.state.steps == 6
    assert resets.state.last_step == "modem-reset"
    assert resets.seconds_left == PAUSES[2]
    assert "3 times" in resets.sentence
    assert "lpactl restart-modem" in resets.sentence
    clocks.pass_by(PAUSES[2])
    assert climb(resets)


def test_each_step_is_published(journal: Journal, clocks: Clocks) -> None:
    """Each step of a modem's restart is published as an event."""
    hub = Hub()
    subscription = hub.subscribe(lambda: None)
    resets = ModemRestartLimit("modem", journal=journal, hub=hub)
    climb(resets)
    told = [event for event in subscription.take() if event.type == "modem-restarts"]
    assert [event.data["modem_restarts"]["steps"] for event in told] == [0, 1, 2]  # type: ignore[index,call-overload]  # JSON


def test_without_a_journal_only_a_switch_continues(
    journal: Journal, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the count cannot be written, only a switch may restart the modem, within a limit in memory."""

    def full(*_: object) -> None:
        raise JournalUnavailable("full", reason="full")

    resets = resets_of(journal)
    monkeypatch.setattr(journal.memos, "put", full)
    assert not resets.ascend(unwritten=False)
    assert resets.state.times == 0
    assert [resets.ascend() for _ in range(5)].count(True) == 3
