"""Notifications wait while a server is away, are sent in order, and leave the card once accepted."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

import pytest

from engine.lab import CARD, FIRST, LONG, Lab, result_of
from lpad.base.errors import ServerUnreachable
from lpad.engine.change.change import Kind
from lpad.engine.journal import Journal
from lpad.engine.journal.notifications import NewCopy, Notifications, Stage
from lpad.engine.outbox import BACKOFF
from lpad.engine.outbox.delivery import is_marked
from lpad.lpa import notification_delivery
from lpad.simulator.smdp.functions.faults import Fault, FaultKind
from lpad.simulator.smdp.store.profile_metadata import ProfileMetadata, Recipient

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lpad.engine.journal import StoredNotification

NOTIFY = "handleNotification"
ELSEWHERE = "smdp-address-placeholder.invalid"


def _asks_for_notifications(line: str) -> bool:
    """Return whether a line to the modem requests notifications, and not only contains the tag by chance."""
    return re.search("E29100..BF2B", line) is not None


def pending(lab: Lab) -> list[StoredNotification]:
    return lab.engine.card(CARD).notifications()


def failed_once(lab: Lab) -> StoredNotification:
    """Return the head of the queue once an attempt has failed."""
    seen = lab.until(lambda: pending(lab), lambda left: bool(left) and left[0].attempts > 0)
    return seen[0]


def test_a_server_that_is_away_changes_nothing_but_the_outbox(lab: Lab) -> None:
    """While a server is away, a download's notifications wait in journal and card, with the reason."""
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.HTTP_STATUS, value=503, times=100))
    lab.install()
    head = failed_once(lab)
    assert head.last_error is not None
    assert head.last_error.startswith("server-failed")
    assert BACKOFF.seconds[0] - 30 < head.next_attempt_at - head.stored_at < BACKOFF.seconds[0] + 30
    assert [each.seq for each in pending(lab)] == [1, 2]
    assert [each.number for each in lab.card.notifications] == [1, 2]


def test_waiting_notifications_are_delivered_in_order_and_then_removed(lab: Lab) -> None:
    """Once the server is back, notifications are sent in order, and removed from journal and card."""
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.DROP_BEFORE, times=1))
    iccid = lab.install()
    failed_once(lab)
    change = lab.carry_out(Kind.DELIVER_NOTIFICATIONS)
    assert result_of(change) == {"delivered": 2}
    assert pending(lab) == []
    assert lab.card.notifications == ()
    assert [each.sequence_number for each in lab.server.notifications] == [1, 2]
    assert all(each.iccid == iccid for each in lab.server.notifications)


def test_a_request_during_an_attempt_makes_one_of_its_own(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request during a failing attempt is done only after another attempt."""
    attempted, may_fail = threading.Event(), threading.Event()
    deliver = notification_delivery.deliver

    def fail_first(*args: Any, **options: Any) -> None:
        if attempted.is_set():
            deliver(*args, **options)
            return
        attempted.set()
        assert may_fail.wait(LONG)
        raise ServerUnreachable("the server of this test is away")

    iccid = lab.install()
    lab.until_true(lambda: lab.card.notifications == ())
    monkeypatch.setattr(notification_delivery, "deliver", fail_first)
    assert lab.carry_out(Kind.ENABLE, iccid=iccid).error is None
    assert attempted.wait(LONG)
    change = lab.submit(Kind.DELIVER_NOTIFICATIONS)
    lab.until_true(lambda: sum(each.name.startswith("outbox l") for each in threading.enumerate()) == 2)
    may_fail.set()
    assert result_of(lab.ended(change.id)) == {"delivered": 1}


def test_all_that_leave_the_card_are_compared_by_one_command(lab: Lab) -> None:
    """If lpad removes all of a card's notifications, it retrieves all with one command to compare them."""
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.HTTP_STATUS, value=503, times=100))
    iccid = lab.install()
    assert lab.carry_out(Kind.ENABLE, iccid=iccid).error is None
    assert lab.carry_out(Kind.DISABLE, iccid=iccid).error is None
    assert [each.number for each in lab.card.notifications] == [1, 2, 3, 4]
    lab.stop()
    journal = lab.journal()
    for stored in journal.notifications.all():
        journal.notifications.mark_delivered(stored.id)
    journal.close()
    lab.modem.received.clear()
    lab.start()
    lab.until_true(lambda: lab.card.notifications == ())
    assert sum(map(_asks_for_notifications, lab.modem.received)) == 1
    assert lab.server.notifications == ()


@pytest.mark.parametrize("answer", [0x6A80, bytes.fromhex("BF2B03810101"), bytes.fromhex("BF2B00")])
def test_a_card_that_does_not_list_all_is_asked_for_each(lab: Lab, answer: bytes | int) -> None:
    """If the command for all notifications fails or lists none, lpad asks for each, and removes them all."""
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.HTTP_STATUS, value=503, times=100))
    lab.install()
    lab.stop()
    journal = lab.journal()
    for stored in journal.notifications.all():
        journal.notifications.mark_delivered(stored.id)
    journal.close()
    lab.card.faults.corrupt(0xBF2B, lambda _: answer)
    lab.modem.received.clear()
    lab.start()
    lab.until_true(lambda: lab.card.notifications == ())
    assert sum(map(_asks_for_notifications, lab.modem.received)) == 1 + 2


def test_undelivered_notifications_are_not_requested_from_the_card(lab: Lab) -> None:
    """Only delivered notifications are requested from the card again before they are removed."""
    recipients = (Recipient(address=ELSEWHERE), Recipient())
    iccid = lab.install(metadata=ProfileMetadata(iccid=FIRST, name="First", recipients=recipients))
    lab.carry_out(Kind.ENABLE, iccid=iccid)
    lab.until(lambda: pending(lab), lambda left: [each.address for each in left] == [ELSEWHERE] * 2)
    lab.until_true(lambda: len(lab.card.notifications) == 2)
    asked = list(filter(_asks_for_notifications, lab.modem.received))
    assert all("BF2B05" in line for line in asked), "each by its number"


def test_an_outbox_that_cannot_deliver_reports_this(lab: Lab) -> None:
    """If delivery fails, the change that requested it has the server's error, and notifications are kept."""
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.HTTP_STATUS, value=500, times=100))
    lab.install()
    change = lab.carry_out(Kind.DELIVER_NOTIFICATIONS)
    assert change.error is not None
    assert (change.error.kind, change.error.retryable) == ("server-failed", True)
    assert "stay in the outbox" in change.error.sentence
    assert len(pending(lab)) == 2


def test_news_bring_what_waited_along(lab: Lab) -> None:
    """After a new notification for a recipient, lpad tries the recipient's whole queue, the oldest first."""
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.DROP_BEFORE, times=1))
    iccid = lab.install()
    failed_once(lab)
    lab.carry_out(Kind.ENABLE, iccid=iccid)
    lab.until(lambda: pending(lab), lambda left: not left)
    assert [each.sequence_number for each in lab.server.notifications] == [1, 2, 3]


def test_a_dead_recipient_does_not_delay_the_others(lab: Lab) -> None:
    """A notification for a missing address waits; those for other recipients are delivered."""
    recipients = (Recipient(address=ELSEWHERE), Recipient())
    iccid = lab.install(metadata=ProfileMetadata(iccid=FIRST, name="First", recipients=recipients))
    lab.carry_out(Kind.ENABLE, iccid=iccid)
    lab.until(
        lambda: pending(lab),
        lambda left: bool(left) and all(each.address == ELSEWHERE for each in left) and left[0].attempts > 0,
    )
    assert [each.event for each in pending(lab)] == ["install", "enable"]
    assert [each.event for each in lab.server.notifications] == ["install", "install", "enable"]


def test_a_refused_notification_does_not_bury_the_next(lab: Lab) -> None:
    """A server that refuses one notification permanently still gets the later ones; the refused one stays."""
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.REFUSE, value="8.10/2.1", times=1))
    lab.install()
    seen = lab.until(lambda: pending(lab), lambda left: [each.attempts for each in left] == [1])
    assert seen[0].seq == 1
    assert seen[0].last_error is not None
    assert seen[0].last_error.startswith("server-refused")
    assert [each.sequence_number for each in lab.server.notifications] == [2]


def test_notifications_on_the_card_at_the_start_are_delivered(lab: Lab) -> None:
    """Notifications on the card that lpad's journal does not know are delivered after the start."""
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.DROP_BEFORE, times=1))
    lab.install()
    failed_once(lab)
    lab.stop()
    (lab.folder / "journal.db").unlink()
    lab.start()
    lab.until(lambda: lab.server.notifications, lambda found: len(found) == 2)
    lab.until(lambda: lab.card.notifications, lambda left: not left)


def test_an_accepted_notification_is_only_removed_after_a_restart(lab: Lab) -> None:
    """A notification that was accepted before a restart is not sent again, only removed from the card."""
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.DROP_BEFORE, times=1))
    lab.install()
    failed_once(lab)
    lab.stop()
    journal = lab.journal()
    for stored in journal.notifications.all():
        journal.notifications.mark_delivered(stored.id)
    journal.close()
    lab.start()
    lab.until(lambda: lab.card.notifications, lambda left: not left)
    assert lab.server.notifications == ()


@pytest.mark.parametrize("lost", ["before", "after"])
def test_a_kept_copy_outlives_the_card_entry(lab: Lab, lost: str) -> None:
    """A notification that another program removed from the card is still delivered from its copy."""
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.DROP_BEFORE, times=1))
    lab.install()
    failed_once(lab)
    if lost == "after":
        lab.stop()
    _take_off_by_hand(lab)
    change = lab.carry_out(Kind.DELIVER_NOTIFICATIONS)
    assert result_of(change) == {"delivered": 2}
    assert pending(lab) == []


def _take_off_by_hand(lab: Lab) -> None:
    """Remove the notifications from the card, as another program would."""
    for number in (1, 2):
        lab.card.transmit(bytes.fromhex("00A4040010A0000005591010FFFFFFFF8900000100"))
        lab.card.transmit(bytes.fromhex(f"80E2910006BF30038001{number:02X}"))


def test_notifications_not_removed_after_a_download_are_removed_later(lab: Lab) -> None:
    """If the card refuses the removal of a notification after a download, lpad removes it later."""
    lab.card.faults.status(0xBF30, 0x6F00)
    lab.install()
    lab.until_true(lambda: lab.card.notifications == () and lab.card.open_channels == ())
    assert pending(lab) == []
    assert [each.sequence_number for each in lab.server.notifications] == [1, 2]


def test_notifications_share_transactions(tmp_path: Path) -> None:
    """Records of copies, attempts and removals share a transaction if no step is between them."""
    journal = Journal(tmp_path / "journal")
    copies = [
        NewCopy(eid="8" * 32, seq=seq, event="enable", address="a.example", iccid=None, raw=b"%d" % seq, at=1)
        for seq in range(1, 4)
    ]
    statements: list[str] = []
    journal._database._db.set_trace_callback(statements.append)
    kept = journal.notifications
    assert kept.keep_all([*copies, copies[0]]) == 3
    assert statements.count("COMMIT") == 1
    first, second, third = (each.id for each in kept.all())
    kept.mark_delivered(first, sending=(second, 5.0))
    assert statements.count("COMMIT") == 2
    assert [each.stage for each in kept.all()] == [Stage.DELIVERED, Stage.SENDING, Stage.PENDING]
    assert kept.all()[1].last_attempt_at == 5.0
    kept.mark_removing(first, second)
    assert statements.count("COMMIT") == 3
    assert [each.stage for each in kept.all()] == [Stage.REMOVING, Stage.REMOVING, Stage.PENDING]
    kept.mark_delivered(third, removing=[third])
    assert statements.count("COMMIT") == 4, "and one that is removed next"
    assert kept.all()[2].stage is Stage.REMOVING
    kept.drop(first, second)
    assert statements.count("COMMIT") == 4, "it waits for the next transaction"
    assert [each.id for each in kept.all()] == [third]
    kept.mark_sending(third, at=6.0)
    assert statements.count("COMMIT") == 5
    on_disk = journal._database.rows("SELECT id FROM notifications")
    assert on_disk == [(third,)]
    kept.drop(third)
    journal.close()
    again = Journal(tmp_path / "journal")
    assert again.notifications.all() == [], "or for the end of the file's use"
    again.close()


def test_acceptance_and_removal_share_a_transaction(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """One transaction records the last acceptance and the removal that follows it in the same session."""
    marks: list[tuple[int, ...]] = []
    mark = Notifications.mark_removing

    def counted(notifications: Notifications, *ids: int) -> None:
        marks.append(ids)
        mark(notifications, *ids)

    monkeypatch.setattr(Notifications, "mark_removing", counted)
    iccid = lab.install()
    lab.until_true(lambda: lab.card.notifications == () and not pending(lab))
    assert marks == [], "at the end of a download"
    lab.carry_out(Kind.ENABLE, iccid=iccid)
    lab.until_true(lambda: lab.card.notifications == () and not pending(lab))
    assert marks == [], "after a switch"


def test_a_copy_is_stored_as_being_sent(tmp_path: Path) -> None:
    """A copy is stored together with its state `sending`, unless an earlier one must be sent first."""
    journal = Journal(tmp_path / "journal")

    def copy(seq: int, address: str) -> NewCopy:
        raw = b"%d" % seq
        return NewCopy(
            eid="8" * 32, seq=seq, event="enable", address=address, iccid=None, raw=raw, at=1.0, sends=True
        )

    kept = journal.notifications
    assert kept.keep_all([copy(1, "a.example"), copy(2, "a.example"), copy(3, "b.example")]) == 3
    assert [each.stage for each in kept.all()] == [Stage.SENDING, Stage.PENDING, Stage.SENDING]
    assert [is_marked(each) for each in kept.all()] == [True, False, True]
    kept.mark_failed(kept.all()[0].id, error="server-failed: away", next_attempt_at=9.0)
    assert [is_marked(each) for each in kept.all()] == [False, False, True], (
        "its next attempt is written first"
    )
    journal.close()


def test_a_deletion_that_waits_survives_a_failed_transaction(tmp_path: Path) -> None:
    """If a transaction that deletes copies fails, the next transaction deletes them."""
    journal = Journal(tmp_path / "journal")
    copy = NewCopy(eid="8" * 32, seq=1, event="enable", address="a.example", iccid=None, raw=b"1", at=1)
    assert journal.notifications.keep_all([copy]) == 1
    journal.notifications.drop(journal.notifications.all()[0].id)
    with pytest.raises(ValueError, match="in the middle"), journal._database.writing():
        raise ValueError("in the middle")
    assert journal._database.rows("SELECT count(*) FROM notifications") == [(1,)]
    assert journal.notifications.all() == []
    assert journal.notifications.keep_all([copy]) == 1, "the same number and content, copied again"
    assert len(journal.notifications.all()) == 1
    journal.close()


def test_a_copy_that_cannot_be_stored_keeps_no_other_from_being_copied(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If one of several copies cannot be stored because of a fault in lpad, the others are still stored."""
    keep_all = Notifications.keep_all

    def fail_with_the_second(kept: Notifications, copies: Sequence[NewCopy]) -> int:
        if any(each.seq == 2 for each in copies):
            raise ValueError("a fault of this test")
        return keep_all(kept, copies)

    monkeypatch.setattr(Notifications, "keep_all", fail_with_the_second)
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.HTTP_STATUS, value=503, times=100))
    iccid = lab.install()
    assert lab.carry_out(Kind.ENABLE, iccid=iccid).error is None
    lab.until(lambda: pending(lab), lambda left: [each.seq for each in left] == [1, 3])
    assert [each.number for each in lab.card.notifications] == [1, 2, 3]


@pytest.mark.parametrize("alone", [True, False])
def test_a_card_without_notifications_is_not_visited_again(lab: Lab, *, alone: bool) -> None:
    """Once a card's notifications are removed, lpad opens no further session for them."""
    recipients = (Recipient(),) if alone else (Recipient(address=ELSEWHERE), Recipient())
    assert lab.carry_out(Kind.REFRESH).error is None
    lab.modem.received.clear()
    lab.install(metadata=ProfileMetadata(iccid=FIRST, name="First", recipients=recipients))
    lab.until_true(lambda: len(lab.card.notifications) == (0 if alone else 1))
    lab.until_true(lambda: not alone or not pending(lab))
    lab.stop()
    assert sum('"0070000001"' in line for line in lab.modem.received) == 1, "the download's own session"
