"""The methods of Euicc, with an ISD-R that gives prepared answers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from codec.test_bound_profile import WHOLE
from lpa.scripted_isdr import ScriptedIsdr
from lpad.base.deadline import Deadline
from lpad.base.errors import Cancelled, CardMalformed, CardRefused, CardStatus, InvalidValue
from lpad.base.identifiers import Iccid, TransactionId
from lpad.codec import es10_intents
from lpad.codec.asn1 import tlv
from lpad.codec.bound_profile import BoundProfile
from lpad.codec.messages.authentication import AuthenticateServerRequest
from lpad.codec.messages.cancel_session import CancelSessionReason
from lpad.codec.messages.metadata import NotificationEvent, ProfileClass
from lpad.codec.messages.prepare_download import PrepareDownloadRequest
from lpad.lpa.card_refusal import installation_refused
from lpad.lpa.euicc import Euicc
from lpad.simulator.asn1.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.codec.es10_intents import Intent

SOON = Deadline.after(600)
ICCID = Iccid.parse("89000123456789012341")
SESSION = TransactionId(b"\x01\x02")
AUTHENTICATE = AuthenticateServerRequest(b"\x30\x00", b"\x5f\x37\x00", b"\x04\x00", b"\x30\x00", b"\xa0\x00")
PREPARE = PrepareDownloadRequest(b"\x30\x00", b"\x5f\x37\x00", b"\x30\x00")


def enable(euicc: Euicc) -> None:
    euicc.enable_profile(ICCID, refresh=True, deadline=SOON)


def disable(euicc: Euicc) -> None:
    euicc.disable_profile(ICCID, refresh=False, deadline=SOON)


def delete(euicc: Euicc) -> None:
    euicc.delete_profile(ICCID, deadline=SOON)


def rename(euicc: Euicc) -> None:
    euicc.set_nickname(ICCID, "home", deadline=SOON)


def reset(euicc: Euicc) -> None:
    euicc.euicc_memory_reset(operational_profiles=True, deadline=SOON)


def set_address(euicc: Euicc) -> None:
    euicc.set_default_dp_address("smdp.example.com", deadline=SOON)


def profiles(euicc: Euicc) -> Any:
    return euicc.get_profiles_info(tags=(), deadline=SOON)


def notifications(euicc: Euicc) -> Any:
    return euicc.notification_list(deadline=SOON).notifications


def retrieve(euicc: Euicc) -> Any:
    return euicc.retrieve_notifications_list(deadline=SOON)


def remove(euicc: Euicc) -> Any:
    return euicc.remove_notification_from_list(5, deadline=SOON)


def authenticate(euicc: Euicc) -> Any:
    return euicc.authenticate_server(AUTHENTICATE, deadline=SOON)


def prepare(euicc: Euicc) -> Any:
    return euicc.prepare_download(PREPARE, deadline=SOON)


def cancel(euicc: Euicc) -> Any:
    return euicc.cancel_session(SESSION, CancelSessionReason.POSTPONED, deadline=SOON)


REFUSALS = [
    (enable, "BF3103800101", "ES10c.EnableProfile", 1, "iccidOrAidNotFound", "lpactl profiles"),
    (enable, "BF3103800102", "ES10c.EnableProfile", 2, "profileNotInDisabledState", "already enabled"),
    (enable, "BF3103800103", "ES10c.EnableProfile", 3, "disallowedByPolicy", "PPR1"),
    (enable, "BF3103800104", "ES10c.EnableProfile", 4, "wrongProfileReenabling", "test profile"),
    (enable, "BF3103800105", "ES10c.EnableProfile", 5, "catBusy", "try again"),
    (enable, "BF310380017F", "ES10c.EnableProfile", 127, "undefinedError", "restart the modem"),
    (enable, "BF3103800163", "ES10c.EnableProfile", 99, "undocumentedCode", "other specifications"),
    (disable, "BF3203800102", "ES10c.DisableProfile", 2, "profileNotInEnabledState", "nothing to disable"),
    (delete, "BF3303800102", "ES10c.DeleteProfile", 2, "profileNotInDisabledState", "disable it"),
    (delete, "BF3303800103", "ES10c.DeleteProfile", 3, "disallowedByPolicy", "PPR2"),
    (rename, "BF2903800101", "ES10c.SetNickname", 1, "iccidNotFound", "lpactl profiles"),
    (reset, "BF3403800101", "ES10c.eUICCMemoryReset", 1, "nothingToDelete", "nothing"),
    (reset, "BF3403800105", "ES10c.eUICCMemoryReset", 5, "catBusy", "try again"),
    (set_address, "BF3F0380017F", "ES10a.SetDefaultDpAddress", 127, "undefinedError", "restart"),
    (profiles, "BF2D03810101", "ES10c.GetProfilesInfo", 1, "incorrectInputValues", "values"),
    (profiles, "BF2D0381010B", "ES10c.GetProfilesInfo", 11, "profileChangeOngoing", "not finished"),
    (notifications, "BF280381017F", "ES10b.ListNotification", 127, "undefinedError", "restart"),
    (retrieve, "BF2B0381017F", "ES10b.RetrieveNotificationsList", 127, "undefinedError", "restart"),
    (remove, "BF300380017F", "ES10b.RemoveNotificationFromList", 127, "undefinedError", "restart"),
    (authenticate, "BF3808A106800101020107", "ES10b.AuthenticateServer", 7, "ciPKUnknown", "in common"),
    (prepare, "BF2108A106800101020102", "ES10b.PrepareDownload", 2, "invalidSignature", "signature"),
    (cancel, "BF4103810105", "ES10b.CancelSession", 5, "invalidTransactionId", "which session"),
]


@pytest.mark.parametrize(("act", "answer", "function", "code", "reason", "said"), REFUSALS)
def test_each_error_code_becomes_an_error(
    act: Callable[[Euicc], Any], answer: str, function: str, code: int, reason: str, said: str
) -> None:
    """Each error code of a card becomes a CardRefused with function, code, reason and remedy."""
    with pytest.raises(CardRefused, match=said) as caught:
        act(Euicc(ScriptedIsdr(answer)))
    assert caught.value.details == {"function": function, "code": code, "reason": reason}
    assert caught.value.sentence.startswith(f"{function} refused ({reason}, {code}): ")
    assert caught.value.retryable is (reason in ("catBusy", "profileChangeOngoing"))


@pytest.mark.parametrize(
    "act", [enable, disable, delete, rename, reset, set_address, profiles, retrieve, cancel]
)
@pytest.mark.parametrize("answer", ["", "30", "BF7F00", "BF3100", "FFFF"])
def test_answers_that_cannot_be_read(act: Callable[[Euicc], Any], answer: str) -> None:
    """An answer that is empty, broken or foreign raises CardMalformed with the function's name."""
    with pytest.raises(CardMalformed, match=r"^ES10[abc]\.\w+: "):
        act(Euicc(ScriptedIsdr(answer)))


def test_errors_of_the_way_pass() -> None:
    """An error of the ISD-R's link, such as a status word, is passed on unchanged."""
    error = CardStatus("no", sw="6F00")
    with pytest.raises(CardStatus) as caught:
        enable(Euicc(ScriptedIsdr(error)))
    assert caught.value is error


def test_success_returns_nothing() -> None:
    """Methods that alter the card accept a successful answer, and send the right command."""
    isdr = ScriptedIsdr(
        "BF3103800100", "BF3203800100", "BF3303800100", "BF2903800100", "BF3403800100", "BF3F03800100"
    )
    euicc = Euicc(isdr)
    for act in (enable, disable, delete, rename, reset, set_address):
        act(euicc)
    assert [data[:2].hex() for data in isdr.sent] == ["bf31", "bf32", "bf33", "bf29", "bf34", "bf3f"]


FUNCTIONS: list[tuple[Callable[[Euicc], Any], Intent]] = [
    (enable, es10_intents.ENABLE_PROFILE),
    (disable, es10_intents.DISABLE_PROFILE),
    (delete, es10_intents.DELETE_PROFILE),
    (rename, es10_intents.SET_NICKNAME),
    (reset, es10_intents.EUICC_MEMORY_RESET),
    (set_address, es10_intents.SET_DEFAULT_DP_ADDRESS),
    (profiles, es10_intents.GET_PROFILES_INFO),
    (notifications, es10_intents.LIST_NOTIFICATION),
    (retrieve, es10_intents.RETRIEVE_NOTIFICATIONS_LIST),
    (remove, es10_intents.REMOVE_NOTIFICATION_FROM_LIST),
    (authenticate, es10_intents.AUTHENTICATE_SERVER),
    (prepare, es10_intents.PREPARE_DOWNLOAD),
    (cancel, es10_intents.CANCEL_SESSION),
    (lambda euicc: euicc.get_eid(deadline=SOON), es10_intents.GET_EID),
    (lambda euicc: euicc.get_rat(deadline=SOON), es10_intents.GET_RAT),
    (lambda euicc: euicc.get_euicc_challenge(deadline=SOON), es10_intents.GET_EUICC_CHALLENGE),
    (lambda euicc: euicc.get_euicc_info1(deadline=SOON), es10_intents.GET_EUICC_INFO),
    (lambda euicc: euicc.get_euicc_info2(deadline=SOON), es10_intents.GET_EUICC_INFO),
    (
        lambda euicc: euicc.get_euicc_configured_addresses(deadline=SOON),
        es10_intents.GET_EUICC_CONFIGURED_ADDRESSES,
    ),
]


@pytest.mark.parametrize(("act", "intent"), FUNCTIONS, ids=[str(intent) for _, intent in FUNCTIONS])
def test_each_function_states_its_intent(act: Callable[[Euicc], Any], intent: Intent) -> None:
    """Each method sends its command with the intent of its function."""
    isdr = ScriptedIsdr("")
    with pytest.raises(CardMalformed, match=f"^{intent}: "):
        act(Euicc(isdr))
    assert isdr.intents == [intent]


def test_nothing_that_alters_is_repeatable() -> None:
    """Commands that alter the card may not be repeated, and only these may restart the card."""
    for _, intent in FUNCTIONS:
        assert not (intent.alters and intent.repeatable)
        assert intent.alters or not intent.restarts


def test_eid_with_wrong_check_digits_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """An EID with wrong check digits is used, with a warning that does not show the whole EID."""
    wrong = "89049032123451234512345678901236"
    with caplog.at_level(logging.WARNING):
        assert Euicc(ScriptedIsdr("BF3E125A10" + wrong)).get_eid(deadline=SOON).digits == wrong
    assert "check digits" in caplog.text
    assert wrong not in caplog.text


@pytest.mark.parametrize(
    "choked",
    [
        "BF2D03810101",
        "BF2D0381017F",
        CardStatus("bad data", sw="6A80"),
        CardStatus("not found", sw="6A88"),
    ],
)
def test_a_card_that_chokes_on_tags(choked: str | CardStatus) -> None:
    """If a card refuses a list of tags, lpad asks once more, without tags."""
    isdr = ScriptedIsdr(choked, "BF2D02A000")
    assert Euicc(isdr).get_profiles_info(deadline=SOON) == ()
    assert isdr.sent[1].hex() == "bf2d00"
    with pytest.raises((CardRefused, CardStatus)):
        Euicc(ScriptedIsdr(choked, choked)).get_profiles_info(deadline=SOON)


@pytest.mark.parametrize("other", ["BF2D0381010B", CardStatus("being reset", sw="6F00")])
def test_a_card_that_refuses_for_another_reason(other: str | CardStatus) -> None:
    """If a card refuses GetProfilesInfo, but not because of the tags, lpad does not repeat it."""
    isdr = ScriptedIsdr(other)
    with pytest.raises((CardRefused, CardStatus)):
        Euicc(isdr).get_profiles_info(deadline=SOON)
    assert len(isdr.sent) == 1


def test_profiles_are_searched_without_icons() -> None:
    """A caller can request one profile or a class of profiles; by default, lpad does not request icons."""
    isdr = ScriptedIsdr(*["BF2D02A000"] * 3)
    euicc = Euicc(isdr)
    euicc.get_profiles_info(search=ProfileClass.TEST, deadline=SOON)
    euicc.get_profiles_info(search=ICCID, tags=(0x93, 0x94), deadline=SOON)
    euicc.get_profiles_info(deadline=SOON)
    sent = [tlv.parse(data) for data in isdr.sent]
    assert sent[0].get(0xA0).value.hex() == "950100"
    assert sent[1].get(0xA0).get(0x5A).value == bytes(ICCID)
    assert sent[1].get(0x5C).value.hex() == "9394"
    assert b"\x94" not in sent[2].get(0x5C).value


def test_unreadable_profiles_and_notifications_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    """Profiles without an ICCID and unreadable notifications are omitted, and their number is logged."""
    euicc = Euicc(ScriptedIsdr("BF2D04A002E300", "BF2B04A002A100"))
    with caplog.at_level(logging.WARNING):
        assert euicc.get_profiles_info(deadline=SOON) == ()
        assert euicc.retrieve_notifications_list(deadline=SOON) == ()
    assert "1 entries of the list" in caplog.text
    assert "1 notifications" in caplog.text


def test_removing_a_notification() -> None:
    """Removing a notification returns whether the card had it."""
    assert Euicc(ScriptedIsdr("BF3003800100")).remove_notification_from_list(0, deadline=SOON)
    assert not Euicc(ScriptedIsdr("BF3003800101")).remove_notification_from_list(0, deadline=SOON)


def test_notifications_by_event_and_number() -> None:
    """A request for notifications contains the caller's events or sequence number."""
    isdr = ScriptedIsdr("BF2802A000", "BF2B02A000", "BF2B02A000")
    euicc = Euicc(isdr)
    euicc.notification_list(events=(NotificationEvent.DELETE,), deadline=SOON)
    euicc.retrieve_notifications_list(sequence_number=0, deadline=SOON)
    euicc.retrieve_notifications_list(events=(NotificationEvent.INSTALL,), deadline=SOON)
    assert [data.hex() for data in isdr.sent] == ["bf280481020410", "bf2b05a003800100", "bf2b06a00481020780"]


def test_nicknames_that_are_too_long_never_reach_the_card() -> None:
    """A nickname that is too long raises InvalidValue, and nothing is sent."""
    isdr = ScriptedIsdr()
    with pytest.raises(InvalidValue):
        Euicc(isdr).set_nickname(ICCID, "x" * 65, deadline=SOON)
    assert isdr.sent == []


BOUND = BoundProfile.parse(WHOLE)


def installation_result(outcome: str, value: dict[str, Any]) -> bytes:
    data = {
        "transactionId": b"\x01",
        "notificationMetadata": {
            "seqNumber": 1,
            "profileManagementOperation": (b"\x80", 1),
            "notificationAddress": "smdp.example.com",
        },
        "smdpOid": "2.999.10",
        "finalResult": (outcome, value),
    }
    signed = Schema.compile().encode("ProfileInstallationResultData", data)
    whole = {"profileInstallationResultData": signed, "euiccSignPIR": bytes(64)}
    return Schema.compile().encode("ProfileInstallationResult", whole)


DONE = installation_result("successResult", {"aid": b"\xa0" * 16, "simaResponse": b""})
FAULT = installation_result("errorResult", {"bppCommandId": 2, "errorReason": 9})


def test_loading_a_profile() -> None:
    """Each segment of a package is sent as one command, and the last answer contains the result."""
    isdr = ScriptedIsdr(*[b""] * (len(BOUND.segments) - 1), DONE)
    told: list[tuple[int, int]] = []
    result = Euicc(isdr).load_bound_profile_package(
        BOUND, on_bytes=lambda sent, total: told.append((sent, total)), deadline=SOON
    )
    assert result.succeeded
    assert isdr.sent == [segment.data for segment in BOUND.segments]
    assert [sent for sent, _ in told] == sorted(sent for sent, _ in told)
    assert told[-1] == (len(WHOLE), len(WHOLE))


def test_an_early_result_ends_the_loading() -> None:
    """After an early error result no segment is sent, and the error gives command and reason."""
    isdr = ScriptedIsdr(b"", b"", b"", FAULT)
    result = Euicc(isdr).load_bound_profile_package(BOUND, deadline=SOON)
    assert len(isdr.sent) == 4
    error = installation_refused(result)
    assert error.details == {
        "function": "ES10b.LoadBoundProfilePackage",
        "code": 9,
        "reason": "installFailedDueToIccidAlreadyExistsOnEuicc",
        "command": "storeMetadata",
    }
    assert "with this ICCID" in error.sentence


@pytest.mark.parametrize(
    ("code", "retryable"), [(10, False), (11, True), (12, False), (127, False), (99, False)]
)
def test_only_an_interruption_may_be_retried_unchanged(code: int, retryable: bool) -> None:  # noqa: FBT001 # a table's column
    """Of the card's reasons for a failed installation, only an interruption (11) is retryable."""
    sima = Schema.compile().encode("EUICCResponse", {"peStatus": [{"status": 3, "identification": 7}]})
    value = {"bppCommandId": 5, "errorReason": code, "simaResponse": sima}
    isdr = ScriptedIsdr(installation_result("errorResult", value))
    error = installation_refused(Euicc(isdr).load_bound_profile_package(BOUND, deadline=SOON))
    assert error.retryable is retryable
    assert "bad-values of element 7" in error.sentence


def test_a_card_without_a_result_is_at_fault() -> None:
    """If a card accepts all segments without giving a result, CardMalformed is raised."""
    isdr = ScriptedIsdr(*[b""] * len(BOUND.segments))
    with pytest.raises(CardMalformed, match="did not report"):
        Euicc(isdr).load_bound_profile_package(BOUND, deadline=SOON)


def test_an_answer_that_is_not_a_result() -> None:
    """If a card answers a segment with data that are not a result, loading ends with CardMalformed."""
    isdr = ScriptedIsdr(b"", b"\x30\x00")
    with pytest.raises(CardMalformed, match="LoadBoundProfilePackage"):
        Euicc(isdr).load_bound_profile_package(BOUND, deadline=SOON)
    assert len(isdr.sent) == 2


def test_stopping_between_segments() -> None:
    """Lpad calls `before_segment` before each segment, and an exception from it stops the loading."""
    isdr = ScriptedIsdr(*[b""] * 2)
    seen: list[str] = []

    def before(segment: Any) -> None:
        seen.append(segment.kind)
        if len(seen) == 3:
            raise Cancelled("taken back")

    with pytest.raises(Cancelled):
        Euicc(isdr).load_bound_profile_package(BOUND, before_segment=before, deadline=SOON)
    assert seen == ["initialiseSecureChannel", "configureISDP", "storeMetadata"]
    assert len(isdr.sent) == 2


@pytest.mark.parametrize("reason", list(CancelSessionReason))
def test_a_signed_cancellation_is_passed_on_unchanged(reason: CancelSessionReason) -> None:
    """The card's signed answer to CancelSession is passed on unchanged."""
    answer = tlv.encode(0xBF41, tlv.encode(0xA0, b"\x30\x00", tlv.encode(0x5F37, bytes(64))))
    isdr = ScriptedIsdr(answer)
    assert Euicc(isdr).cancel_session(SESSION, reason, deadline=SOON).raw == answer
    assert tlv.parse(isdr.sent[0]).get(0x81).value == bytes([reason])
