"""One trial of a flip: a journal with a wrong bit must return its previous content, or report its losses."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from faults.flip_trials.sample_journal import CARD, CLOSED, EID, KILLED, LAST, Contents
from faults.injected.flip import FILES, JOURNAL, Flip
from lpad.base.errors import LpadError
from lpad.engine.change.idempotency import IdempotencyKey
from lpad.engine.change.notes import ProfileNotes, noting
from lpad.engine.change.params import EnableParams
from lpad.engine.change.results import SwitchResult
from lpad.engine.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from lpad.engine.journal.file.writability import Repair

_NEW = IdempotencyKey.of(1000, "a new one", request=b"request")


@dataclass(frozen=True, slots=True, kw_only=True)
class FlipOutcome:
    """The outcome of a flip.

    Attributes:
        folder: the journal with the wrong bit: `closed` or `killed`.
        flip: the flip, as text.
        repaired: whether lpad has noticed the damage and repaired the journal.
        violations: the violated checks, as sentences.
        seconds: the duration of the trial.
    """

    folder: str
    flip: str
    repaired: bool
    violations: tuple[str, ...]
    seconds: float


class FlipStage:
    """The place where flips are made: two journals, and a folder for damaged copies."""

    def __init__(self, bases: Path, folder: Path, contents: Mapping[str, Contents]) -> None:
        self._folder = folder
        self._contents = contents
        self._files = {
            name: {
                each: (bases / name / each).read_bytes() for each in FILES if (bases / name / each).exists()
            }
            for name in (CLOSED, KILLED)
        }

    @property
    def sizes(self) -> Mapping[str, Mapping[str, int]]:
        """The size in bytes of each file of each journal."""
        return {
            name: {each: len(content) for each, content in files.items()}
            for name, files in self._files.items()
        }

    def run(self, name: str, flip: Flip) -> FlipOutcome:
        """Open a copy of the journal `name` with one wrong bit, and return the outcome."""
        began = time.perf_counter()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        for file, content in self._files[name].items():
            (self._folder / file).write_bytes(flip.done_to(content) if file == flip.file else content)
        trial = _FlipTrial(self._folder / JOURNAL, self._contents[name])
        try:
            found = tuple(trial.violations())
        except Exception as error:  # noqa: BLE001 - any error means unhandled damage
            found = (f"unhandled: {type(error).__name__} {error}",)
        seconds = time.perf_counter() - began
        return FlipOutcome(
            folder=name, flip=str(flip), repaired=trial.repaired, violations=found, seconds=seconds
        )


class _FlipTrial:
    def __init__(self, path: Path, contents: Contents) -> None:
        self._path = path
        self._contents = contents
        self._lost: tuple[Repair, ...] = ()
        self.repaired = False

    def violations(self) -> Iterator[str]:
        """Open, read and write the journal, and open it again; yield the violated checks.

        Raises:
            Exception: lpad did not handle the damage.
        """
        journal = Journal(self._path)
        try:
            yield from self._state(journal)
            yield from self._said(journal)
            added = self._work(journal)
        finally:
            journal.close()
        if added <= max(self._contents.changes):
            yield f"change {added} has a number that was used before"
        journal = Journal(self._path)
        try:
            yield from self._state(journal)
            if len(journal.health.repairs) > self.repaired:
                yield "the journal is repaired again at the next start"
            if journal.changes.get(added).state != "done" or journal.requests.change_id(_NEW) != added:
                yield "the record written after the flip is missing"
        finally:
            journal.close()

    def _state(self, journal: Journal) -> Iterator[str]:
        health = journal.health
        self._lost = health.repairs
        self.repaired = bool(health.repairs)
        if not health.ok:
            yield f"the journal is {health.state}: {health.error}"
        if len(health.repairs) > 1:
            yield "the journal was repaired more than once"
        if self.repaired and not health.set_aside:
            yield "the journal was repaired, but the damaged file is gone"

    def _said(self, journal: Journal) -> Iterator[str]:
        """Yield the differences from the journal's previous content, except reported losses."""
        said = self._contents
        changes = {each.id: each for each in journal.changes.latest()}
        yield from self._held("change", said.changes, changes)
        unfinished = {each.id for each in journal.changes.unfinished()}
        if unfinished != {number for number in changes if not changes[number].state.ended}:
            yield "the lists of all changes and of unfinished ones do not agree"
        private = {
            number: journal.changes.private(changes[number]) for number in said.private if number in changes
        }
        yield from self._held("private part of change", said.private, private)
        if said.on_trial not in unfinished:
            yield "the unfinished guarded switch is lost"
        notifications = {each.id: each for each in journal.notifications.all()}
        yield from self._held("notification", said.notifications, notifications)
        if journal.notifications.count(eid=EID) != len(notifications):
            yield "the number of notifications differs from the number of listed ones"
        for change, key in said.keys.items():
            if journal.requests.change_id(key) != change:
                yield f"the key of change {change} leads to {journal.requests.change_id(key)}"
        for name, value in said.memos.items():
            found = journal.memos.get(name, object)
            if found != value and not (name == LAST and found is None):
                yield f"the stored value '{name}' is {found}"

    def _held(self, what: str, said: Mapping[int, Any], found: Mapping[int, Any]) -> Iterator[str]:
        for number, each in found.items():
            if each != said.get(number):
                yield f"{what} {number} differs: {each}"
        missing = set(said) - set(found)
        if what == "change" and missing - {each for one in self._lost for each in one.lost_changes}:
            yield f"changes {missing} are missing, but not reported: {self._lost}"
        if missing and not self.repaired:
            yield f"{what} {missing}: missing, but not reported"
        if len(missing) > 1 + len(said) // 2:
            yield f"one bit has destroyed {len(missing)} of {len(said)} records: {what} {missing}"

    @staticmethod
    def _work(journal: Journal) -> int:
        """Record a change as a switch does; return its number."""
        change = journal.changes.add(CARD, EnableParams(iccid="1"), secrets={}, key=_NEW).run()
        journal.changes.save(change.at_step("enable-profile"), notes=noting(ProfileNotes, iccid="1"))
        journal.changes.save(change.done(SwitchResult(iccid="1")))
        journal.notifications.keep(
            eid=EID, seq=1000, event="enable", address="a.b", iccid=None, raw=b"0", at=1.0
        )
        journal.notifications.make_due(at=2.0)
        for each in journal.notifications.all():
            journal.notifications.mark_sending(each.id, at=3.0)
            journal.notifications.mark_delivered(each.id)
            journal.notifications.drop(each.id)
        if journal.notifications.all():
            raise LpadError("notifications that were dropped have returned")
        journal.memos.put("new", 1)
        return change.id
