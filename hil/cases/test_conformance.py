"""The behaviour of an LPA during and after a download (based on SGP.23, 4.4), with the bench's own SM-DP+.

hil/conformance.md compares the cases of this folder with everything that can be tested in an LPA.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hil.orders.own_smdp import OwnOrder
from hil.place.place import PATIENCE
from lpad.client import ApiError
from lpad.simulator.smdp.functions.faults import Fault, FaultKind

if TYPE_CHECKING:
    from hil.orders.own_smdp import OwnServer
    from hil.place.place import Place
    from lpad.client import Change

pytestmark = pytest.mark.needs("server")


def forget(place: Place, change: Change) -> None:
    """Check that a download has succeeded, and delete its profile."""
    iccid = str((change.check().result or {})["iccid"])
    place.client.delete(place.name, iccid, wait=PATIENCE).check()


def enable_for_a_moment(place: Place, iccid: str) -> None:
    """Enable a profile, then enable the previous one again, or disable it if none was enabled."""
    before = place.enabled()
    place.enable(iccid).check()
    if before is not None:
        place.enable(before).check()
    else:
        place.client.disable(place.name, iccid, accept_offline=True, wait=PATIENCE).check()


def test_wrong_confirmation_code(place: Place, server: OwnServer) -> None:
    """A wrong confirmation code is reported, lpad asks again, and the right code is used (8.2.7/3.8)."""
    order = server.order(place.eid, confirmation=True)
    change = place.client.download_leased(place.name, order, confirmation_code="9999", wait=PATIENCE)
    assert change.question is not None
    assert change.question.code_refused
    place.client.answer(change.id, confirmation_code=order.confirmation_code)
    done = place.client.settle_leased(change.id, order, seconds=PATIENCE).check()
    place.client.delete(place.name, str((done.result or {})["iccid"]), wait=PATIENCE).check()


def test_declined(place: Place, server: OwnServer) -> None:
    """A download whose profile is rejected fails with `declined`."""
    order = server.order(place.eid)
    change = place.client.download_leased(place.name, order, confirm=True, wait=PATIENCE)
    assert change.question is not None
    assert change.question.kind == "consent"
    place.client.answer(change.id, decision="reject")
    ended = place.client.settle_leased(change.id, order, seconds=PATIENCE)
    assert ended.error is not None
    assert ended.error.kind == "declined"


def test_postponed(place: Place, server: OwnServer) -> None:
    """A download whose profile is postponed fails with `declined`, and its code works later."""
    order = server.order(place.eid)
    change = place.client.download_leased(place.name, order, confirm=True, wait=PATIENCE)
    place.client.answer(change.id, decision="postpone")
    ended = place.client.settle_leased(change.id, order, seconds=PATIENCE)
    assert ended.error is not None
    assert ended.error.kind == "declined"
    forget(place, place.client.download_leased(place.name, order, wait=PATIENCE))


def test_cancelled(place: Place, server: OwnServer) -> None:
    """A cancellation while lpad asks for consent ends the download, and the code works later."""
    order = server.order(place.eid)
    change = place.client.download_leased(place.name, order, confirm=True, wait=PATIENCE)
    assert change.question is not None
    place.client.cancel(change.id)
    ended = place.client.settle_leased(change.id, order, seconds=PATIENCE)
    assert ended.state == "cancelled"
    forget(place, place.client.download_leased(place.name, order, wait=PATIENCE))


def test_package_asked_for_twice(place: Place, server: OwnServer) -> None:
    """If a package is lost in transit, lpad requests it again in a new session (SGP.22, 3.1.3)."""
    server.do_wrong(Fault(kind=FaultKind.DROP_AFTER, function="getBoundProfilePackage"))
    order = server.order(place.eid)
    forget(place, place.client.download_leased(place.name, order, retry_for=300, wait=PATIENCE))


def test_address_in_capitals(place: Place, server: OwnServer) -> None:
    """A signed server address is compared without regard to case (RFC 4343)."""
    server.do_wrong(
        Fault(kind=FaultKind.SIGNED_ADDRESS, function="initiateAuthentication", value=server.address.upper())
    )
    forget(place, place.client.download_leased(place.name, server.order(place.eid), wait=PATIENCE))


def test_the_same_profile_twice(place: Place, server: OwnServer) -> None:
    """A profile that is already on the card is not installed again, and the card stays unchanged."""
    done = place.client.download_leased(place.name, server.order(place.eid), wait=PATIENCE).check()
    iccid = str((done.result or {})["iccid"])
    before = place.client.profiles(place.name)
    again = server.order(place.eid, iccid=iccid)
    change = place.client.download_leased(place.name, again, retry_for=0, wait=PATIENCE)
    assert change.error is not None
    assert change.error.kind in ("card-refused", "conflict"), change.error
    assert place.client.profiles(place.name) == before
    forget(place, done)


def test_nothing_waits_at_the_default_smdp(place: Place, server: OwnServer) -> None:
    """A default SM-DP+ without an order for this card refuses with the subject code 8.2.6 or 8.1.1."""
    before = place.until_ready().addresses
    place.client.set_default_smdp(place.name, server.address, wait=PATIENCE).check()
    try:
        nothing = OwnOrder(code="", default_smdp=server.address, confirmation_code=None)
        change = place.client.download_leased(place.name, nothing, retry_for=0, wait=PATIENCE)
        assert change.error is not None
        assert change.error.kind == "server-refused"
        assert change.error.details["subject_code"] in ("8.2.6", "8.1.1")
    finally:
        address = before.default_smdp if before is not None else None
        place.client.set_default_smdp(place.name, address or "", wait=PATIENCE).check()


def test_notification_that_is_not_taken(place: Place, server: OwnServer) -> None:
    """No notification is lost while the server refuses notifications, and the profile is usable meanwhile."""
    seen = len(server.notifications)
    server.do_wrong(
        Fault(kind=FaultKind.HTTP_STATUS, function="handleNotification", value=500, times=0),
    )
    done = place.client.download_leased(place.name, server.order(place.eid), wait=PATIENCE).check()
    iccid = str((done.result or {})["iccid"])
    enable_for_a_moment(place, iccid)
    assert server.notifications[seen:] == ()
    server.do_right()
    forget(place, done)
    place.deliver(iccid)
    told = [each for each in server.notifications[seen:] if each.iccid == iccid]
    assert told[0].event == "install"
    assert [each.event for each in told][-3:] == ["enable", "disable", "delete"]


def test_notifications_arrive_in_order(place: Place, server: OwnServer) -> None:
    """Signed notifications of each operation reach the server in the card's order (SGP.22, 3.5)."""
    seen = len(server.notifications)
    done = place.client.download_leased(place.name, server.order(place.eid), wait=PATIENCE).check()
    iccid = str((done.result or {})["iccid"])
    enable_for_a_moment(place, iccid)
    place.client.delete(place.name, iccid, wait=PATIENCE).check()
    place.deliver(iccid)
    mine = [each for each in server.notifications[seen:] if each.iccid == iccid]
    assert all(each.verified for each in mine)
    assert [each.event for each in mine if each.kind == "other"][-3:] == ["enable", "disable", "delete"]
    numbers = [each.sequence_number for each in mine]
    assert numbers == sorted(numbers)


def test_a_code_without_an_address(place: Place) -> None:
    """An activation code without a server address is refused by lpad."""
    with pytest.raises(ApiError) as refused:
        place.client.try_code(place.name, "LPA:1$$MADE-UP", retry_for=0, wait=PATIENCE)
    assert refused.value.kind == "invalid-activation-code"


def test_a_server_that_does_not_listen(place: Place) -> None:
    """If no server listens at the activation code's address, the change fails with `server-unreachable`."""
    change = place.client.try_code(place.name, "1$127.0.0.1:9$MADE-UP", retry_for=0, wait=PATIENCE)
    assert change.error is not None
    assert change.error.kind == "server-unreachable"
