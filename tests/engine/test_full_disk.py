"""A full disk: new changes are refused, ended ones stay ended, and all continue once there is space."""

from __future__ import annotations

import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from engine.lab import CARD, FIRST, Lab
from lpad.base.backoff import Backoff
from lpad.base.errors import InternalError, JournalUnavailable
from lpad.engine.change.change import Kind, PauseReason, QuestionKind, State
from lpad.engine.change.params import RefreshParams, RenameParams
from lpad.engine.journal import Journal, write_retry
from lpad.engine.running.change_question_answer import Answer
from lpad.engine.snapshot.snapshot import CardState
from lpad.engine.worker.queue import awaiting_retry, retry_rules
from lpad.engine.worker.queue.retry_rules import Course
from lpad.simulator.smdp.functions.faults import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.engine.change.change import Change


SMALL = 32 * 1024
"""Bytes: more than each file of the card's memory, and less than the journal's file and its log have each.

The journal is reopened while it cannot be written, and its log is emptied into its file if that may grow.
Then a limit of the log's own size leaves space, and a download continues.
"""


@contextmanager
def no_space(beyond: Path | int = 0) -> Iterator[None]:
    """Let no file of this process grow beyond a number of bytes, or a file's size, as on a full disk."""
    limit = beyond if isinstance(beyond, int) else beyond.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_journal_can_be_written_again_once_there_is_space(tmp_path: Path) -> None:
    """A transaction that fails halfway, or at its end, leaves nothing that blocks the next one."""
    journal = Journal(tmp_path / "journal.db")
    change = journal.changes.add("modem", RefreshParams(), secrets={})
    for _ in range(3):
        with no_space(), pytest.raises(JournalUnavailable) as caught:
            journal.changes.add(
                "modem", RenameParams(iccid="8900101000000000017", nickname="y" * 20000), secrets={}
            )
        assert caught.value.details["reason"] == "journal-unwritable"
    journal.changes.save(change.run())
    assert [each.state for each in journal.changes.latest()] == [State.RUNNING]
    journal.close()


def test_a_change_that_ends_while_the_disk_is_full_has_ended(lab: Lab) -> None:
    """A change that ends on a full disk is shown as ended immediately; its end is written later."""
    order = lab.order()
    asked = lab.submit(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)}, confirm=True)
    assert lab.asked(asked.id).question is not None
    with no_space():
        lab.engine.cancel(asked.id)
        assert lab.ended(asked.id).state is State.CANCELLED
        with pytest.raises(InternalError):
            lab.submit(Kind.REFRESH)
        assert lab.engine.snapshot(CARD).state is CardState.READY
    assert lab.carry_out(Kind.REFRESH).state is State.DONE
    lab.stop()
    journal = lab.journal()
    assert journal.changes.unfinished() == []
    assert journal.changes.get(asked.id).state is State.CANCELLED
    assert journal.changes.private(asked).secrets == {}
    journal.close()


def test_an_answer_reaches_the_worker_though_it_cant_be_written(lab: Lab) -> None:
    """A caller's answer is carried out immediately, even if it cannot be written to the journal."""
    order = lab.order()
    asked = lab.submit(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)}, confirm=True)
    question = lab.asked(asked.id).question
    assert question is not None
    assert question.kind is QuestionKind.CONSENT
    with no_space():
        lab.engine.answer(asked.id, Answer(decision="postpone"))
        ended = lab.ended(asked.id)
    assert ended.error is not None
    assert ended.error.kind == "declined"


def test_nothing_irreversible_is_done_that_cant_be_written_down(lab: Lab) -> None:
    """If the caller accepts a profile while the disk is full, the download fails, and installs nothing."""
    order = lab.order()
    asked = lab.submit(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)}, confirm=True)
    lab.asked(asked.id)
    with no_space(SMALL):  # The card's own memory has space.
        lab.engine.answer(asked.id, Answer(decision="accept"))
        ended = lab.ended(asked.id)
    assert ended.state is State.FAILED
    assert lab.card.profiles == ()
    change = lab.carry_out(Kind.REFRESH)
    assert change.state is State.DONE, change.error
    assert FIRST not in {profile.iccid for profile in lab.engine.snapshot(CARD).profiles}


SOON = {course: Backoff((0.3,)) for course in retry_rules.BACKOFF} | {Course.JOURNAL: Backoff((3600.0,))}
"""The waits between two attempts: 0.3 seconds, but an hour after a failure of the journal."""


def download(lab: Lab, **params: bool) -> Change:
    """Request a download that is retried for hours; return the change."""
    code = lab.code(lab.order())
    return lab.submit(Kind.DOWNLOAD, secrets={"activation_code": code}, retry_for=36000, **params)


def paused_for(lab: Lab, change: Change, reason: PauseReason) -> Change:
    found = lab.until(
        lambda: lab.engine.change(change.id),
        lambda seen: seen.state.ended or (seen.pause is not None and seen.pause.reason is reason),
    )
    assert found.state is State.WAITING, found.error
    return found


@pytest.fixture
def tried_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Return a lab that soon retries downloads and writes to the journal."""
    monkeypatch.setattr(retry_rules, "BACKOFF", SOON)
    monkeypatch.setattr(write_retry, "EVERY", 0.01)
    monkeypatch.setattr(awaiting_retry, "REST", 0.1)
    return lab


def test_a_waiting_download_whose_turn_comes_without_space_keeps_waiting(tried_again: Lab) -> None:
    """A waiting download whose turn comes on a full disk waits further, and continues once there is space."""
    lab = tried_again
    lab.server.faults.add(Fault(function="initiateAuthentication", kind=FaultKind.HTTP_STATUS, value=503))
    change = download(lab)
    paused_for(lab, change, PauseReason.SERVER)
    with no_space():
        waiting = paused_for(lab, change, PauseReason.JOURNAL)
        assert waiting.pause is not None
        assert waiting.pause.error.kind == "journal-unavailable"
    assert lab.ended(change.id).state is State.DONE


def test_a_download_that_was_taken_on_and_can_t_be_begun_waits_too(tried_again: Lab) -> None:
    """Changes that are queued on the disk are carried out later, if need be by the next run of lpad."""
    lab = tried_again
    other = lab.asked(download(lab, confirm=True).id)
    change = download(lab)
    with no_space():
        lab.engine.cancel(other.id)
        paused_for(lab, change, PauseReason.JOURNAL)
        lab.stop()
    lab.start()
    assert lab.ended(change.id).state is State.DONE


def test_a_download_that_loses_its_space_on_the_way_waits_too(tried_again: Lab) -> None:
    """A download that a full disk stops begins again once there is space, without repeated questions."""
    lab = tried_again
    change = lab.asked(download(lab, confirm=True).id)
    with no_space(SMALL):  # The card's own memory has space.
        lab.engine.answer(change.id, Answer(decision="accept"))
        paused_for(lab, change, PauseReason.JOURNAL)
        assert lab.card.profiles == ()
    assert lab.asked(change.id).state is State.DONE


def test_a_download_can_be_taken_back_while_it_waits_for_space(tried_again: Lab) -> None:
    """A download that waits for space can be cancelled, even while its end cannot be written."""
    lab = tried_again
    lab.server.faults.add(Fault(function="initiateAuthentication", kind=FaultKind.HTTP_STATUS, value=503))
    change = download(lab)
    paused_for(lab, change, PauseReason.SERVER)
    with no_space():
        paused_for(lab, change, PauseReason.JOURNAL)
        lab.engine.cancel(change.id)
        assert lab.ended(change.id).state is State.CANCELLED
