"""The caller of a switch gets the result before lpad copies the notifications, and none of them is lost."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from engine.holding import held, silent
from engine.lab import CARD, FIRST, LONG, SECOND, Lab
from engine.outbox.test_outbox import NOTIFY, pending
from lpad.codec.asn1 import tlv
from lpad.engine.change.change import Kind, State
from lpad.engine.change.params import GuardParams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.engine.change.change import Change
    from lpad.simulator.smdp.functions.faults import ActiveFaults
    from lpad.simulator.smdp.functions.function_table import HttpAnswer

LIST = 0xBF28
RETRIEVE = 0xBF2B
THIRD = "8900101000000000033"


@contextmanager
def list_held(lab: Lab) -> Iterator[None]:
    """Have the card hold back its list of notifications, and all later answers, until the context is left."""
    go_on = threading.Event()

    def hold(answer: bytes) -> bytes:
        assert go_on.wait(LONG)
        return answer

    lab.card.faults.corrupt(LIST, hold)
    try:
        yield
    finally:
        go_on.set()


def told(lab: Lab, change: Change) -> Change:
    """Return a change once its result is known, whether its notifications are copied or not."""
    return lab.until(lambda: lab.engine.change(change.id), lambda seen: seen.state.ended)


def nothing_left(lab: Lab) -> None:
    lab.until_true(lambda: lab.card.notifications == () and not pending(lab))


def events(lab: Lab) -> list[str]:
    return [each.event for each in lab.server.notifications]


@pytest.mark.parametrize("kind", [Kind.ENABLE, Kind.DISABLE])
def test_a_switch_is_done_before_its_notifications_are_copied(lab: Lab, kind: Kind) -> None:
    """A switch is done before its notifications are copied; then lpad copies and delivers them."""
    lab.install()
    if kind is Kind.DISABLE:
        assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
    nothing_left(lab)
    with list_held(lab):
        assert told(lab, lab.submit(kind, iccid=FIRST)).state is State.DONE
        assert lab.engine.card(CARD).owes_copies()
        assert pending(lab) == []
    nothing_left(lab)
    assert not lab.engine.card(CARD).owes_copies()
    assert events(lab)[-1] == str(kind)


def test_copied_delivered_and_removed_in_one_session(lab: Lab) -> None:
    """Notifications that a switch's session has read are removed from the card without a comparison."""
    lab.install()
    nothing_left(lab)
    lab.modem.received.clear()
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
    nothing_left(lab)
    lab.until_true(lambda: not lab.card.open_channels)
    lines = list(lab.modem.received)
    assert sum("BF2B" in line and "81E291" in line for line in lines) == 1
    opened = [line for line in lines if '"0070000001"' in line]
    assert len(opened) == 2, "the request, and its verification with the notifications"


def _asked_for_notifications(lab: Lab) -> list[str]:
    return [line for line in lab.modem.received if "81E291" in line and "BF2B" in line]


def _switch_with_two_notifications(lab: Lab) -> None:
    """Enable the second profile, so that the first one is disabled, and wait until all is delivered."""
    lab.install()
    lab.install(iccid=SECOND)
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
    nothing_left(lab)
    lab.modem.received.clear()
    assert lab.carry_out(Kind.ENABLE, iccid=SECOND).state is State.DONE
    nothing_left(lab)


def test_the_notifications_of_a_switch_are_read_with_one_command(lab: Lab) -> None:
    """The notifications of a switch are read with one command, and reach the server in order."""
    _switch_with_two_notifications(lab)
    assert len(_asked_for_notifications(lab)) == 1
    assert events(lab)[-2:] == ["disable", "enable"]


@pytest.mark.parametrize("answer", [0x6F00, 0x6400, b"\xbf\x2b\x01", bytes.fromhex("BF2B03810101")])
def test_a_card_that_cannot_return_several_is_asked_for_one_at_a_time(lab: Lab, answer: bytes | int) -> None:
    """A card that cannot return several notifications together is asked for one at a time from then on."""
    lab.install()
    lab.install(iccid=SECOND)
    nothing_left(lab)
    lab.card.faults.corrupt(RETRIEVE, lambda whole: answer if _has_several(whole) else whole, times=100)
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
    nothing_left(lab)
    for iccid, commands in ((SECOND, 3), (FIRST, 2)):
        lab.modem.received.clear()
        assert lab.carry_out(Kind.ENABLE, iccid=iccid).state is State.DONE
        nothing_left(lab)
        assert events(lab)[-2:] == ["disable", "enable"]
        assert len(_asked_for_notifications(lab)) == commands


def test_a_card_that_returns_only_some_is_asked_for_the_others(lab: Lab) -> None:
    """If a card returns only some of the requested notifications, the others are requested by number."""
    lab.install()
    lab.install(iccid=SECOND)
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
    nothing_left(lab)
    lab.card.faults.corrupt(RETRIEVE, lambda whole: _first_only(whole) if _has_several(whole) else whole)
    lab.modem.received.clear()
    assert lab.carry_out(Kind.ENABLE, iccid=SECOND).state is State.DONE
    nothing_left(lab)
    assert len(_asked_for_notifications(lab)) == 2
    assert events(lab)[-2:] == ["disable", "enable"]


def _signed(answer: bytes) -> list[tlv.Tlv]:
    """Return the signed notifications in the answer of ES10b.RetrieveNotificationsList."""
    (found,) = tlv.parse(answer).children()
    return list(found.children())


def _has_several(answer: bytes) -> bool:
    return len(_signed(answer)) > 1


def _first_only(answer: bytes) -> bytes:
    return tlv.encode(RETRIEVE, tlv.encode(0xA0, _signed(answer)[0].raw))


def test_a_session_lost_after_the_result_is_opened_again(lab: Lab) -> None:
    """A card that restarts before its notifications are read is asked for them in another session."""
    lab.install()
    nothing_left(lab)

    def restart(_answer: bytes) -> int:
        lab.card.reset()
        return 0x6881

    lab.card.faults.corrupt(LIST, restart)
    assert told(lab, lab.submit(Kind.ENABLE, iccid=FIRST)).state is State.DONE
    nothing_left(lab)
    assert events(lab)[-1] == "enable"


def test_a_deletion_copies_them_first(lab: Lab) -> None:
    """A deletion waits until the profile's notifications are copied, as the card may delete them, too."""
    lab.install()
    lab.install(iccid=SECOND)
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
    nothing_left(lab)
    lab.modem.received.clear()
    with held(lab):
        lab.submit(Kind.ENABLE, iccid=SECOND)
        deletion = lab.submit(Kind.DELETE, iccid=FIRST)
    assert lab.ended(deletion.id).state is State.DONE
    lines = list(lab.modem.received)
    copied = next(number for number, line in enumerate(lines) if "E29100" in line and "BF2B" in line)
    deleted = next(number for number, line in enumerate(lines) if "E29100" in line and "BF33" in line)
    assert copied < deleted
    nothing_left(lab)
    assert events(lab)[-3:] == ["disable", "enable", "delete"]


def test_the_next_switch_delays_them_no_further(lab: Lab) -> None:
    """Of two switches in a row, the second copies the first one's notifications before it runs."""
    lab.install()
    lab.install(iccid=SECOND)
    nothing_left(lab)
    with held(lab):
        first = lab.submit(Kind.ENABLE, iccid=FIRST)
        second = lab.submit(Kind.ENABLE, iccid=SECOND)
        third = lab.submit(Kind.ENABLE, iccid=FIRST)
    assert told(lab, first).state is State.DONE
    assert told(lab, second).state is State.DONE
    assert "enable" in {each.event for each in pending(lab)} | set(events(lab))
    assert lab.ended(third.id).state is State.DONE
    nothing_left(lab)
    assert events(lab)[2:].count("enable") == 3


def test_a_download_copies_them_first(lab: Lab) -> None:
    """The notification of an installation reaches the server after those of an earlier switch."""
    lab.install()
    lab.install(iccid=SECOND, name="Second")
    lab.carry_out(Kind.ENABLE, iccid=FIRST)
    nothing_left(lab)
    before = len(events(lab))
    order = lab.order(iccid=THIRD, name="Third")
    with silent(lab, "authenticateClient") as asked:
        download = lab.submit(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)})
        assert asked.acquire(timeout=LONG)
        assert told(lab, lab.submit(Kind.ENABLE, iccid=SECOND)).state is State.DONE
        ended = lab.ended(download.id)
    assert (ended.state, ended.overtaken) == (State.DONE, 1)
    nothing_left(lab)
    assert events(lab)[before:] == ["disable", "enable", "install", "install"]


def test_a_trial_begins_with_its_notifications_copied(lab: Lab) -> None:
    """A guarded switch copies the notifications before it waits for its guard."""
    lab.install()
    lab.install(iccid=SECOND)
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
    nothing_left(lab)
    change = lab.submit(Kind.ENABLE, iccid=SECOND, guard=GuardParams(until=("confirm",), within=LONG))
    lab.until(lambda: lab.engine.change(change.id), lambda seen: seen.step == "watch")
    assert not lab.engine.card(CARD).owes_copies()
    assert {"disable", "enable"} <= {each.event for each in pending(lab)} | set(events(lab)[2:])


def test_a_card_that_restarts_before_they_leave_it(lab: Lab) -> None:
    """If the card restarts before a removal, lpad compares each notification again before it removes it."""
    lab.install()
    nothing_left(lab)
    number = lab.card._chip.state.next_notification
    kept = []
    with list_held(lab):
        told(lab, lab.submit(Kind.ENABLE, iccid=FIRST))
        kept.extend(lab.card._chip.state.notifications)
    nothing_left(lab)
    assert lab.carry_out(Kind.DISABLE, iccid=FIRST).state is State.DONE
    nothing_left(lab)
    carry_out = lab.server.carry_out
    restarted = threading.Event()

    def restart(name: str, body: bytes, faults: ActiveFaults) -> HttpAnswer:
        if name == NOTIFY and not restarted.is_set():
            restarted.set()
            lab.card.reset()
            lab.card._chip.state.notifications = kept
        return carry_out(name, body, faults)

    lab.card._chip.state.next_notification = number
    before = len(lab.server.notifications)
    with patch.object(lab.server, "carry_out", restart):
        assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
        lab.until_true(restarted.is_set)
        nothing_left(lab)
    sent = lab.server.notifications[before:]
    assert [each.sequence_number for each in sent] == [number, number], "the copied one, and the card's"
