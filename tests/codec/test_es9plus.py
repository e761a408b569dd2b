"""The JSON of ES9+."""

from __future__ import annotations

import base64
import json

import pytest

from lpad.base.errors import MalformedError
from lpad.codec import es9plus
from lpad.codec.es9plus import (
    Answer,
    AuthenticateClientAnswer,
    GetBoundProfilePackageAnswer,
    InitiateAuthenticationAnswer,
)

SIGNED = bytes.fromhex("3003800101")


def body(status: str = "Executed-Success", data: object = None, **fields: object) -> bytes:
    execution: dict[str, object] = {"status": status}
    if data is not None:
        execution["statusCodeData"] = data
    return json.dumps({"header": {"functionExecutionStatus": execution}, **fields}).encode()


def text(data: bytes = SIGNED) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "status", ["Executed-Success", "ExecutedSuccess", "Executed-WithWarning", "executed-success"]
)
def test_each_form_of_success_is_read(status: str) -> None:
    """Both spellings of the success status are read, with a hyphen and without; a warning is a success."""
    assert Answer.decode(body(status)).refusal is None


@pytest.mark.parametrize("status", ["Failed", "Expired", "failed", "something new"])
def test_any_other_status_is_a_refusal(status: str) -> None:
    """Any other status is a refusal, even if the answer contains data."""
    refusal = Answer.decode(body(status, transactionId="01")).refusal
    assert refusal is not None
    assert (refusal.subject_code, refusal.reason_code) == ("", "")


def test_refusal_with_everything() -> None:
    """Codes, identifier and message of a refusal are kept as text."""
    data = {
        "subjectCode": "8.8.5",
        "reasonCode": "4.10",
        "subjectIdentifier": "order 7",
        "message": "too late",
    }
    refusal = Answer.decode(body("Failed", data)).refusal
    assert refusal is not None
    assert refusal.subject_code == "8.8.5"
    assert refusal.reason_code == "4.10"
    assert refusal.subject_identifier == "order 7"
    assert refusal.message == "too late"


def test_refusal_without_identifier_and_message() -> None:
    """A refusal without identifier and message, as some servers send, is read."""
    refusal = Answer.decode(body("Failed", {"subjectCode": "8.2.6", "reasonCode": "3.8"})).refusal
    assert refusal is not None
    assert refusal.message == ""


def test_codes_of_another_type_are_dropped() -> None:
    """A code sent as a number is dropped, because 4.10 would have become 4.1."""
    refusal = Answer.decode(body("Failed", {"subjectCode": "8.8.5", "reasonCode": 4.1})).refusal
    assert refusal is not None
    assert refusal.reason_code == ""


def test_messages_are_fit_for_a_terminal() -> None:
    """Control characters are removed and the length is limited, because messages reach logs and terminals."""
    data = {"subjectCode": "1.6", "reasonCode": "2.1", "message": "\x1b[31mred\nline\x00 " + "x" * 1000}
    refusal = Answer.decode(body("Failed", data)).refusal
    assert refusal is not None
    assert refusal.message.isprintable()
    assert refusal.message.startswith("[31mred line x")
    assert len(refusal.message) == 200


@pytest.mark.parametrize("empty", [b"", b"\r\n", b"  "])
def test_empty_body_is_executed(empty: bytes) -> None:
    """An empty body, as with 204, has no fields and counts as executed."""
    assert Answer.decode(empty) == Answer(None, {})


@pytest.mark.parametrize(
    "bad",
    [
        b"<html>",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe\x00",
        b'{"header":1}',
        b'{"header":{"functionExecutionStatus":"Executed-Success"}}',
        b'{"header":{"functionExecutionStatus":{"status":1}}}',
        b"[" * 100_000,
        b'{"header":' + b"9" * 5000 + b"}",
    ],
)
def test_no_answer_at_all(bad: bytes) -> None:
    """An answer that is not a JSON object with a function execution status is malformed."""
    with pytest.raises(MalformedError):
        Answer.decode(bad)


def test_initiate_authentication_answer() -> None:
    """InitiateAuthentication's answer is decoded; the transaction ID is also kept as written."""
    answer = Answer.decode(
        body(
            transactionId="0a1B",
            serverSigned1=text(),
            serverSignature1=text(b"\x5f\x37\x40"),
            euiccCiPKIdToBeUsed=text(b"\x04\x14"),
            serverCertificate=text(b"\x30\x82"),
            anythingNew={"a": 1},
        )
    )
    fields = InitiateAuthenticationAnswer.of(answer)
    assert fields.transaction_id_text == "0a1B"
    assert bytes(fields.transaction_id) == b"\x0a\x1b"
    assert fields.server_signed1 == SIGNED
    assert fields.server_certificate == b"\x30\x82"


def test_authenticate_client_answer() -> None:
    """The fields of AuthenticateClient's answer are decoded to bytes."""
    answer = Answer.decode(
        body(
            transactionId="01",
            profileMetadata=text(b"\xbf\x25\x00"),
            smdpSigned2=text(),
            smdpSignature2=text(b"\x5f\x37"),
            smdpCertificate=text(b"\x30"),
        )
    )
    assert AuthenticateClientAnswer.of(answer).profile_metadata == b"\xbf\x25\x00"


@pytest.mark.parametrize(
    "written",
    ["MAOAAQE=", "MAOAAQE", "MAOA\r\nAQE=\n", " MAO AAQE= ", "MAOAAQE=\t"],
)
def test_base64_as_servers_write_it(written: str) -> None:
    """Blanks, line breaks and missing padding in base64 are accepted."""
    answer = Answer.decode(body(transactionId="01", boundProfilePackage=written))
    assert GetBoundProfilePackageAnswer.of(answer).bound_profile_package == SIGNED


@pytest.mark.parametrize("written", ["", "=", "M", "MAO!", "MA=OAAQE", "MAOAAQE===", None, 7, ["MAOAAQE="]])
def test_invalid_base64_is_malformed(written: object) -> None:
    """Text that is not valid base64 is malformed."""
    answer = Answer.decode(body(transactionId="01", boundProfilePackage=written))
    with pytest.raises(MalformedError):
        GetBoundProfilePackageAnswer.of(answer)


@pytest.mark.parametrize("written", ["", "0", "xyz", "00" * 17, 1, None])
def test_an_invalid_transaction_id_is_malformed(written: object) -> None:
    """A transaction ID that is not 2 to 32 hexadecimal digits is malformed."""
    answer = Answer.decode(body(transactionId=written, boundProfilePackage="MAOAAQE="))
    with pytest.raises(MalformedError):
        GetBoundProfilePackageAnswer.of(answer)


def test_requests_are_what_servers_expect() -> None:
    """Requests contain exactly the fields of the function, base64 padded, and no header."""
    assert json.loads(
        es9plus.initiate_authentication(
            euicc_challenge=bytes(16), euicc_info1=b"\xbf\x20\x00", smdp_address="smdp.example.com"
        )
    ) == {
        "euiccChallenge": "AAAAAAAAAAAAAAAAAAAAAA==",
        "euiccInfo1": "vyAA",
        "smdpAddress": "smdp.example.com",
    }
    assert json.loads(
        es9plus.authenticate_client(transaction_id="aB", authenticate_server_response=b"\xbf\x38\x00")
    ) == {"transactionId": "aB", "authenticateServerResponse": "vzgA"}
    assert json.loads(
        es9plus.get_bound_profile_package(transaction_id="aB", prepare_download_response=b"\xbf\x21\x00")
    ) == {"transactionId": "aB", "prepareDownloadResponse": "vyEA"}
    assert json.loads(es9plus.handle_notification(pending_notification=b"\x30\x00")) == {
        "pendingNotification": "MAA="
    }
    assert json.loads(
        es9plus.cancel_session(transaction_id="aB", cancel_session_response=b"\xbf\x41\x00")
    ) == {"transactionId": "aB", "cancelSessionResponse": "v0EA"}
