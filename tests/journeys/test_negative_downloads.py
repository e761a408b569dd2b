"""Downloads that fail: each has a typed error and leaves no partial result, and the next download works."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.simulator.euicc.chip.behaviour import CardBehaviour
from lpad.simulator.smdp.functions.faults import Fault, FaultKind, TlsIdentity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lpad.client import Change

FUNCTIONS = ("initiateAuthentication", "authenticateClient", "getBoundProfilePackage")


def failure(change: Change) -> tuple[str, dict[str, Any]]:
    """Check that a change has failed with a long sentence, and return its error's kind and details."""
    assert change.state in ("failed", "cancelled"), change
    assert change.error is not None
    assert len(change.error.sentence) > 20, "the sentence is too short to have a remedy"
    return change.error.kind, change.error.details


@contextmanager
def nothing_half_done(gateway: Gateway, profile: Callable[[], bytes]) -> Iterator[None]:
    """Check that the block leaves the card unchanged, and that the next download works."""
    before = gateway.card.profiles
    yield
    gateway.server.faults.clear()
    gateway.server.show(TlsIdentity.GOOD)
    assert gateway.card.profiles == before
    # The download's notifications may still be on the card.
    gateway.until(lambda: gateway.card.open_channels == ())
    assert gateway.download(gateway.order(profile())).check().state == "done"
    assert len(gateway.card.profiles) == len(before) + 1
    gateway.until(lambda: gateway.card.notifications == ())


def test_wrong_matching_id(gateway: Gateway, profile: Callable[[], bytes]) -> None:
    """The server permanently refuses an unknown matching ID."""
    with nothing_half_done(gateway, profile):
        kind, details = failure(gateway.download(f"1${gateway.server.address}$NO-SUCH-ORDER"))
        assert (kind, details["subject_code"], details["reason_code"]) == ("server-refused", "8.2.6", "3.8")
        assert details["remedy"] == "permanent"


def test_used_matching_id(gateway: Gateway, profile: Callable[[], bytes]) -> None:
    """The server refuses an activation code that was already used."""
    code = gateway.order(profile())
    gateway.download(code).check()
    # Until the server has the notification, it would offer the profile again.
    gateway.until(lambda: gateway.card.notifications == ())
    with nothing_half_done(gateway, profile):
        kind, details = failure(gateway.download(code))
        assert (kind, details["subject_code"]) == ("server-refused", "8.2.6")


def test_an_expired_order_is_reported_as_expired(gateway: Gateway, profile: Callable[[], bytes]) -> None:
    """The error for an expired order has the server's codes for an expired order."""
    with nothing_half_done(gateway, profile):
        code = gateway.order(profile(), expires=datetime.now(UTC) - timedelta(days=1))
        kind, details = failure(gateway.download(code))
        assert (kind, details["subject_code"], details["reason_code"]) == ("server-refused", "8.8.5", "4.10")


def test_address_of_another_server(gateway: Gateway, profile: Callable[[], bytes]) -> None:
    """If a server refuses the request because of its address, the error has the server's subject code."""
    with nothing_half_done(gateway, profile):
        gateway.server.faults.add(
            Fault(kind=FaultKind.REFUSE, function="initiateAuthentication", value="8.8.1/3.8", times=2)
        )
        kind, details = failure(gateway.download(gateway.order(profile())))
        assert (kind, details["subject_code"]) == ("server-refused", "8.8.1")


def test_an_address_without_a_server(gateway: Gateway, profile: Callable[[], bytes]) -> None:
    """An address without a server is unreachable, and the error allows another attempt."""
    with nothing_half_done(gateway, profile):
        change = gateway.download("1$127.0.0.1:9$ABC")
        assert failure(change)[0] == "server-unreachable"
        assert change.error is not None
        assert change.error.retryable


@dataclass(frozen=True)
class Wrong:
    """A server's fault, and the kind and details of the error that it must lead to."""

    fault: Fault
    kind: str
    details: dict[str, Any] = field(default_factory=dict)


WRONGS = {
    "unknown CI": Wrong(
        Fault(kind=FaultKind.UNKNOWN_CI, function="initiateAuthentication"),
        "card-refused",
        {"function": "ES10b.AuthenticateServer", "reason": "ciPKUnknown"},
    ),
    "bad server signature": Wrong(
        Fault(kind=FaultKind.BAD_SIGNATURE, function="initiateAuthentication"),
        "card-refused",
        {"function": "ES10b.AuthenticateServer", "reason": "invalidSignature"},
    ),
    "bad signature on the offer": Wrong(
        Fault(kind=FaultKind.BAD_SIGNATURE, function="authenticateClient"),
        "card-refused",
        {"function": "ES10b.PrepareDownload", "reason": "invalidSignature"},
    ),
    "another address in what is signed": Wrong(
        Fault(kind=FaultKind.SIGNED_ADDRESS, function="initiateAuthentication", value="evil.example.com"),
        "server-untrusted",
    ),
    "another challenge in what is signed": Wrong(
        Fault(kind=FaultKind.SIGNED_CHALLENGE, function="initiateAuthentication"), "server-malformed"
    ),
    "another transaction in what is signed": Wrong(
        Fault(kind=FaultKind.SIGNED_TRANSACTION_ID, function="initiateAuthentication"), "server-malformed"
    ),
    "another profile in the package than was offered": Wrong(
        Fault(kind=FaultKind.METADATA_MISMATCH, function="authenticateClient"), "server-malformed"
    ),
    "corrupted segment": Wrong(
        Fault(kind=FaultKind.BPP_BIT_FLIP, function="getBoundProfilePackage", value=2),
        "card-refused",
        {
            "function": "ES10b.LoadBoundProfilePackage",
            "reason": "scp03tSecurityError",
            "command": "loadProfileElements",
        },
    ),
    "package cut short": Wrong(
        Fault(kind=FaultKind.BPP_OUTER_LENGTH, function="getBoundProfilePackage"), "server-malformed"
    ),
    "package without a profile": Wrong(
        Fault(kind=FaultKind.BPP_NO_PROFILE, function="getBoundProfilePackage"), "server-malformed"
    ),
    "package for another transaction": Wrong(
        Fault(kind=FaultKind.BPP_TRANSACTION_ID, function="getBoundProfilePackage"), "server-malformed"
    ),
    "package signed wrong": Wrong(
        Fault(kind=FaultKind.BPP_SIGNATURE, function="getBoundProfilePackage"),
        "card-refused",
        {"reason": "invalidSignature", "command": "initialiseSecureChannel"},
    ),
}


@pytest.mark.parametrize("name", WRONGS)
def test_server_in_the_wrong(gateway: Gateway, profile: Callable[[], bytes], name: str) -> None:
    """Lpad or the card notices each fault of a server, and the download ends with its error."""
    wrong = WRONGS[name]
    with nothing_half_done(gateway, profile):
        gateway.server.faults.add(wrong.fault)
        kind, details = failure(gateway.download(gateway.order(profile())))
        assert kind == wrong.kind
        assert details | wrong.details == details
        assert gateway.server.faults.pending == ()


@pytest.mark.parametrize(
    ("identity", "cause"),
    [
        (TlsIdentity.EXPIRED, "certificate-expired"),
        (TlsIdentity.OTHER_NAME, "certificate-for-other-name"),
        (TlsIdentity.UNKNOWN_CA, "unknown-ca"),
    ],
)
def test_an_untrusted_certificate_gets_no_request(
    gateway: Gateway, profile: Callable[[], bytes], identity: TlsIdentity, cause: str
) -> None:
    """If a TLS certificate is not trusted, the error gives the cause, and no request is sent."""
    with nothing_half_done(gateway, profile):
        gateway.server.show(identity)
        gateway.server.counters.reset()
        kind, details = failure(gateway.download(gateway.order(profile())))
        assert (kind, details["cause"]) == ("server-untrusted", cause)
        assert not gateway.server.counters.requests


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("when", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
def test_a_server_that_goes_away_is_unreachable(
    gateway: Gateway, profile: Callable[[], bytes], function: str, when: FaultKind
) -> None:
    """A server that drops a download's connection is unreachable, and the same code works later."""
    code = gateway.order(profile())
    with nothing_half_done(gateway, profile):
        gateway.server.faults.add(Fault(kind=when, function=function))
        change = gateway.download(code)
        assert failure(change)[0] == "server-unreachable"
        assert change.error is not None
        assert change.error.retryable
    gateway.download(code).check()


@pytest.mark.parametrize("when", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
def test_server_gone_at_the_notification(
    own_gateway: Gateway, profile: Callable[[], bytes], when: FaultKind
) -> None:
    """If the server fails at HandleNotification, the download is done; the delivery follows later."""
    own_gateway.server.faults.add(Fault(kind=when, function="handleNotification", times=2))
    own_gateway.download(own_gateway.order(profile())).check()
    own_gateway.until(
        lambda: any(
            "server-unreachable" in str(each.last_error) for each in own_gateway.client.notifications(CARD)
        )
    )
    own_gateway.server.faults.clear()
    own_gateway.client.deliver_notifications(CARD, wait=PATIENCE).check()
    own_gateway.until(lambda: not own_gateway.card.notifications)
    assert {each.event for each in own_gateway.server.notifications if each.verified} == {"install"}


def test_server_gone_at_the_cancellation(gateway: Gateway, profile: Callable[[], bytes]) -> None:
    """If the server drops the connection at CancelSession, the error still gives the original cause."""
    with nothing_half_done(gateway, profile):
        gateway.server.faults.add(
            Fault(kind=FaultKind.METADATA_MISMATCH, function="authenticateClient"),
            Fault(kind=FaultKind.DROP_BEFORE, function="cancelSession"),
        )
        assert failure(gateway.download(gateway.order(profile())))[0] == "server-malformed"


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    "nonsense",
    [
        FaultKind.BODY_MALFORMED,
        FaultKind.BODY_HTML,
        FaultKind.BODY_EMPTY,
        FaultKind.BODY_OVERSIZED,
        FaultKind.FIELD_MISSING,
        FaultKind.BASE64_BROKEN,
        FaultKind.DER_BROKEN,
        FaultKind.WRONG_TRANSACTION_ID,
    ],
)
def test_malformed_answers_end_the_session(
    gateway: Gateway, profile: Callable[[], bytes], function: str, nonsense: FaultKind
) -> None:
    """Malformed JSON, base64 or DER in any answer is reported as the server's error and ends the session."""
    with nothing_half_done(gateway, profile):
        gateway.server.faults.add(Fault(kind=nonsense, function=function))
        kind, _ = failure(gateway.download(gateway.order(profile())))
        assert kind == "server-malformed"


def test_the_server_is_informed_of_a_rejection(gateway: Gateway, profile: Callable[[], bytes]) -> None:
    """If the user rejects a profile, lpad informs the server, which cancels the order."""
    with nothing_half_done(gateway, profile):
        asking = gateway.download(gateway.order(profile(), matching_id="DECLINED"), confirm=True)
        assert asking.state == "waiting"
        assert asking.question is not None
        assert asking.question.kind == "consent"
        ended = gateway.client.answer(asking.id, decision="reject", wait=PATIENCE)
        assert failure(ended)[0] == "declined"
        order = next(each for each in gateway.server.orders.all() if each.matching_id == "DECLINED")
        assert order.state == "cancelled"


def test_confirmation_code_missing(profile: Callable[[], bytes]) -> None:
    """If no confirmation code is given in time, the download fails, and the code works later."""
    with Gateway(settings={"answer_within": 0.2}) as gateway:
        gateway.ready()
        code = gateway.order(profile(), confirmation_code="code-4711")
        with nothing_half_done(gateway, profile):
            asking = gateway.download(code)
            ended = gateway.client.wait(asking.id, seconds=PATIENCE) if not asking.ended else asking
            gateway.until(lambda: gateway.client.change(ended.id).ended)
            assert failure(gateway.client.change(ended.id))[0] == "confirmation-code-required"
        gateway.download(code, confirmation_code="code-4711").check()


def test_confirmation_code_wrong_then_right(gateway: Gateway, profile: Callable[[], bytes]) -> None:
    """After a wrong confirmation code lpad asks again; the right one installs the profile."""
    asking = gateway.download(
        gateway.order(profile(), confirmation_code="code-4711"), confirmation_code="code-1234"
    )
    assert asking.state == "waiting"
    assert asking.question is not None
    assert asking.question.code_refused
    assert (
        gateway.client.answer(asking.id, confirmation_code="code-4711", wait=PATIENCE).check().state == "done"
    )


def test_confirmation_code_exhausted(gateway: Gateway, profile: Callable[[], bytes]) -> None:
    """After too many wrong confirmation codes, the server refuses the order."""
    with nothing_half_done(gateway, profile):
        code = gateway.order(profile(), confirmation_code="code-4711", confirmation_limit=2)
        change = gateway.download(code, confirmation_code="1")
        change = gateway.client.answer(change.id, confirmation_code="2", wait=PATIENCE)
        kind, details = failure(change)
        assert (kind, details["subject_code"], details["reason_code"]) == ("server-refused", "8.2.7", "6.4")


def test_iccid_already_there(gateway: Gateway, profile: Callable[[], bytes]) -> None:
    """The card refuses a profile whose ICCID is already on the card."""
    twice = profile()
    gateway.download(gateway.order(twice)).check()
    with nothing_half_done(gateway, profile):
        kind, details = failure(gateway.download(gateway.order(twice)))
        assert kind == "card-refused"
        assert details["reason"] == "installFailedDueToIccidAlreadyExistsOnEuicc"


def test_a_full_card_is_reported_as_full(profile: Callable[[], bytes]) -> None:
    """If a card is full, the error says to delete a profile; after a deletion, the next download works."""
    with Gateway(behaviour=CardBehaviour(memory=8_000)) as gateway:
        gateway.ready()
        first = gateway.download(gateway.order(profile())).check()
        change = gateway.download(gateway.order(profile()))
        kind, details = failure(change)
        assert kind == "card-refused"
        assert details["reason"] == "installFailedDueToInsufficientMemoryForProfile"
        assert change.error is not None
        assert "delete" in change.error.sentence
        gateway.client.delete(CARD, str((first.result or {})["iccid"]), wait=PATIENCE).check()
        gateway.download(gateway.order(profile())).check()


def test_redirect_is_refused(gateway: Gateway, profile: Callable[[], bytes]) -> None:
    """A download does not follow a redirect, but fails with a server's error."""
    with nothing_half_done(gateway, profile):
        gateway.server.faults.add(
            Fault(kind=FaultKind.REDIRECT, function="authenticateClient", value="https://evil.example.com/")
        )
        assert failure(gateway.download(gateway.order(profile())))[0].startswith("server-")


@pytest.mark.parametrize("status", [404, 500, 503])
def test_an_http_error_is_the_servers(gateway: Gateway, profile: Callable[[], bytes], status: int) -> None:
    """An HTTP error status is reported as a server's error."""
    with nothing_half_done(gateway, profile):
        gateway.server.faults.add(
            Fault(kind=FaultKind.HTTP_STATUS, function="authenticateClient", value=status)
        )
        assert failure(gateway.download(gateway.order(profile())))[0].startswith("server-")


@pytest.mark.parametrize(
    "style",
    [
        Fault(kind=FaultKind.STATUS, value="ExecutedSuccess", times=0),
        Fault(kind=FaultKind.STATUS, value="Executed-WithWarning", times=0),
        Fault(kind=FaultKind.LOWER_CASE_TRANSACTION_ID, times=0),
        Fault(kind=FaultKind.BASE64_NEWLINES, times=0),
        Fault(kind=FaultKind.BASE64_UNPADDED, times=0),
        Fault(kind=FaultKind.BODY_EMPTY, function="handleNotification", times=0),
        Fault(kind=FaultKind.BODY_SUCCESS, function="handleNotification", times=0),
    ],
    ids=lambda fault: f"{fault.kind} {fault.value or ''}",
)
def test_styles_of_servers_in_the_field(
    own_gateway: Gateway, profile: Callable[[], bytes], style: Fault
) -> None:
    """Known deviations of real servers from the standard are understood."""
    own_gateway.server.faults.add(style)
    own_gateway.download(own_gateway.order(profile())).check()
    own_gateway.until(lambda: not own_gateway.card.notifications)
