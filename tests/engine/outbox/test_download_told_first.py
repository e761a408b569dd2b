"""The caller of a download gets the result before lpad delivers the notifications; none of them is lost."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from engine.holding import silent
from engine.lab import CARD, FIRST, LONG, SECOND, Lab, result_of
from engine.outbox.test_answered_results import nothing
from engine.outbox.test_outbox import NOTIFY, pending
from engine.outbox.test_told_before_copied import (
    LIST,
    RETRIEVE,
    events,
    list_held,
    nothing_left,
    told,
)
from lpad.engine.change.change import Kind, State
from lpad.engine.change.params import GuardParams
from lpad.engine.outbox import kept_download_connections
from lpad.engine.running.change_question_answer import Answer
from lpad.engine.worker.notification_removal import NotificationRemoval
from lpad.lpa.download import Download
from lpad.simulator.smdp.functions.faults import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.deadline import Deadline
    from lpad.engine.change.change import Change
    from lpad.lpa.download import Installed

ALWAYS = 1000
LATE = ("lpad.engine.operations.installation_notifications", "lpad.engine.outbox.kept_download_connections")
"""The modules that only a download needs."""
CHANNEL = '"0070000001"'
"""The command that opens a logical channel."""


def _download(lab: Lab, iccid: str = FIRST, **params: object) -> Change:
    """Submit a download; return its change."""
    order = lab.order(iccid=iccid, name=iccid[-3:])
    return lab.submit(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)}, **params)


def _ready(lab: Lab) -> None:
    """Wait until the card and its list of notifications were read."""
    assert lab.carry_out(Kind.REFRESH).state is State.DONE


def _asks_for(tag: int, line: str) -> bool:
    return "E29100" in line and f"{tag:04X}" in line


@pytest.mark.parametrize("enable", [False, True])
def test_a_download_is_done_before_its_notifications_are_copied(lab: Lab, *, enable: bool) -> None:
    """A download is done while its notifications are on the card; then lpad copies and delivers them."""
    _ready(lab)
    with list_held(lab):
        change = told(lab, _download(lab, enable=enable))
        assert change.state is State.DONE
        assert lab.engine.card(CARD).owes_copies()
        assert pending(lab) == []
        (profile,) = lab.engine.snapshot(CARD).listed.profiles
        assert (profile.iccid, profile.enabled) == (FIRST, enable)
    assert "notifications_delivered" not in result_of(change)
    nothing_left(lab)
    assert events(lab) == ["install", "install", *(["enable"] if enable else [])]


def test_one_session_and_one_connection(lab: Lab) -> None:
    """Notifications are copied and removed in the download's session, and delivered over its connection."""
    told(lab, _download(lab))
    nothing_left(lab)
    lab.stop()
    lines = list(lab.modem.received)
    assert sum(CHANNEL in line for line in lines) == 2, "one to read the card at the start"
    assert sum(_asks_for(RETRIEVE, line) for line in lines) == 1
    assert lab.server.counters.tcp_connects == 1
    assert lab.server.counters.requests[NOTIFY] == 2


def test_a_server_that_does_not_answer_delays_nothing(lab: Lab) -> None:
    """A download is done, and another change runs, while a server delays its answer to a notification."""
    with silent(lab, NOTIFY) as asked:
        change = told(lab, _download(lab))
        assert asked.acquire(timeout=LONG)
        assert change.state is State.DONE
        assert told(lab, lab.submit(Kind.ENABLE, iccid=FIRST)).state is State.DONE
    nothing_left(lab)
    assert events(lab).count("enable") == 1


def test_a_server_that_fails_gets_them_later(lab: Lab) -> None:
    """If a server fails, the download is done nevertheless, and its notifications wait in the outbox."""
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.HTTP_STATUS, value=503))
    assert told(lab, _download(lab)).state is State.DONE
    lab.until(lambda: pending(lab), lambda left: [each.attempts for each in left] == [1, 0])
    assert len(lab.card.notifications) == 2
    lab.carry_out(Kind.DELIVER_NOTIFICATIONS)
    nothing_left(lab)
    assert events(lab) == ["install", "install"]


def test_a_card_that_restarts_after_the_result(lab: Lab) -> None:
    """After a restart of the card, another session reads the other notifications and compares the result."""

    def restart(_answer: bytes) -> int:
        lab.card.reset()
        return 0x6881

    _ready(lab)
    lab.card.faults.corrupt(LIST, restart)
    assert told(lab, _download(lab)).state is State.DONE
    nothing_left(lab)
    assert events(lab) == ["install", "install"]


@pytest.mark.parametrize("enable", [False, True])
@pytest.mark.parametrize("listed", [nothing, lambda _: 0x6F00], ids=["nothing", "refused"])
def test_a_card_that_does_not_list_the_result(
    lab: Lab, listed: Callable[[bytes], bytes | int], *, enable: bool
) -> None:
    """If a card does not list an installation's result, lpad delivers the card's answer itself, only once."""
    _ready(lab)
    lab.card.faults.corrupt(LIST, listed, times=ALWAYS)
    assert told(lab, _download(lab, enable=enable)).state is State.DONE
    lab.until(lambda: events(lab), lambda seen: seen == ["install"])
    lab.card.faults.forget()
    lab.carry_out(Kind.DELIVER_NOTIFICATIONS)
    nothing_left(lab)
    assert sorted(each.sequence_number for each in lab.server.notifications) == [
        1,
        2,
        *([3] if enable else []),
    ]


@pytest.mark.parametrize("enable", [False, True])
def test_a_card_that_does_not_return_the_result_again(lab: Lab, *, enable: bool) -> None:
    """If the card lists the result but refuses to return it, lpad delivers the answer that it got before."""
    _ready(lab)
    lab.card.faults.corrupt(RETRIEVE, lambda _: 0x6F00, times=ALWAYS)
    assert told(lab, _download(lab, enable=enable)).state is State.DONE
    lab.until(lambda: events(lab), lambda seen: seen == ["install"])
    lab.card.faults.forget()
    lab.carry_out(Kind.DELIVER_NOTIFICATIONS)
    nothing_left(lab)
    assert sorted(each.sequence_number for each in lab.server.notifications) == [
        1,
        2,
        *([3] if enable else []),
    ]


def test_lpad_that_stops_after_the_result(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a stop, lpad copies the remaining notifications from the card, and delivers all in order."""
    with monkeypatch.context() as patched:
        patched.setattr(NotificationRemoval, "due_at", None)
        assert told(lab, _download(lab)).state is State.DONE
        lab.stop()
    assert len(lab.card.notifications) >= 1
    lab.start()
    nothing_left(lab)
    numbers = [each.sequence_number for each in lab.server.notifications]
    assert sorted(set(numbers)) == [1, 2]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("kind", [Kind.DELETE, Kind.RESET])
def test_a_deletion_copies_them_first(lab: Lab, monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    """A deletion or a reset right after the download waits until the download's notifications are copied."""
    with monkeypatch.context() as patched:
        patched.setattr(NotificationRemoval, "due_at", None)
        assert told(lab, _download(lab)).state is State.DONE
        lab.modem.received.clear()
        params = {"iccid": FIRST} if kind is Kind.DELETE else {"operational_profiles": True}
        assert told(lab, lab.submit(kind, **params)).state is State.DONE
        lines = list(lab.modem.received)
    copied = next(number for number, line in enumerate(lines) if _asks_for(RETRIEVE, line))
    tag = 0xBF33 if kind is Kind.DELETE else 0xBF34
    deleted = next(number for number, line in enumerate(lines) if _asks_for(tag, line))
    assert copied < deleted
    _ready(lab)  # The refresh wakes the worker, which found nothing due.
    nothing_left(lab)
    assert events(lab)[:2] == ["install", "install"]


def test_the_next_download_copies_them_first(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two downloads, the server gets the first download's notifications first."""
    with monkeypatch.context() as patched:
        patched.setattr(NotificationRemoval, "due_at", None)
        assert told(lab, _download(lab)).state is State.DONE
        assert told(lab, _download(lab, SECOND)).state is State.DONE
    _ready(lab)  # The refresh wakes the worker, which found nothing due.
    nothing_left(lab)
    assert [each.sequence_number for each in lab.server.notifications] == [1, 2, 3, 4]


def test_a_download_that_waits_for_a_person_delays_no_earlier_notification(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first download's notifications, copied by a second, are delivered while the second waits."""
    with monkeypatch.context() as patched:
        patched.setattr(NotificationRemoval, "due_at", None)
        assert told(lab, _download(lab, enable=True)).state is State.DONE
        second = lab.asked(_download(lab, SECOND, confirm=True).id)
        lab.until(lambda: events(lab), lambda seen: seen == ["install", "install", "enable"])
        assert not lab.engine.change(second.id).state.ended


def test_nothing_is_loaded_once_the_profile_is_installed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A download that has succeeded does not fail if lpad's package is replaced meanwhile."""
    for name in LATE:
        monkeypatch.delitem(sys.modules, name, raising=False)
    carry_out = Download.run

    def replaced(download: Download, *, deadline: Deadline) -> Installed:
        installed = carry_out(download, deadline=deadline)
        for name in LATE:
            if name not in sys.modules:
                monkeypatch.setitem(sys.modules, name, None)
        return installed

    monkeypatch.setattr(Download, "run", replaced)
    assert told(lab, _download(lab)).state is State.DONE
    nothing_left(lab)


def test_a_guarded_download_copies_and_delivers_them_first(lab: Lab) -> None:
    """A guarded download delivers its notifications before its guard, as the new profile may not work."""
    change = _download(lab, enable=True, guard=GuardParams(until=("confirm",), within=LONG))
    assert not lab.asked(change.id).state.ended
    assert events(lab)[:2] == ["install", "install"]
    lab.engine.answer(change.id, Answer(confirm=True))
    assert result_of(told(lab, change))["notifications_delivered"] == 2
    nothing_left(lab)


class _Loan:
    """A port that was borrowed from another program."""

    hold = LONG
    was_lent = True

    def give_back(self) -> None:
        """Do nothing."""


def test_a_borrowed_port_is_not_borrowed_again(lab: Lab) -> None:
    """With a borrowed port, notifications are delivered and removed before the download is done."""
    lab.start(replace(lab.port, loan=_Loan()))
    change = told(lab, _download(lab))
    assert result_of(change)["notifications_delivered"] == 2
    assert lab.card.notifications == ()


def test_an_unused_connection_is_closed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the download's connection is closed before the notifications are sent, a new one delivers them."""
    monkeypatch.setattr(kept_download_connections, "KEPT", 0.0)
    assert told(lab, _download(lab)).state is State.DONE
    nothing_left(lab)
    assert lab.server.counters.tcp_connects > 1
    assert events(lab) == ["install", "install"]
