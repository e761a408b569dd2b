"""A journal with every kind of content, in two forms: closed by lpad, and left by a power cut."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from faults.injected.flip import FILES, JOURNAL
from lpad.base.errors import CardUnreachable
from lpad.engine.change.change import Failure, Kind, Pause, PauseReason
from lpad.engine.change.guard import Guard, Requirement, Turn
from lpad.engine.change.idempotency import IdempotencyKey
from lpad.engine.change.notes import (
    DownloadNotes,
    NotedLimit,
    Notes,
    ProfileNotes,
    SwitchNotes,
    noting,
)
from lpad.engine.change.results import SwitchResult
from lpad.engine.change.types_by_kind import KINDS
from lpad.engine.journal import Journal

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.engine.change.change import Change, Json
    from lpad.engine.journal import Private, StoredNotification

CARD = "modem"
EID = "89049032123451234512345678901235"
ICCID = "8944500000000000011"
LAST = "last"
"""The name of the last written value: a wrong bit in it looks like an interrupted transaction."""
CLOSED, KILLED = "closed", "killed"
_NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
_GONE = CardUnreachable("the modem does not answer", port="/dev/ttyUSB2")
_ENDED, _LATER = 24, 4
_NOTIFICATIONS = 9
_STEPS = ("select", "authenticate-server", "prepare-download", "load-bound-profile-package")


@dataclass
class Contents:
    """The content of a journal: records by ID, stored values by name, and idempotency keys by change."""

    changes: dict[int, Change] = field(default_factory=dict)
    private: dict[int, Private] = field(default_factory=dict)
    notifications: dict[int, StoredNotification] = field(default_factory=dict)
    keys: dict[int, IdempotencyKey] = field(default_factory=dict)
    memos: dict[str, Json] = field(default_factory=dict)
    on_trial: int = 0
    """The number of the unfinished guarded switch."""


def make(folder: Path) -> dict[str, Contents]:
    """Create the journal in two folders, and return the content of each.

    In `closed` the journal is one file; in `killed` the last writes are only in the write-ahead log.
    """
    writer = _Writer(folder / CLOSED)
    writer.write()
    closed = writer.contents()
    writer.journal.close()
    shutil.copytree(folder / CLOSED, folder / KILLED)
    later = _Writer(folder / KILLED, known=closed)
    later.write_more()
    kept = {name: (folder / KILLED / name).read_bytes() for name in FILES}
    killed = later.contents()
    later.journal.close()
    for name, content in kept.items():
        (folder / KILLED / name).write_bytes(content)
    return {CLOSED: closed, KILLED: killed}


class _Writer:
    def __init__(self, folder: Path, *, known: Contents | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.journal = Journal(folder / JOURNAL)
        self._keys = dict(known.keys) if known else {}
        self._memos = dict(known.memos) if known else {}
        self._on_trial = known.on_trial if known else 0

    def contents(self) -> Contents:
        """Return the journal's present content."""
        journal = self.journal
        return Contents(
            changes={each.id: each for each in journal.changes.latest()},
            private={each.id: journal.changes.private(each) for each in journal.changes.unfinished()},
            notifications={each.id: each for each in journal.notifications.all()},
            keys=self._keys,
            memos=self._memos,
            on_trial=self._on_trial,
        )

    def write(self) -> None:
        """Write ended and unfinished changes, notifications in several stages, and stored values."""
        for number in range(_ENDED):
            change = self._add(list(Kind)[number % len(Kind)], number).run()
            for step in _STEPS:
                change = change.at_step(step)
            self.journal.changes.save(change, notes=noting(Notes, sessions=number))
            self.journal.changes.save(
                change.done(SwitchResult(iccid=ICCID)) if number % 3 else change.failed(_GONE)
            )
        self._write_unfinished()
        self._write_notifications()
        for name in (f"rescue {EID}", f"provision {EID}"):
            self._note(name, {"change": 3, "wanted": [ICCID, None], "attempts": 2})

    def write_more(self) -> None:
        """Write a few more records, the last of which is a stored value."""
        for number in range(_ENDED, _ENDED + _LATER):
            change = self._add(Kind.RENAME, number).run().at_step("set-nickname")
            self.journal.changes.save(change, notes=noting(ProfileNotes, iccid=ICCID))
        self._note(LAST, "written last")

    def _write_unfinished(self) -> None:
        self._add(Kind.DELETE, 100)
        waiting = self._add(Kind.DOWNLOAD, 101)
        pause = Pause(reason=PauseReason.NETWORK, since=_NOON, retry_at=None, error=Failure.of(_GONE))
        self.journal.changes.save(
            waiting.run().at_step("open").paused(pause), notes=noting(DownloadNotes, waited=12.5)
        )
        guard = Guard(
            requirements=(Requirement(condition="registered"), Requirement(condition="confirm")),
            until=_NOON + timedelta(hours=1),
            previous=ICCID,
        )
        trial = self._add(Kind.ENABLE, 102)
        trial = replace(trial.run().at_step("enable-profile"), guard=guard.after(Turn.READ))
        self._on_trial = trial.id
        limit = NotedLimit(seconds=3600.0, boot_id="0" * 36)
        self.journal.changes.save(trial, notes=noting(SwitchNotes, limit=limit))

    def _write_notifications(self) -> None:
        kept = self.journal.notifications
        for number in range(_NOTIFICATIONS):
            kept.keep(
                eid=EID,
                seq=number,
                event="install",
                address=f"smdp{number % 2}.example.com",
                iccid=ICCID,
                raw=bytes(range(256)) * (1 + 3 * (number % 4)),
                at=_NOON.timestamp() + number / 3,
            )
        first, second, third, *_ = kept.all()
        kept.mark_sending(first.id, at=_NOON.timestamp())
        kept.mark_failed(second.id, error="server-unreachable", next_attempt_at=2e9, answered_at=1.9e9)
        kept.mark_delivered(third.id)

    def _add(self, kind: Kind, number: int) -> Change:
        key = IdempotencyKey.of(1000, f"key {number}", request=b"request")
        asked = {
            "iccid": ICCID,
            "nickname": "name " * (number % 9),
            "guard": {"until": ["registered", "confirm"], "within": 3600},
            "default_smdp": "name " * (number % 9),
            "address": "smdp0.example.com",
            "seq": number,
            "platform": "desk",
            "action": "suspend",
        }
        if kind is Kind.RESET:
            asked.pop("default_smdp")
        change = self.journal.changes.add(
            CARD,
            msgspec.convert(asked, KINDS[kind].params),
            secrets={"eid": EID, "activation_code": "LPA:1$smdp0.example.com$ABCD-1234"},
            key=key,
        )
        self._keys[change.id] = key
        return change

    def _note(self, name: str, value: Json) -> None:
        self._memos[name] = value
        self.journal.memos.put(name, value)
