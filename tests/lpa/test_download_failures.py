"""Downloads that fail: each has a typed error and leaves no partial result, and the next download works."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

import pytest

from lpa.bench import GOOD_WAY, ICCID, OTHER_ICCID, Bench, Caller, soon
from lpad.base.errors import (
    CardBusy,
    CardError,
    CardMalformed,
    CardRefused,
    CardStatus,
    CardUnreachable,
    LpadError,
    ServerFailed,
    ServerMalformed,
    ServerRefused,
    ServerUnreachable,
    ServerUntrusted,
)
from lpad.base.identifiers import Iccid
from lpad.lpa.download import Order
from lpad.protocol.download_state_table import Step
from lpad.simulator.euicc.chip.behaviour import CardBehaviour
from lpad.simulator.profile_package.made_up_profile import made_up_profile
from lpad.simulator.smdp.functions.faults import Fault, FaultKind, TlsIdentity
from lpad.simulator.smdp.functions.function_call import Call
from lpad.simulator.smdp.store.profile_metadata import ProfileMetadata

if TYPE_CHECKING:
    from lpa.conftest import MakeBench
    from lpad.base.deadline import Deadline
    from lpad.simulator.smdp.store.order import Order as ServersOrder

INITIATE, CLIENT, PACKAGE = "initiateAuthentication", "authenticateClient", "getBoundProfilePackage"
LOAD_BPP, CANCEL_SESSION = 0xBF36, 0xBF41
AUTHENTICATE_SERVER = bytes.fromhex("BF3882")


def fails(
    bench: Bench, order: ServersOrder | Order, error: type[LpadError], *, cancelled: bool, **details: object
) -> LpadError:
    """Check a download's error, its details and whether its session is cancelled; return the error."""
    caller = Caller()
    with pytest.raises(error) as caught:
        bench.download(order, caller)
    assert type(caught.value) is error
    assert details.items() <= caught.value.details.items()
    assert (caller.steps[-1] is Step.CANCEL_SESSION) is cancelled
    return caught.value


def works(bench: Bench, order: ServersOrder | None = None) -> None:
    bench.download(order or bench.order())
    assert [str(profile.iccid) for profile in bench.card.profiles] == [ICCID]


def test_wrong_matching_id(bench: Bench) -> None:
    """The server refuses an unknown matching ID, and the error does not contain the ID."""
    error = fails(
        bench,
        Order(matching_id="NO-SUCH-ID"),
        ServerRefused,
        cancelled=True,
        subject_code="8.2.6",
        reason_code="3.8",
        remedy="permanent",
    )
    assert "NO-SUCH-ID" not in error.sentence
    works(bench)


def test_used_matching_id(bench: Bench) -> None:
    """The server refuses a matching ID whose profile was reported as installed."""
    order = bench.order()
    bench.download(order)
    with bench.server() as server:
        for notification in bench.card.notifications:
            server.handle_notification(pending_notification=notification.signed, deadline=soon())
    fails(bench, order, ServerRefused, cancelled=True, subject_code="8.2.6", reason_code="3.8")
    bench.download(bench.order(OTHER_ICCID))


def test_an_expired_order_is_refused(bench: Bench) -> None:
    """An expired order is refused."""
    order = bench.order(expires=datetime.now(UTC) - timedelta(days=1))
    fails(bench, order, ServerRefused, cancelled=True, subject_code="8.8.5", reason_code="4.10")
    works(bench)


def test_order_not_released(bench: Bench) -> None:
    """An order that is not yet released may be retried, and works once it is released."""
    order = bench.order(released=False)
    error = fails(bench, order, ServerRefused, cancelled=True, remedy="retry")
    assert error.retryable
    bench.smdp.orders.release(order.id)
    works(bench, order)


def test_an_order_for_another_card_is_refused(bench: Bench) -> None:
    """An order for another card is refused."""
    other = bench.card.eid.with_check_digits("890490329999999999999999999999")
    order = bench.smdp.orders.add_order(made_up_profile(Iccid.parse(ICCID)), matching_id="X", eid=other)
    fails(bench, order, ServerRefused, cancelled=True, subject_code="8.1.1", reason_code="3.8")
    works(bench)


def test_a_server_of_another_address_opens_no_session(make_bench: MakeBench) -> None:
    """If a server refuses the address under which it was contacted, the card gets no AuthenticateServer."""
    with make_bench(aliases=()) as bench:
        order = bench.order()
        with pytest.raises(ServerRefused) as caught:
            bench.download(order, address=f"testsmdpplus1.example.com:{bench.smdp.port}")
        assert (caught.value.details["subject_code"], caught.value.details["reason_code"]) == ("8.8.1", "3.8")
        assert not any(AUTHENTICATE_SERVER in apdu for apdu in bench.contacts.apdus)
        works(bench, order)


@pytest.mark.parametrize(
    ("identity", "cause"),
    [
        (TlsIdentity.EXPIRED, "certificate-expired"),
        (TlsIdentity.OTHER_NAME, "certificate-for-other-name"),
        (TlsIdentity.UNKNOWN_CA, "unknown-ca"),
    ],
)
def test_untrusted_tls_certificates_are_refused(bench: Bench, identity: TlsIdentity, cause: str) -> None:
    """A TLS certificate that is expired, for another name, or of an unknown CA is refused."""
    bench.smdp.show(identity)
    order = bench.order()
    fails(bench, order, ServerUntrusted, cancelled=False, cause=cause)
    bench.smdp.show(TlsIdentity.GOOD)
    works(bench, order)


@pytest.mark.parametrize(
    ("fault", "error", "details"),
    [
        (FaultKind.SIGNED_ADDRESS, ServerUntrusted, {"cause": "other-address"}),
        (FaultKind.WRONG_TRANSACTION_ID, ServerMalformed, {}),
        (FaultKind.SIGNED_TRANSACTION_ID, ServerMalformed, {}),
        (FaultKind.SIGNED_CHALLENGE, ServerMalformed, {}),
        (FaultKind.OTHER_SIGNING_CI, ServerMalformed, {}),
    ],
)
def test_lpas_own_checks(
    bench: Bench, fault: FaultKind, error: type[LpadError], details: dict[str, str]
) -> None:
    """A server's first answer that fails lpad's own checks is not passed to the card."""
    bench.smdp.faults.add(Fault(kind=fault, function=INITIATE, value="other.example.com"))
    order = bench.order()
    fails(bench, order, error, cancelled=False, **details)
    assert not any(AUTHENTICATE_SERVER in apdu for apdu in bench.contacts.apdus)
    works(bench, order)


def test_signed_address_with_five_thousand_digits(bench: Bench) -> None:
    """A signed address that cannot be parsed counts as another server's address."""
    bench.smdp.faults.add(
        Fault(kind=FaultKind.SIGNED_ADDRESS, function=INITIATE, value="smdp.example.com:" + "1" * 5000)
    )
    order = bench.order()
    fails(bench, order, ServerUntrusted, cancelled=False, cause="other-address")
    works(bench, order)


def test_other_oid_than_the_activation_codes(bench: Bench) -> None:
    """If server and activation code have different OIDs, the download ends, and the error has both."""
    order = bench.order()
    code = Order(matching_id=order.matching_id, smdp_oid="2.999.11")
    error = fails(bench, code, ServerUntrusted, cancelled=False, cause="other-oid")
    assert "2.999.11" in error.sentence
    assert "2.999.10" in error.sentence
    works(bench, order)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (FaultKind.BAD_SIGNATURE, "invalidSignature"),
        (FaultKind.BAD_CERTIFICATE, "invalidCertificate"),
        (FaultKind.OTHER_ROLE, "invalidOid"),
        (FaultKind.UNKNOWN_CI, "ciPKUnknown"),
    ],
)
def test_card_refuses_the_server(bench: Bench, fault: FaultKind, reason: str) -> None:
    """If the card refuses the server, the error has the card's reason, and no session is cancelled."""
    bench.smdp.faults.add(Fault(kind=fault, function=INITIATE))
    order = bench.order()
    fails(bench, order, CardRefused, cancelled=False, function="ES10b.AuthenticateServer", reason=reason)
    works(bench, order)


def test_other_server_binds(bench: Bench) -> None:
    """If the certificates for authentication and binding have different OIDs, the server is untrusted."""
    bench.smdp.faults.add(Fault(kind=FaultKind.OTHER_OID, function=CLIENT))
    order = bench.order()
    fails(bench, order, ServerUntrusted, cancelled=True, cause="other-oid")
    works(bench)


def test_card_refuses_to_prepare(bench: Bench) -> None:
    """If the card refuses PrepareDownload because of a wrong signature, the session is cancelled."""
    bench.smdp.faults.add(Fault(kind=FaultKind.BAD_SIGNATURE, function=CLIENT))
    order = bench.order()
    fails(
        bench,
        order,
        CardRefused,
        cancelled=True,
        function="ES10b.PrepareDownload",
        reason="invalidSignature",
    )
    assert bench.state(order) == ("error", "undefined reason")
    works(bench)


@pytest.mark.parametrize("function", [INITIATE, CLIENT, PACKAGE])
@pytest.mark.parametrize(
    ("fault", "value"),
    [(FaultKind.DROP_BEFORE, None), (FaultKind.DROP_AFTER, None), (FaultKind.HTTP_STATUS, 503)],
)
def test_a_failing_server_leaves_a_usable_order(
    bench: Bench, function: str, fault: FaultKind, value: int | None
) -> None:
    """If a server fails at any call, the error is retryable, and the order works later."""
    bench.smdp.faults.add(Fault(kind=fault, function=function, value=value))
    order = bench.order()
    failed = ServerFailed if fault is FaultKind.HTTP_STATUS else ServerUnreachable
    error = fails(bench, order, failed, cancelled=function != INITIATE)
    assert error.retryable
    works(bench, order)


def test_server_gone_at_cancel_session(bench: Bench) -> None:
    """If the server fails at CancelSession, the first error is reported, and the order works later."""
    order = bench.order()
    bench.smdp.faults.add(
        Fault(kind=FaultKind.REFUSE, function=PACKAGE, value="8.2/3.7"),
        Fault(kind=FaultKind.DROP_BEFORE, function="cancelSession"),
    )
    fails(bench, order, ServerRefused, cancelled=True, subject_code="8.2", reason_code="3.7")
    works(bench, order)


@pytest.mark.parametrize("function", [INITIATE, CLIENT, PACKAGE])
@pytest.mark.parametrize(
    "fault",
    [FaultKind.BODY_MALFORMED, FaultKind.BODY_HTML, FaultKind.BODY_EMPTY, FaultKind.BODY_OVERSIZED],
)
def test_malformed_json_is_the_servers_fault(bench: Bench, function: str, fault: FaultKind) -> None:
    """An answer that is empty, huge or not valid JSON is reported as the server's fault."""
    bench.smdp.faults.add(Fault(kind=fault, function=function))
    fails(bench, bench.order(), ServerMalformed, cancelled=function != INITIATE)
    works(bench)


@pytest.mark.parametrize(
    ("function", "field"),
    [
        *(
            (INITIATE, field)
            for field in (
                "transactionId",
                "serverSigned1",
                "serverSignature1",
                "euiccCiPKIdToBeUsed",
                "serverCertificate",
            )
        ),
        *(
            (CLIENT, field)
            for field in (
                "transactionId",
                "profileMetadata",
                "smdpSigned2",
                "smdpSignature2",
                "smdpCertificate",
            )
        ),
        (PACKAGE, "transactionId"),
        (PACKAGE, "boundProfilePackage"),
    ],
)
@pytest.mark.parametrize("fault", [FaultKind.FIELD_MISSING, FaultKind.BASE64_BROKEN, FaultKind.DER_BROKEN])
def test_malformed_fields_do_not_reach_the_card(
    bench: Bench, function: str, field: str, fault: FaultKind
) -> None:
    """A field that is missing, not base64 or not DER, and a wrong transaction ID, are the server's fault."""
    if field == "transactionId" and fault is not FaultKind.FIELD_MISSING:
        fault = FaultKind.WRONG_TRANSACTION_ID
    bench.smdp.faults.add(Fault(kind=fault, function=function, value=field))
    fails(bench, bench.order(), ServerMalformed, cancelled=function != INITIATE)
    works(bench)


@pytest.mark.parametrize("fault", [FaultKind.BASE64_NEWLINES, FaultKind.BASE64_UNPADDED])
@pytest.mark.parametrize("function", [INITIATE, CLIENT, PACKAGE])
def test_base64_as_servers_write_it(bench: Bench, function: str, fault: FaultKind) -> None:
    """Line breaks in base64 and missing padding are accepted."""
    bench.smdp.faults.add(Fault(kind=fault, function=function))
    works(bench)


def test_transaction_id_in_lower_case(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction ID in lower case counts as the same ID, and is returned unchanged."""
    returned: list[str] = []
    read = Call.transaction_id

    def recorded(call: Call) -> bytes:
        returned.append(call.text("transactionId"))
        return read(call)

    monkeypatch.setattr(Call, "transaction_id", recorded)
    bench.smdp.faults.add(Fault(kind=FaultKind.LOWER_CASE_TRANSACTION_ID, times=0))
    works(bench)
    assert len(returned) == 2
    assert returned == [each.lower() for each in returned]


@pytest.mark.parametrize("word", ["ExecutedSuccess", "Executed-WithWarning"])
def test_other_words_for_success(bench: Bench, word: str) -> None:
    """Other words for success that some servers use count as success."""
    bench.smdp.faults.add(Fault(kind=FaultKind.STATUS, value=word, times=0))
    works(bench)


def test_a_package_with_other_metadata_does_not_reach_the_card(bench: Bench) -> None:
    """A package with a profile other than the offered one does not reach the card."""
    bench.smdp.faults.add(Fault(kind=FaultKind.METADATA_MISMATCH, function=CLIENT))
    order = bench.order()
    fails(bench, order, ServerMalformed, cancelled=True)
    assert bench.state(order) == ("error", "metadata mismatch")
    works(bench)


@pytest.mark.parametrize(
    "fault",
    [
        FaultKind.BPP_OUTER_LENGTH,
        FaultKind.BPP_NO_METADATA,
        FaultKind.BPP_NO_PROFILE,
        FaultKind.BPP_TRAILING_BYTES,
        FaultKind.BPP_TRANSACTION_ID,
    ],
)
def test_package_of_wrong_structure(bench: Bench, fault: FaultKind) -> None:
    """A package of wrong structure or another session is the server's fault: a load error."""
    bench.smdp.faults.add(Fault(kind=fault, function=PACKAGE))
    order = bench.order()
    fails(bench, order, ServerMalformed, cancelled=True)
    assert bench.state(order) == ("error", "load error")
    works(bench)


@pytest.mark.parametrize(
    ("fault", "command", "reason"),
    [
        (FaultKind.BPP_BIT_FLIP, "loadProfileElements", "scp03tSecurityError"),
        (FaultKind.BPP_SIGNATURE, "initialiseSecureChannel", "invalidSignature"),
        (FaultKind.BPP_KEY_TYPE, "initialiseSecureChannel", "unsupportedCrtValues"),
        (FaultKind.BPP_OPERATION, "initialiseSecureChannel", "unsupportedRemoteOperationType"),
    ],
)
def test_card_refuses_the_package(bench: Bench, fault: FaultKind, command: str, reason: str) -> None:
    """If the card refuses a segment, loading stops, and the error has the card's reason."""
    bench.smdp.faults.add(Fault(kind=fault, function=PACKAGE, value=1))
    order = bench.order(size=20_000)
    caller = Caller()
    with pytest.raises(CardRefused) as caught:
        bench.download(order, caller)
    error = caught.value
    assert error.details["function"] == "ES10b.LoadBoundProfilePackage"
    assert (error.details["command"], error.details["reason"]) == (command, reason)
    assert not error.retryable
    assert caller.steps == GOOD_WAY
    sent, total = caller.progress[-1]
    assert sent < total / 2
    assert len(bench.card.notifications) == 1
    works(bench)


def test_iccid_there_already(bench: Bench) -> None:
    """The card refuses a profile whose ICCID it already contains, and keeps the existing one."""
    bench.download(bench.order())
    fails(
        bench,
        bench.order(),
        CardRefused,
        cancelled=False,
        reason="installFailedDueToIccidAlreadyExistsOnEuicc",
        code=9,
    )
    bench.download(bench.order(OTHER_ICCID))
    assert [str(profile.iccid) for profile in bench.card.profiles] == [ICCID, OTHER_ICCID]


def test_a_full_card_is_a_temporary_failure(make_bench: MakeBench) -> None:
    """If the card is full, the error is retryable and says to delete a profile; a smaller profile fits."""
    with make_bench(behaviour=CardBehaviour(memory=10_000)) as bench:
        error = fails(
            bench,
            bench.order(size=20_000),
            CardRefused,
            cancelled=False,
            reason="installFailedDueToInsufficientMemoryForProfile",
        )
        assert error.retryable
        assert "delete a profile" in error.sentence
        works(bench, bench.order(size=3000))


def test_server_finds_the_card_full(make_bench: MakeBench) -> None:
    """If the server finds that the profile does not fit on the card, the error says to delete a profile."""
    with make_bench(behaviour=CardBehaviour(memory=10_000), check_memory=True) as bench:
        error = fails(bench, bench.order(size=20_000), ServerRefused, cancelled=True, subject_code="8.1")
        assert "delete a profile" in error.sentence


def test_other_iccid_inside(bench: Bench) -> None:
    """The card refuses a profile whose ICCID differs from the one in its metadata."""
    profile = made_up_profile(Iccid.parse(OTHER_ICCID))
    order = bench.order(profile=profile, metadata=ProfileMetadata(iccid=ICCID))
    fails(bench, order, CardRefused, cancelled=False, reason="installFailedDueToDataMismatch")
    works(bench)


@pytest.mark.parametrize("apdus", [20, 25, 30])
def test_power_lost_while_loading(bench: Bench, apdus: int) -> None:
    """If the card loses power during a load, the same order works after a reset."""
    order = bench.order(size=20_000)
    bench.card.faults.lose_power_after(apdus)
    with pytest.raises(CardUnreachable):
        bench.download(order)
    bench.card.reset()
    works(bench, order)


@pytest.mark.parametrize("error", [CardUnreachable, CardBusy])
@pytest.mark.parametrize("apdus", [1, 2, 20])
def test_a_modem_that_is_late_while_loading(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: type[CardError], apdus: int
) -> None:
    """If the modem is late during a load, the session is postponed, and the order stays usable."""
    order = bench.order(size=20_000)
    left = count(-apdus)
    transmit = bench.contacts.transmit

    def late(apdu: bytes, *, deadline: Deadline) -> bytes:
        if PACKAGE in bench.smdp.counters.requests and next(left) == -1:
            raise error("the modem did not answer in time")
        return transmit(apdu, deadline=deadline)

    monkeypatch.setattr(bench.contacts, "transmit", late)
    fails(bench, order, error, cancelled=True)
    assert bench.state(order) == ("released", "postponed")
    works(bench, order)


def test_card_refuses_a_segment_without_result(bench: Bench) -> None:
    """If a segment's answer is an error status, the session is cancelled as a load error."""
    order = bench.order()
    bench.card.faults.status(LOAD_BPP, 0x6985)
    fails(bench, order, CardStatus, cancelled=True)
    assert bench.state(order) == ("error", "load error")
    works(bench)


def test_after_an_invalid_card_answer_the_session_is_cancelled(bench: Bench) -> None:
    """After an invalid answer to AuthenticateServer, lpad cancels the session on the card."""
    order = bench.order()
    bench.card.faults.corrupt(0xBF38, lambda _: bytes.fromhex("BF3803800101"))
    fails(bench, order, CardMalformed, cancelled=True)
    works(bench)


def test_card_refuses_to_cancel(bench: Bench) -> None:
    """If the card refuses CancelSession, the first error is reported."""
    bench.card.faults.answer(CANCEL_SESSION, bytes.fromhex("BF4103810105"))
    bench.smdp.faults.add(Fault(kind=FaultKind.REFUSE, function=PACKAGE, value="8.8.5/4.10"))
    fails(bench, bench.order(), ServerRefused, cancelled=True, subject_code="8.8.5")
    works(bench)


@pytest.mark.parametrize("pair", ["8.8.2/3.1", "8.8.3/3.1", "8.8.4/3.7"])
def test_server_has_nothing_for_the_card(bench: Bench, pair: str) -> None:
    """If a server refuses the first call, lpad makes no further call to it."""
    bench.smdp.faults.add(Fault(kind=FaultKind.REFUSE, function=INITIATE, value=pair))
    subject, reason = pair.split("/")
    fails(bench, bench.order(), ServerRefused, cancelled=False, subject_code=subject, reason_code=reason)
    assert bench.smdp.counters.requests == {INITIATE: 1}
    works(bench)
