"""The notifications that lpad may remove from a card that uses a number several times."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from lpad.base.identifiers import Iccid
from lpad.codec.messages.metadata import NotificationEvent
from lpad.codec.messages.notifications import NotificationMetadata
from lpad.engine.journal import Journal
from lpad.engine.journal.notifications import DISPLACED, REMOVABLE, UNSENT
from lpad.engine.outbox.copied_notifications_on_card import ListedCopies

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.engine.journal import StoredNotification

ADDRESS = "smdp.example.com"
ICCIDS = ("8900101000000000017", "8900101000000000025")


@pytest.fixture
def copies(tmp_path: Path) -> tuple[StoredNotification, StoredNotification]:
    """Return two copies of notifications numbered 1; the first has lost this number to the second."""
    with closing(Journal(tmp_path / "journal.db")) as journal:
        for number, iccid in enumerate(ICCIDS):
            journal.notifications.keep(
                eid="89", seq=number, event="install", address=ADDRESS, iccid=iccid, raw=b"x", at=1.0
            )
        first, second = journal.notifications.all()
    return replace(first, seq=DISPLACED), replace(second, seq=1)


def listed(iccid: str) -> NotificationMetadata:
    return NotificationMetadata(1, NotificationEvent.INSTALL, ADDRESS, Iccid.parse(iccid))


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True)])
def test_all_of_a_number_leave_or_none(
    copies: tuple[StoredNotification, StoredNotification], *, first: bool, second: bool
) -> None:
    """The card removes all notifications of a number, so each of them must have been accepted."""
    stages = [next(iter(REMOVABLE if accepted else UNSENT)) for accepted in (first, second)]
    kept = [replace(copy, stage=stage) for copy, stage in zip(copies, stages, strict=True)]
    assert [each.displaced for each in kept] == [True, False]
    found = ListedCopies(kept)
    assert [found.copy_of(listed(iccid)) for iccid in ICCIDS] == kept
    assert found.removable() == ([kept[1]] if first and second else [])


def test_an_uncopied_notification_keeps_its_number(
    copies: tuple[StoredNotification, StoredNotification],
) -> None:
    """An accepted notification stays on the card if its number is also that of an uncopied one."""
    accepted = replace(copies[1], stage=next(iter(REMOVABLE)))
    found = ListedCopies([accepted])
    assert [found.copy_of(listed(iccid)) for iccid in ICCIDS] == [None, accepted]
    assert found.removable() == []
