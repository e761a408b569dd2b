"""Notifications that cannot be delivered: because of servers, cards, swaps and interruptions."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from engine.clocks import DAY, TODAY, YEAR, Clocks
from engine.lab import FIRST, Lab, result_of
from engine.outbox.test_outbox import NOTIFY, failed_once, pending
from engine.test_full_disk import no_space
from engine.test_hotplug import OTHER_EID
from lpad.base.backoff import JITTER
from lpad.base.deadline import Deadline
from lpad.base.errors import (
    JournalUnavailable,
    LpadError,
    ServerFailed,
    ServerMalformed,
    ServerRefused,
    ServerUnreachable,
)
from lpad.base.identifiers import Eid
from lpad.engine.change.change import Kind, State
from lpad.engine.change.event_subscriptions import Hub
from lpad.engine.change.steady_clock import Moment
from lpad.engine.environment.clock_and_network import Environment
from lpad.engine.journal.notifications import Stage
from lpad.engine.outbox import BACKOFF, delivery, notification_retrieval, outbox
from lpad.engine.outbox.outbox import Outbox
from lpad.remote.es9plus import Es9Plus
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.euicc.chip.behaviour import CardBehaviour
from lpad.simulator.smdp.functions.faults import Fault, FaultKind
from lpad.simulator.smdp.store.profile_metadata import ProfileMetadata, Recipient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.engine.journal import Journal, StoredNotification
    from lpad.simulator.pki.pki import Pki


@pytest.fixture
def mute() -> Iterator[str]:
    """Yield the address of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def metadata(*recipients: Recipient) -> ProfileMetadata:
    return ProfileMetadata(iccid=FIRST, name="First", recipients=recipients)


def refuse(lab: Lab, *, times: int, code: str = "8.10/2.1") -> None:
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.REFUSE, value=code, times=times))


def set_aside(lab: Lab) -> None:
    """Have a download's only notification refused until lpad sets it aside."""
    refuse(lab, times=delivery.REFUSALS)
    lab.install(metadata=metadata())
    failed_once(lab)
    for _ in range(delivery.REFUSALS - 1):
        assert lab.carry_out(Kind.DELIVER_NOTIFICATIONS).state is State.FAILED


def test_thirty_days_and_more() -> None:
    """The waits between attempts to send a notification vary; the first 50 span over thirty days."""
    waits = [BACKOFF.after(number) for number in range(1, 60)]
    assert sum(waits[:50]) > 30 * 24 * 3600
    assert max(waits) <= BACKOFF.longest
    assert all(abs(wait - 24 * 3600) <= 24 * 3600 * JITTER for wait in waits[10:])
    assert len(set(waits[10:])) > 1


def test_a_hanging_recipient_does_not_delay_the_others(lab: Lab, mute: str) -> None:
    """While one server does not answer, notifications for other servers are delivered."""
    lab.patient(delivery=2)
    told = lab.engine.subscribe(lambda: None)
    lab.install(metadata=metadata(Recipient(address=mute), Recipient()))
    lab.carry_out(Kind.ENABLE, iccid=FIRST)
    whats: list[tuple[object, bool]] = []

    def failed() -> bool:
        whats.extend(
            (event.data["what"], event.data["address"] == mute)
            for event in told.take()
            if event.type == "notification"
        )
        return ("failed", True) in whats

    lab.until_true(failed)
    first_failure = whats.index(("failed", True))
    assert ("delivered", False) in whats[:first_failure]
    lab.until_true(lambda: [each.event for each in lab.server.notifications][-1:] == ["enable"])
    lab.until_true(lambda: {each.address for each in pending(lab)} == {mute})
    told.close()


def test_a_permanently_refused_notification_is_set_aside(lab: Lab) -> None:
    """A notification that is refused permanently several times is set aside, and stays on the card."""
    set_aside(lab)
    (stored,) = pending(lab)
    assert (stored.stage, stored.attempts) == (Stage.REFUSED, delivery.REFUSALS)
    assert stored.last_error is not None
    assert stored.last_error.startswith("server-refused")
    assert result_of(lab.carry_out(Kind.DELIVER_NOTIFICATIONS)) == {"delivered": 0}
    assert [each.number for each in lab.card.notifications] == [stored.seq]
    assert lab.server.notifications == ()
    events = [each for each in lab.engine.events.after(0, limit=999) if each.type.endswith("set-aside.v1")]
    assert [each.type for each in events] == ["org.lpad.notification.set-aside.v1"]
    assert [(each.data()["seq"], each.data()["event"], each.data()["cause"]) for each in events] == [
        (stored.seq, "install", "server-refused")
    ]


def test_a_notification_set_aside_is_retried_by_hand(lab: Lab) -> None:
    """A retry by hand sends the notification that was set aside and removes it from the card."""
    set_aside(lab)
    (stored,) = pending(lab)
    change = lab.carry_out(Kind.DELIVER_NOTIFICATIONS, seq=stored.seq)
    assert result_of(change) == {"delivered": 1}
    assert pending(lab) == []
    assert lab.card.notifications == ()


def test_a_notification_set_aside_is_dropped_by_hand(lab: Lab) -> None:
    """A dropped notification is removed from the card and the outbox, and is never sent to its server."""
    set_aside(lab)
    (stored,) = pending(lab)
    change = lab.carry_out(Kind.DROP_NOTIFICATION, seq=stored.seq)
    assert change.result is not None
    assert result_of(change)["event"] == "install"
    assert pending(lab) == []
    assert lab.card.notifications == ()
    assert lab.server.notifications == ()
    again = lab.carry_out(Kind.DROP_NOTIFICATION, seq=stored.seq)
    assert again.error is not None
    assert again.error.kind == "not-found"


def test_a_notification_for_an_invalid_address_is_set_aside(lab: Lab) -> None:
    """A notification for an invalid address is set aside as invalid-value, and others are sent."""
    lab.install(metadata=metadata(Recipient(address="https://nowhere/"), Recipient()))
    left = lab.until(lambda: pending(lab), lambda left: [each.stage for each in left] == [Stage.REFUSED])
    assert left[0].last_error is not None
    assert left[0].last_error.startswith("invalid-value")


def test_a_server_error_for_one_of_them_does_not_bury_the_rest(lab: Lab) -> None:
    """If a server repeatedly answers 500 to one notification, lpad sends later ones after a while."""
    lab.server.faults.add(
        Fault(function=NOTIFY, kind=FaultKind.HTTP_STATUS, value=500, times=delivery.PATIENT_TRIES)
    )
    lab.install()
    failed_once(lab)
    for _ in range(delivery.PATIENT_TRIES - 1):
        lab.carry_out(Kind.DELIVER_NOTIFICATIONS)
    lab.until_true(lambda: [each.sequence_number for each in lab.server.notifications] == [2])
    assert [each.seq for each in pending(lab) if each.unsent] == [1]


def test_days_without_a_network_do_not_count_against_a_notification(lab: Lab) -> None:
    """Attempts without a network do not count: after one server error, later notifications still wait."""
    lab.server.faults.add(
        Fault(function=NOTIFY, kind=FaultKind.DROP_BEFORE, times=delivery.PATIENT_TRIES),
        Fault(function=NOTIFY, kind=FaultKind.HTTP_STATUS, value=500),
    )
    lab.install()
    failed_once(lab)
    for _ in range(delivery.PATIENT_TRIES + 1):
        lab.carry_out(Kind.DELIVER_NOTIFICATIONS)
    lab.until_true(lambda: [each.sequence_number for each in lab.server.notifications] == [1, 2])


@pytest.mark.parametrize("limit", ["MOST_OF_A_CARD", "MOST_OF_ALL"])
def test_a_card_that_lists_ever_more(lab: Lab, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """Lpad copies a limited number of notifications; others stay on the card until those are sent."""
    monkeypatch.setattr(notification_retrieval, limit, 2)
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.DROP_BEFORE, times=100))
    lab.install(metadata=metadata(Recipient()))
    for kind in (Kind.ENABLE, Kind.DISABLE, Kind.ENABLE):
        lab.carry_out(kind, iccid=FIRST)
    listed = [each.number for each in lab.card.notifications]
    assert len(listed) > 2
    assert [each.seq for each in pending(lab)] == listed[:2]
    lab.server.faults.clear()
    for _ in listed:
        lab.carry_out(Kind.DELIVER_NOTIFICATIONS)
    lab.until_true(lambda: lab.card.notifications == () and pending(lab) == [])
    assert [each.sequence_number for each in lab.server.notifications] == listed


def test_a_notification_beyond_all_reason(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A notification larger than lpad's limit is not copied into the outbox, and stays on the card."""
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.DROP_BEFORE, times=100))
    lab.install()
    copied = [each.seq for each in pending(lab)]
    monkeypatch.setattr(notification_retrieval, "LARGEST", 100)
    lab.carry_out(Kind.ENABLE, iccid=FIRST)
    assert [each.seq for each in pending(lab)] == copied
    assert [each.number for each in lab.card.notifications] == [*copied, copied[-1] + 1]
    assert "more than lpad accepts, and stays on the card" in caplog.text


@pytest.mark.parametrize("error", [True, False])
def test_number_0_and_a_card_that_forgets(tmp_path: Path, pki: Pki, *, error: bool) -> None:
    """Lpad sends notification 0 even if the card has lost it and answers with an error or an empty list."""
    behaviour = CardBehaviour(first_notification=0, unknown_notification_is_error=error)
    with Lab(tmp_path, pki, behaviour=behaviour) as lab:
        lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.DROP_BEFORE, times=1))
        lab.install()
        assert failed_once(lab).seq == 0
        lab.stop()
        lab.card.transmit(bytes.fromhex("00A4040010A0000005591010FFFFFFFF8900000100"))
        lab.card.transmit(bytes.fromhex("80E2910006BF3003800100"))
        assert result_of(lab.carry_out(Kind.DELIVER_NOTIFICATIONS)) == {"delivered": 2}
        assert [each.sequence_number for each in lab.server.notifications] == [0, 1]
        assert lab.card.notifications == ()


def test_an_address_with_blanks_and_capitals(lab: Lab) -> None:
    """Addresses that differ only in blanks and capitals are the same recipient, with one queue."""
    odd = f" {lab.server.address.upper()} "
    lab.install(metadata=metadata(Recipient(address=odd), Recipient()))
    lab.until(lambda: lab.server.notifications, lambda found: len(found) == 3)
    assert [each.sequence_number for each in lab.server.notifications] == [1, 2, 3]
    lab.until_true(lambda: lab.card.notifications == ())


def test_another_cards_numbers_mean_nothing(lab: Lab, pki: Pki) -> None:
    """A notification accepted for one card is not removed from another card that uses the same number."""
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.HTTP_STATUS, value=503, times=100))
    lab.install(metadata=metadata())
    failed_once(lab)
    lab.stop()
    journal = lab.journal()
    (accepted,) = journal.notifications.all()
    journal.notifications.mark_delivered(accepted.id)
    journal.close()
    with SoftCard(lab.folder / "other", pki=pki, eid=Eid.parse(OTHER_EID)) as other:
        lab.modem.swap_card(other)
        lab.install(metadata=metadata())
        lab.engine._delivered(str(other.eid))
        assert lab.carry_out(Kind.REFRESH).state is State.DONE
        assert [each.number for each in other.notifications] == [accepted.seq]
        assert [(each.eid, each.seq) for each in pending(lab)] == [(OTHER_EID, accepted.seq)]
        lab.modem.swap_card(lab.card)
        assert lab.carry_out(Kind.REFRESH).state is State.DONE
        lab.until_true(lambda: lab.card.notifications == ())
        assert [each.number for each in other.notifications] == [accepted.seq]


@pytest.mark.parametrize("stage", [Stage.SENDING, Stage.REMOVING])
def test_cut_off_in_the_middle(lab: Lab, stage: Stage) -> None:
    """After a restart lpad repeats an unfinished delivery, and completes an unfinished removal."""
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.DROP_BEFORE, times=1))
    lab.install(metadata=metadata())
    failed_once(lab)
    lab.stop()
    journal = lab.journal()
    (stored,) = journal.notifications.all()
    if stage is Stage.SENDING:
        journal.notifications.mark_sending(stored.id, at=0.0)
        journal.notifications.make_due(at=0.0)
    else:
        journal.notifications.mark_removing(stored.id)
    journal.close()
    lab.start()
    lab.until_true(lambda: lab.card.notifications == ())
    assert len(lab.server.notifications) == (1 if stage is Stage.SENDING else 0)
    lab.until_true(lambda: pending(lab) == [])


def due_without_engine(lab: Lab) -> tuple[Journal, Outbox]:
    """Stop the engine; return its journal, in which all notifications are due, and an idle outbox."""
    lab.stop()
    journal = lab.journal()
    journal.notifications.make_due(at=0.0)
    box = Outbox(
        journal,
        Hub(),
        lambda address, _eid: Es9Plus(address, trust=lab.trust),
        patience=lambda: 5,
        on_delivered=lambda _eid: None,
        environment=Environment(),
    )
    return journal, box


def test_nothing_is_sent_that_cant_be_written_down(lab: Lab) -> None:
    """On a full disk a notification is neither sent nor removed from the card."""
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.DROP_BEFORE, times=1))
    lab.install(metadata=metadata())
    stored = failed_once(lab)
    journal, box = due_without_engine(lab)
    with no_space():
        assert isinstance(box.deliver().errors[stored.address], JournalUnavailable)
    assert lab.server.notifications == ()
    assert box.deliver().delivered == 1
    journal.close()


def test_on_a_full_disk_attempts_are_not_repeated_immediately(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    """On a full disk the outbox waits before it tries again."""
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.DROP_BEFORE, times=1))
    lab.install(metadata=metadata())
    failed_once(lab)
    journal, box = due_without_engine(lab)
    caplog.clear()
    with no_space():
        box.start()
        lab.until_true(lambda: bool(caplog.records))
        threading.Event().wait(0.5)
        assert len(caplog.records) <= 2
    box.stop()
    box.join(deadline=Deadline.after(10))
    assert not box.alive
    journal.close()


@pytest.mark.parametrize("error", [ValueError("a mistake"), JournalUnavailable("cannot write")], ids=repr)
@pytest.mark.parametrize(
    ("place", "name"),
    [(delivery.DeliveryRound, "run"), (Outbox, "_begin_rounds")],
    ids=["a round", "the beginning of all rounds"],
)
def test_after_an_internal_error_attempts_are_not_repeated_immediately(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, place: type, name: str, error: Exception
) -> None:
    """After an internal error the outbox does not try again immediately, but when it is woken."""
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.DROP_BEFORE, times=1))
    lab.install(metadata=metadata())
    failed_once(lab)
    journal, box = due_without_engine(lab)
    tries = []

    def mistaken(*_: object) -> None:
        tries.append(threading.current_thread())
        if len(tries) > 20:
            box.stop()  # A failed test must not fill the log.
        raise error

    monkeypatch.setattr(place, name, mistaken)
    monkeypatch.setattr(outbox, "SHORTEST_WAIT", 0.0)
    box.start()
    for number in range(1, 6):
        lab.until_true(lambda wanted=number: len(tries) >= wanted)  # type: ignore[misc]  # the lambda's default is an int
        lab.until_true(lambda: not any("outbox " in each.name for each in threading.enumerate()))
        assert len(tries) == number
        box.wake()
    box.stop()
    box.join(deadline=Deadline.after(10))
    assert not box.alive
    journal.close()


def test_a_network_that_is_back(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the network is back, waiting notifications are tried immediately, except for those just tried."""
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.DROP_BEFORE, times=1))
    lab.install(metadata=metadata())
    waits = failed_once(lab)
    lab.engine.network_is_back()
    assert pending(lab) == [waits]
    monkeypatch.setattr(outbox, "REST", 0.0)
    lab.engine.network_is_back()
    lab.until_true(lambda: lab.card.notifications == ())
    assert len(lab.server.notifications) == 1


def years_later(stored: StoredNotification) -> Moment:
    return Moment(wall=4e9, boot=4e9, boot_id="b", steady=stored.stored_at + 10 * YEAR)


def test_a_clock_that_is_set_sets_nothing_aside(lab: Lab) -> None:
    """Setting a clock from 1970 to today does not set a notification aside; 31 days of error answers do."""
    clocks = Clocks(wall=100.0)
    lab.clocks = clocks
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.DROP_BEFORE, times=1))
    lab.install(metadata=metadata())
    stored = failed_once(lab)
    refused = ServerUnreachable("404", retryable=False, http_status=404)
    clocks.wall = TODAY
    assert not delivery.is_set_aside(stored, refused, at=lab.engine.now())
    often = replace(stored, answered=delivery.PATIENT_TRIES, answered_since=stored.stored_at)
    assert not delivery.is_set_aside(often, refused, at=lab.engine.now())
    clocks.pass_by(31 * DAY)
    assert delivery.is_set_aside(often, refused, at=lab.engine.now())


def test_thirty_days_count_from_the_first_answer(lab: Lab) -> None:
    """Even after 90 days without a network, only 30 days of error answers set a notification aside."""
    lab.clocks = clocks = Clocks(wall=TODAY)
    lab.server.faults.add(
        Fault(function=NOTIFY, kind=FaultKind.DROP_BEFORE, times=1),
        Fault(function=NOTIFY, kind=FaultKind.HTTP_STATUS, value=404, times=100),
    )
    lab.install(metadata=metadata())
    assert failed_once(lab).answered_since is None
    clocks.pass_by(90 * DAY)

    def tried() -> StoredNotification:
        lab.carry_out(Kind.DELIVER_NOTIFICATIONS)
        return pending(lab)[0]

    stored = lab.until(tried, lambda seen: seen.answered > delivery.PATIENT_TRIES)
    assert stored.stage is Stage.PENDING
    clocks.pass_by(29 * DAY)
    stored = lab.until(tried, lambda seen: seen.answered > stored.answered)
    assert stored.stage is Stage.PENDING
    clocks.pass_by(2 * DAY)
    lab.until(tried, lambda seen: seen.stage is Stage.REFUSED)


@pytest.mark.parametrize(
    ("error", "aside"),
    [
        (ServerRefused("x", remedy="permanent"), True),
        (ServerRefused("x", remedy="retry"), False),
        (ServerUnreachable("x"), False),
    ],
)
def test_who_is_set_aside(lab: Lab, error: LpadError, *, aside: bool) -> None:
    """Permanent refusals set a notification aside; temporary refusals or an unreachable server do not."""
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.DROP_BEFORE, times=1))
    lab.install(metadata=metadata())
    stored = failed_once(lab)
    often = replace(stored, refusals=delivery.REFUSALS, attempts=400)
    assert delivery.is_set_aside(often, error, at=years_later(stored)) is aside


@pytest.mark.parametrize(
    ("error", "aside"),
    [
        (ServerMalformed("x"), True),
        (ServerFailed("x", http_status=500), True),
        (ServerUnreachable("x", http_status=404), True),
        (ServerRefused("x", remedy="retry"), True),
        (ServerUnreachable("x", http_status=302), False),
        (ServerUnreachable("x"), False),
    ],
)
def test_who_is_set_aside_in_the_end(lab: Lab, error: LpadError, *, aside: bool) -> None:
    """A month of error answers sets a notification aside; redirects and silence do not count."""
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.DROP_BEFORE, times=1))
    lab.install(metadata=metadata())
    stored = failed_once(lab)
    answered = {"answered": delivery.PATIENT_TRIES, "answered_since": stored.stored_at}
    often = replace(stored, **answered, attempts=400)
    assert delivery.is_set_aside(often, error, at=years_later(stored)) is aside
    assert not delivery.is_set_aside(replace(often, answered_since=None), error, at=years_later(stored)), (
        "answers that an earlier lpad has counted"
    )
    assert not delivery.is_set_aside(replace(often, answered=0), error, at=years_later(stored)), (
        "a month without a network"
    )
    assert not delivery.is_set_aside(
        often, error, at=Moment(wall=4e9, boot=4e9, boot_id="b", steady=stored.stored_at + 3600)
    )
