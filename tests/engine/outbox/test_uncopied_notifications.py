"""Notifications that cannot be read, copied or delivered: shown, dropped on request, and harmless."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from engine.lab import CARD, FIRST, SECOND, Lab, result_of
from engine.outbox.test_outbox import NOTIFY, pending
from lpad.codec.asn1 import tlv
from lpad.engine.change.change import Kind, State
from lpad.engine.journal.notifications import Stage
from lpad.engine.outbox import delivery, notification_retrieval
from lpad.engine.snapshot.snapshot import CardState
from lpad.lpa import notification_delivery
from lpad.simulator.smdp.functions.faults import Fault, FaultKind
from lpad.simulator.smdp.store.profile_metadata import ProfileMetadata, Recipient

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.deadline import Deadline
    from lpad.engine.outbox import UncopiedNotification
    from lpad.lpa.euicc import Euicc

LIST, RETRIEVE, REMOVE = 0xBF28, 0xBF2B, 0xBF30
ALWAYS = 1_000_000
LONG_ADDRESS = "host.example.com:" + "1" * 5000


def uncopied(lab: Lab) -> list[UncopiedNotification]:
    return lab.engine.card(CARD).uncopied_notifications()


def away(lab: Lab) -> None:
    """Make the server accept no notification."""
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.HTTP_STATUS, value=503, times=ALWAYS))


def of_number(number: int, act: Callable[[bytes], bytes | int]) -> Callable[[bytes], bytes | int]:
    """Return a function that passes the card's answer about one notification, and no other, to `act`."""
    element = tlv.encode(0x80, bytes([number]))
    return lambda answer: act(answer) if element in answer else answer


def test_address_with_five_thousand_digits(lab: Lab) -> None:
    """A notification with an overlong address is set aside and can be dropped, and hinders nothing else."""
    lab.install(
        metadata=ProfileMetadata(iccid=FIRST, recipients=(Recipient(address=LONG_ADDRESS), Recipient()))
    )
    for kind in (Kind.ENABLE, Kind.DISABLE, Kind.ENABLE):
        assert lab.carry_out(kind, iccid=FIRST).state is State.DONE
    lab.until_true(lambda: {each.stage for each in pending(lab)} == {Stage.REFUSED})
    assert all(each.address == LONG_ADDRESS for each in pending(lab))
    lab.stop()
    assert lab.carry_out(Kind.DISABLE, iccid=FIRST).state is State.DONE
    lab.until_true(lambda: all(each.stage is Stage.REFUSED for each in pending(lab)))
    for each in pending(lab):
        assert lab.carry_out(Kind.DROP_NOTIFICATION, seq=each.seq).state is State.DONE
    lab.until_true(lambda: lab.card.notifications == ())


@pytest.mark.parametrize(
    "act",
    [
        lambda _: 0x6F00,
        lambda _: 0x6581,
        lambda _: bytes.fromhex("BF2B00"),
        lambda _: bytes.fromhex("BF2B03A00142"),
        lambda _: bytes.fromhex("BF2B0381017F"),
        lambda _: b"\xbf",
        lambda answer: answer.replace(b"\xbf\x2f", b"\xbf\x2e"),
    ],
    ids=["6F00", "memory", "nothing", "garbage", "undefined", "cut", "without metadata"],
)
def test_card_that_does_not_give_one(lab: Lab, act: Callable[[bytes], bytes | int]) -> None:
    """A notification that cannot be read blocks neither the others nor a switch, and can be dropped."""
    away(lab)
    lab.install()
    odd = lab.card.notifications[-1].number + 1
    lab.card.faults.corrupt(RETRIEVE, of_number(odd, act), times=ALWAYS)
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
    assert lab.carry_out(Kind.DISABLE, iccid=FIRST).state is State.DONE
    assert [each.seq for each in uncopied(lab)] == [odd]
    assert [each.event for each in uncopied(lab)] == ["enable"]
    assert odd not in [each.seq for each in pending(lab)]
    assert odd + 1 in [each.seq for each in pending(lab)]
    retried = lab.carry_out(Kind.DELIVER_NOTIFICATIONS, seq=odd)
    assert retried.error is not None
    assert retried.error.kind == "conflict"
    assert result_of(lab.carry_out(Kind.DROP_NOTIFICATION, seq=odd)) == {
        "seq": odd,
        "event": "enable",
        "address": lab.server.address,
    }
    assert uncopied(lab) == []
    assert odd not in [each.number for each in lab.card.notifications]


def test_a_retry_copies_a_notification_again(lab: Lab) -> None:
    """A retry reads the notification from the card again immediately, and delivers it."""
    lab.install()
    lab.until_true(lambda: lab.card.notifications == ())
    lab.card.faults.status(RETRIEVE, 0x6F00)
    lab.carry_out(Kind.ENABLE, iccid=FIRST)
    (odd,) = uncopied(lab)
    assert result_of(lab.carry_out(Kind.DELIVER_NOTIFICATIONS, seq=odd.seq)) == {"delivered": 1}
    assert uncopied(lab) == []
    assert lab.card.notifications == ()


@pytest.mark.parametrize("answer", [0x6F00, b"\xbf\x28\x03\x81\x01\x7f", b"\x00", b"\xbf\x28\x02\xa0\x09"])
def test_list_that_cannot_be_read(lab: Lab, answer: bytes | int) -> None:
    """If a card's list of notifications cannot be read, switches and downloads still work."""
    lab.card.faults.corrupt(LIST, lambda _: answer, times=ALWAYS)
    lab.install()
    lab.install(iccid=SECOND)
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
    assert lab.carry_out(Kind.ENABLE, iccid=SECOND).state is State.DONE
    assert lab.carry_out(Kind.DELETE, iccid=FIRST).state is State.DONE
    assert lab.engine.card(CARD).notification_list_error() or lab.engine.card(CARD).unreadable_notifications()
    lab.card.faults.forget()
    assert lab.carry_out(Kind.DELIVER_NOTIFICATIONS).state is State.DONE
    assert lab.engine.card(CARD).notification_list_error() is None
    lab.until_true(lambda: lab.card.notifications == ())


def test_card_that_hangs_over_one(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a card takes too long to return one notification, later switches do not ask for it again."""
    away(lab)
    lab.install()
    odd = lab.card.notifications[-1].number + 1
    asked = []

    def hang(answer: bytes) -> bytes:
        asked.append(answer)
        time.sleep(0.6)
        return answer

    monkeypatch.setattr(notification_retrieval, "PATIENCE", 0.3)
    lab.card.faults.corrupt(RETRIEVE, of_number(odd, hang), times=ALWAYS)
    for kind in (Kind.ENABLE, Kind.DISABLE, Kind.ENABLE):
        assert lab.carry_out(kind, iccid=FIRST).state is State.DONE
    assert [each.seq for each in uncopied(lab)] == [odd]
    assert len(asked) == 1


def test_card_that_is_gone_over_one(lab: Lab) -> None:
    """A card that no longer answers is absent, and none of its notifications counts as uncopied."""
    lab.patient(switch=3, read=3, open=3)
    away(lab)
    lab.install()

    def gone(answer: bytes) -> bytes:
        lab.card.faults.lose_power_after(0)
        return answer

    lab.card.faults.corrupt(RETRIEVE, gone)
    lab.submit(Kind.ENABLE, iccid=FIRST)
    lab.until_true(lambda: lab.engine.snapshot(CARD).state is CardState.ABSENT)
    assert uncopied(lab) == []


def test_mistake_in_lpad_over_one(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """An internal error while one notification is copied is shown; the change and other copies succeed."""
    away(lab)
    lab.install()
    odd = lab.card.notifications[-1].number + 1
    retrieve = notification_delivery.retrieve

    def mistaken(euicc: Euicc, *, sequence_number: int, deadline: Deadline) -> object:
        if sequence_number == odd:
            raise ValueError("a mistake")
        return retrieve(euicc, sequence_number=sequence_number, deadline=deadline)

    monkeypatch.setattr(notification_delivery, "retrieve", mistaken)
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
    assert lab.carry_out(Kind.DISABLE, iccid=FIRST).state is State.DONE
    (entry,) = uncopied(lab)
    assert entry.seq == odd
    assert entry.error.startswith("internal-error")
    assert odd + 1 in [each.seq for each in pending(lab)]


def test_mistake_in_lpad_over_the_list(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """An internal error in the code that copies notifications from the card does not fail a switch."""
    lab.install()
    monkeypatch.setattr(notification_retrieval.Collection, "collect", lambda *_, **__: 1 // 0)
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
    assert lab.carry_out(Kind.DISABLE, iccid=FIRST).state is State.DONE


def test_mistake_in_lpad_while_one_is_sent(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """If an internal error prevents the sending of one copy, the later ones are still sent."""
    away(lab)
    lab.install()
    lab.server.faults.clear()
    first = pending(lab)[0].seq
    deliver = notification_delivery.deliver

    def mistaken(notification: object, *others: object, **named: object) -> None:
        if notification.sequence_number == first:  # type: ignore[attr-defined]  # PendingNotification
            raise ValueError("a mistake")
        deliver(notification, *others, **named)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(notification_delivery, "deliver", mistaken)
    for _ in range(delivery.REFUSALS):
        lab.carry_out(Kind.DELIVER_NOTIFICATIONS)
    (left,) = pending(lab)
    assert (left.seq, left.stage) == (first, Stage.REFUSED)
    assert left.last_error is not None
    assert left.last_error.startswith("internal-error")
    assert lab.carry_out(Kind.DROP_NOTIFICATION, seq=first).state is State.DONE


@pytest.mark.parametrize("answer", [0x6F00, bytes.fromhex("BF300380017F"), b"\x00"])
def test_a_notification_that_stays_on_the_card_does_not_prevent_a_switch(
    lab: Lab, answer: bytes | int
) -> None:
    """A delivered notification that cannot be removed from the card does not prevent a switch."""
    lab.card.faults.corrupt(REMOVE, lambda _: answer, times=ALWAYS)
    lab.card.faults.answer(REMOVE, answer, times=ALWAYS) if isinstance(
        answer, bytes
    ) else lab.card.faults.status(REMOVE, answer, times=ALWAYS)
    code = lab.code(lab.order())
    assert lab.carry_out(Kind.DOWNLOAD, secrets={"activation_code": code}).state is State.DONE
    for kind in (Kind.ENABLE, Kind.DISABLE, Kind.ENABLE):
        assert lab.carry_out(kind, iccid=FIRST).state is State.DONE
    lab.card.faults.forget()
    lab.carry_out(Kind.DELIVER_NOTIFICATIONS)
    lab.until_true(lambda: lab.card.notifications == ())


def test_dropping_what_the_card_does_not_hold(lab: Lab) -> None:
    """A number that neither the outbox nor the card knows is not found."""
    change = lab.carry_out(Kind.DROP_NOTIFICATION, seq=4711)
    assert change.error is not None
    assert change.error.kind == "not-found"


def test_an_entry_that_cannot_be_read_is_counted(lab: Lab) -> None:
    """An unreadable entry of the list is counted; it hides no other entry, and no copy is forgotten."""
    away(lab)
    lab.install()
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
    known = [each.seq for each in pending(lab)]
    lab.card.faults.corrupt(LIST, lambda answer: answer.replace(b"\x80\x01", b"\x9c\x01", 1), times=ALWAYS)
    assert lab.carry_out(Kind.DISABLE, iccid=FIRST).state is State.DONE
    assert lab.engine.card(CARD).unreadable_notifications() == 1
    assert [each.seq for each in pending(lab)] == [*known, known[-1] + 1]
    lab.card.faults.corrupt(LIST, lambda answer: answer, times=ALWAYS)
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
    assert lab.engine.card(CARD).unreadable_notifications() == 0
