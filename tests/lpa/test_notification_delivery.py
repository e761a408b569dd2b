"""The steps of a notification from the card to the server: copying, delivering and removing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpa.bench import ICCID, Bench, soon
from lpad.base.errors import InvalidValue, ServerError, ServerFailed, ServerRefused, ServerUnreachable
from lpad.base.identifiers import Iccid
from lpad.lpa.notification_delivery import PendingNotification, deliver, remove, retrieve
from lpad.simulator.euicc.chip.behaviour import CardBehaviour
from lpad.simulator.smdp.functions.faults import Fault, FaultKind
from lpad.simulator.smdp.store.profile_metadata import Event, ProfileMetadata, Recipient

if TYPE_CHECKING:
    from lpa.conftest import MakeBench

HANDLE = "handleNotification"


def pending(number: int, address: str) -> PendingNotification:
    return PendingNotification(number, "enable", address, None, b"\x30\x00")


def test_copy_deliver_remove(bench: Bench) -> None:
    """A download's notifications are copied, delivered as they were signed, and then removed."""
    bench.download(bench.order())
    with bench.euicc() as euicc, bench.server() as server:
        found = retrieve(euicc, deadline=soon())
        assert [one.event for one in found] == ["install", "install"]
        assert {str(one.iccid) for one in found} == {ICCID}
        assert [one.payload for one in found] == [one.signed for one in bench.card.notifications]
        for one in found:
            deliver(one, server, deadline=soon())
            remove(euicc, one.sequence_number, deadline=soon())
        assert retrieve(euicc, deadline=soon()) == ()
    assert [got.verified for got in bench.smdp.notifications] == [True, True]
    assert [got.sequence_number for got in bench.smdp.notifications] == [one.sequence_number for one in found]


def test_a_notification_is_copied_by_its_number(make_bench: MakeBench) -> None:
    """A single notification can be copied by its number, even if this is 0."""
    with make_bench(behaviour=CardBehaviour(first_notification=0)) as bench:
        bench.download(bench.order())
        with bench.euicc() as euicc:
            (first,) = retrieve(euicc, sequence_number=0, deadline=soon())
            assert first.sequence_number == 0
            remove(euicc, 0, deadline=soon())
            assert [one.sequence_number for one in retrieve(euicc, deadline=soon())] == [1]


@pytest.mark.parametrize("is_error", [True, False])
def test_a_number_that_is_gone(make_bench: MakeBench, is_error: bool) -> None:  # noqa: FBT001  a table's column
    """A notification that is gone can be copied and removed without an error."""
    with (
        make_bench(behaviour=CardBehaviour(unknown_notification_is_error=is_error)) as bench,
        bench.euicc() as euicc,
    ):
        assert retrieve(euicc, sequence_number=77, deadline=soon()) == ()
        remove(euicc, 77, deadline=soon())


@pytest.mark.parametrize(
    ("fault", "value", "error"),
    [
        (FaultKind.REFUSE, "8.10.1/3.9", ServerRefused),
        (FaultKind.HTTP_STATUS, 500, ServerFailed),
        (FaultKind.HTTP_STATUS, 401, ServerUnreachable),
        (FaultKind.DROP_BEFORE, None, ServerUnreachable),
        (FaultKind.DROP_AFTER, None, ServerUnreachable),
    ],
)
def test_a_delivery_that_is_not_accepted_is_an_error(
    bench: Bench, fault: FaultKind, value: str | int | None, error: type[ServerError]
) -> None:
    """If the server does not accept a notification, the delivery raises an error; a second delivery works."""
    bench.download(bench.order())
    bench.smdp.faults.add(Fault(kind=fault, function=HANDLE, value=value))
    with bench.euicc() as euicc, bench.server() as server:
        (first, *_) = retrieve(euicc, deadline=soon())
        with pytest.raises(error):
            deliver(first, server, deadline=soon())
        deliver(first, server, deadline=soon())
    assert len(bench.card.notifications) == 2


@pytest.mark.parametrize("fault", [FaultKind.BODY_EMPTY, FaultKind.BODY_SUCCESS])
def test_accepted_with_200(bench: Bench, fault: FaultKind) -> None:
    """An answer with status 200 and an empty body, or with a success in it, accepts a notification."""
    bench.download(bench.order())
    bench.smdp.faults.add(Fault(kind=fault, function=HANDLE))
    with bench.euicc() as euicc, bench.server() as server:
        deliver(retrieve(euicc, deadline=soon())[0], server, deadline=soon())


@pytest.mark.parametrize(
    "address", ["smdp.example.com", " SMDP.example.com ", "smdp. example.com", "smdp.example.com\r\n"]
)
def test_recipient_as_cards_write_it(address: str) -> None:
    """Blanks and capitals in a recipient's address are ignored."""
    assert str(pending(1, address).recipient) == "smdp.example.com"


def test_recipient_with_port() -> None:
    """A port in the recipient's address is kept."""
    assert str(pending(1, "smdp.example.com:8443").recipient) == "smdp.example.com:8443"


@pytest.mark.parametrize("address", ["", "https://smdp.example.com/", "-"])
def test_an_invalid_recipient_is_named(address: str) -> None:
    """The error for an invalid recipient names the notification by its number."""
    with pytest.raises(InvalidValue, match="notification 7"):
        _ = pending(7, address).recipient


def test_each_recipient_gets_a_notification(bench: Bench) -> None:
    """A switch leaves one notification for each of the profile's recipients of this event."""
    recipients = (Recipient((Event.ENABLE, Event.DISABLE)), Recipient((Event.ENABLE,), "second.example.com"))
    bench.download(bench.order(metadata=ProfileMetadata(iccid=ICCID, recipients=recipients)))
    with bench.euicc() as euicc:
        euicc.enable_profile(Iccid.parse(ICCID), refresh=False, deadline=soon())
    with bench.euicc() as euicc:
        found = retrieve(euicc, deadline=soon())
    assert {str(each.recipient) for each in found} == {bench.smdp.address, "second.example.com"}
    assert [each.event for each in found if str(each.recipient) == "second.example.com"] == ["enable"]
