"""Cards whose notifications' numbers run backwards or repeat: nothing that was not accepted is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.lab import FIRST, Lab
from engine.outbox.test_outbox import NOTIFY, pending
from lpad.codec.asn1 import tlv
from lpad.codec.messages.notifications import signed_part
from lpad.engine.change.change import Kind, State
from lpad.engine.journal import Journal
from lpad.engine.journal.notifications import Stage
from lpad.simulator.smdp.functions.faults import Fault, FaultKind

if TYPE_CHECKING:
    from pathlib import Path

EID = "89049032000001000000000000000013"
RETRIEVE = 0xBF2B
ALWAYS = 1_000_000


def away(lab: Lab) -> None:
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.HTTP_STATUS, value=503, times=ALWAYS))


def back(lab: Lab) -> None:
    lab.server.faults.clear()
    assert lab.carry_out(Kind.DELIVER_NOTIFICATIONS).state is State.DONE
    lab.until_true(lambda: lab.card.notifications == () and not pending(lab))


def made_anew(lab: Lab) -> None:
    """Have the card forget its notifications and count from the start again."""
    lab.card._chip.state.notifications = []
    lab.card._chip.state.next_notification = 1


def delivered(lab: Lab) -> list[tuple[int, str]]:
    return [(each.sequence_number, each.event) for each in lab.server.notifications]


def test_numbers_that_run_backwards(lab: Lab) -> None:
    """A copied, unaccepted notification is delivered next to the new one with the same number."""
    away(lab)
    lab.install()
    assert [each.seq for each in pending(lab)] == [1, 2]
    before = {each.raw for each in pending(lab)}
    made_anew(lab)
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
    assert lab.carry_out(Kind.DISABLE, iccid=FIRST).state is State.DONE
    assert before < {each.raw for each in pending(lab)}
    assert [each.seq for each in pending(lab) if not each.displaced] == [1, 2]
    lab.carry_out(Kind.DELIVER_NOTIFICATIONS)  # After this, no attempt with an older list runs.
    back(lab)
    assert [event for _, event in delivered(lab)] == ["install", "install", "enable", "disable"]


def test_the_same_event_under_the_same_number(lab: Lab) -> None:
    """If the same event is listed under the same number, lpad compares the notification before removal."""
    lab.install()
    lab.until_true(lambda: lab.card.notifications == () and not pending(lab))
    away(lab)
    number = lab.card._chip.state.next_notification
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
    first = pending(lab)[0].raw
    assert lab.carry_out(Kind.DISABLE, iccid=FIRST).state is State.DONE
    lab.card._chip.state.notifications = []
    lab.card._chip.state.next_notification = number
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
    second = lab.card._chip.state.notifications[0].signed
    assert second != first
    back(lab)
    assert [event for _, event in delivered(lab)][-3:] == ["enable", "disable", "enable"]


def test_one_number_for_all(lab: Lab) -> None:
    """If a stuck counter gives several notifications one number, each is copied, sent and removed."""
    away(lab)
    lab.install()
    for kind in (Kind.ENABLE, Kind.DISABLE, Kind.ENABLE):
        lab.card._chip.state.next_notification = 2
        assert lab.carry_out(kind, iccid=FIRST).state is State.DONE
    copies = len(pending(lab))
    # The second "enable" looks like the first in the list; it is found before anything leaves the card.
    assert copies == len({each.raw for each in pending(lab)}) == 4
    assert lab.carry_out(Kind.REFRESH).state is State.DONE
    assert len(pending(lab)) == copies, "a copy is made once"
    back(lab)
    assert len(delivered(lab)) == 5


def test_a_copy_without_a_number_of_its_own_can_be_dropped(lab: Lab) -> None:
    """A copy whose number the card has reused can be dropped by the number that lpad gave it."""
    away(lab)
    lab.install()
    made_anew(lab)
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
    displaced = next(each for each in pending(lab) if each.displaced)
    assert displaced.seq < 0
    assert lab.carry_out(Kind.DROP_NOTIFICATION, seq=displaced.seq).state is State.DONE
    assert displaced.seq not in [each.seq for each in pending(lab)]
    assert [each.number for each in lab.card.notifications] == [1]


def test_a_repeated_signature_makes_no_new_notification(lab: Lab) -> None:
    """A new signature over the same content makes no new notification; an accepted one is removed."""
    asked = []

    def signed_anew(answer: bytes) -> bytes:
        asked.append(answer)
        listed = tlv.parse(answer).get(0xA0)
        found = []
        for each in listed.children():
            signature = bytes([len(asked)] * 64)
            found.append(tlv.encode(each.tag, signed_part(each.raw), tlv.encode(0x5F37, signature)))
        return tlv.encode(RETRIEVE, tlv.encode(0xA0, *found))

    lab.install()
    lab.until_true(lambda: lab.card.notifications == () and not pending(lab))
    lab.card.faults.corrupt(RETRIEVE, signed_anew, times=ALWAYS)
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
    lab.until_true(lambda: lab.card.notifications == () and not pending(lab))
    assert asked


@pytest.mark.parametrize("stage", [Stage.PENDING, Stage.SENDING, Stage.REFUSED])
def test_no_copy_is_overwritten(tmp_path: Path, stage: Stage) -> None:
    """In the journal, a repeated number does not replace an unaccepted notification."""
    notifications = Journal(tmp_path / "journal.db").notifications

    def keep(raw: bytes) -> bool:
        return notifications.keep(eid=EID, seq=7, event="enable", address="a", iccid=None, raw=raw, at=1.0)

    assert keep(b"first")
    if stage is Stage.SENDING:
        notifications.mark_sending(notifications.all()[0].id, at=1.0)
    if stage is Stage.REFUSED:
        notifications.mark_failed(notifications.all()[0].id, error="no", next_attempt_at=1.0, set_aside=True)
    assert keep(b"second")
    assert keep(b"third")
    assert not keep(b"first")
    assert not keep(b"third")
    found = notifications.all()
    assert [each.raw for each in found] == [b"first", b"second", b"third"], "the oldest goes out first"
    assert [each.displaced for each in found] == [True, True, False]
    assert found[0].stage is stage


def test_an_accepted_copy_frees_its_number(tmp_path: Path) -> None:
    """An accepted copy, which only has to be removed from the card, leaves its number to a new one."""
    notifications = Journal(tmp_path / "journal.db").notifications
    for raw in (b"first", b"second"):
        assert notifications.keep(eid=EID, seq=7, event="enable", address="a", iccid=None, raw=raw, at=1.0)
        notifications.mark_delivered(notifications.all()[-1].id)
    assert [(each.displaced, each.raw) for each in notifications.all()] == [
        (True, b"first"),
        (False, b"second"),
    ]
