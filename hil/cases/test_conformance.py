"""How an LPA must take what a server does (after SGP.23, 4.4): one thing goes wrong in each case.

They run with the bench's own SM-DP+, so that a card with a test CI is all they need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from hil.place import PATIENCE
from lpad.client import ApiError
from lpad.simulator.faults import Fault, FaultKind

if TYPE_CHECKING:
    from hil.place import Place
    from hil.server import OwnServer

pytestmark = pytest.mark.needs("server")


@dataclass(frozen=True, slots=True)
class Wrong:
    """What a server does wrong, and the kind of error that it must lead to."""

    fault: Fault
    kind: str


INITIATE, AUTHENTICATE, GET_PACKAGE = "initiateAuthentication", "authenticateClient", "getBoundProfilePackage"

WRONGS = {
    "transaction ID differs": Wrong(
        Fault(kind=FaultKind.WRONG_TRANSACTION_ID, function=INITIATE), "server-malformed"
    ),
    "server's signature is wrong": Wrong(
        Fault(kind=FaultKind.BAD_SIGNATURE, function=INITIATE), "card-refused"
    ),
    "challenge is another": Wrong(
        Fault(kind=FaultKind.SIGNED_CHALLENGE, function=INITIATE), "server-malformed"
    ),
    "card unknown (8.1.1/3.8)": Wrong(
        Fault(kind=FaultKind.REFUSE, function=AUTHENTICATE, value="8.1.1/3.8"), "server-refused"
    ),
    "matching ID refused (8.2.6/3.8)": Wrong(
        Fault(kind=FaultKind.REFUSE, function=AUTHENTICATE, value="8.2.6/3.8"), "server-refused"
    ),
    "order expired (8.8.5/4.10)": Wrong(
        Fault(kind=FaultKind.REFUSE, function=AUTHENTICATE, value="8.8.5/4.10"), "server-refused"
    ),
    "HTTP 500": Wrong(
        Fault(kind=FaultKind.HTTP_STATUS, function=AUTHENTICATE, value=500, times=9), "server-unreachable"
    ),
    "a web page": Wrong(Fault(kind=FaultKind.BODY_HTML, function=INITIATE), "server-malformed"),
    "a field is missing": Wrong(
        Fault(kind=FaultKind.FIELD_MISSING, function=GET_PACKAGE), "server-malformed"
    ),
    "package's signature is wrong": Wrong(
        Fault(kind=FaultKind.BAD_SIGNATURE, function=AUTHENTICATE), "card-refused"
    ),
    "a bit of the package is turned": Wrong(
        Fault(kind=FaultKind.BPP_BIT_FLIP, function=GET_PACKAGE), "card-refused"
    ),
    "metadata differ from what was shown": Wrong(
        Fault(kind=FaultKind.METADATA_MISMATCH, function=AUTHENTICATE), "server-malformed"
    ),
}


@pytest.mark.parametrize("wrong", WRONGS.values(), ids=WRONGS)
def test_server_does_wrong(place: Place, server: OwnServer, wrong: Wrong) -> None:
    """The error has its kind, nothing is installed, and the next download works."""
    before = {profile.iccid for profile in place.client.profiles(place.name)}
    server.do_wrong(wrong.fault)
    change = place.client.download_leased(place.name, server.order(place.eid), retry_for=0, wait=PATIENCE)
    assert change.error is not None
    assert change.error.kind == wrong.kind, change.error
    server.do_right()
    assert {profile.iccid for profile in place.client.profiles(place.name)} == before
    done = place.client.download_leased(place.name, server.order(place.eid), wait=PATIENCE).check()
    place.client.delete(place.name, str((done.result or {})["iccid"]), wait=PATIENCE).check()


@pytest.mark.parametrize(
    "fault",
    [FaultKind.LOWER_CASE_TRANSACTION_ID, FaultKind.BASE64_NEWLINES],
    ids=["lower-case transaction ID", "line breaks in base64"],
)
def test_server_is_peculiar(place: Place, server: OwnServer, fault: FaultKind) -> None:
    """What servers in the field do, and what is no error, does no harm."""
    server.do_wrong(Fault(kind=fault, function=INITIATE))
    done = place.client.download_leased(place.name, server.order(place.eid), wait=PATIENCE).check()
    place.client.delete(place.name, str((done.result or {})["iccid"]), wait=PATIENCE).check()


def test_wrong_confirmation_code(place: Place, server: OwnServer) -> None:
    """A wrong code is told, asked for anew, and the right one is taken (8.2.7/3.8)."""
    order = server.order(place.eid, confirmation=True)
    change = place.client.download_leased(place.name, order, confirmation_code="9999", wait=PATIENCE)
    assert change.question is not None
    assert change.question.code_refused
    place.client.answer(change.id, confirmation_code=order.confirmation_code)
    done = place.client.settle_leased(change.id, order, seconds=PATIENCE).check()
    place.client.delete(place.name, str((done.result or {})["iccid"]), wait=PATIENCE).check()


def test_declined(place: Place, server: OwnServer) -> None:
    """A profile that is declined is not installed, and the session is cancelled at card and server."""
    order = server.order(place.eid)
    change = place.client.download_leased(place.name, order, confirm=True, wait=PATIENCE)
    assert change.question is not None
    assert change.question.kind == "consent"
    place.client.answer(change.id, decision="reject")
    ended = place.client.settle_leased(change.id, order, seconds=PATIENCE)
    assert ended.error is not None
    assert ended.error.kind == "declined"


def test_notifications_arrive_in_order(place: Place, server: OwnServer) -> None:
    """Install, enable, disable and delete reach the server, signed, in the card's order (SGP.22, 3.5)."""
    seen = len(server.notifications)
    done = place.client.download_leased(place.name, server.order(place.eid), wait=PATIENCE).check()
    iccid, before = str((done.result or {})["iccid"]), place.enabled()
    place.enable(iccid).check()
    if before is not None:
        place.enable(before).check()
    else:
        place.client.disable(place.name, iccid, wait=PATIENCE).check()
    place.client.delete(place.name, iccid, wait=PATIENCE).check()
    place.client.deliver_notifications(place.name, wait=PATIENCE).check()
    mine = [each for each in server.notifications[seen:] if each.iccid == iccid]
    assert all(each.verified for each in mine)
    assert [each.event for each in mine if each.kind == "other"][-3:] == ["enable", "disable", "delete"]
    numbers = [each.sequence_number for each in mine]
    assert numbers == sorted(numbers)


def test_a_code_without_an_address(place: Place) -> None:
    """An activation code that names no server, where no default server may be asked for it, is refused."""
    with pytest.raises(ApiError) as refused:
        place.client.try_code(place.name, "LPA:1$$MADE-UP", retry_for=0, wait=PATIENCE)
    assert refused.value.kind == "invalid-activation-code"


def test_a_server_that_does_not_listen(place: Place) -> None:
    """An activation code that leads to nobody ends the change, which tells it."""
    change = place.client.try_code(place.name, "1$127.0.0.1:9$MADE-UP", retry_for=0, wait=PATIENCE)
    assert change.error is not None
    assert change.error.kind == "server-unreachable"
