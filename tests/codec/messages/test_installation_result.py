"""ProfileInstallationResult."""

from __future__ import annotations

from typing import Any

import pytest

from lpad.base.errors import MalformedError
from lpad.base.identifiers import Aid, TransactionId
from lpad.codec.asn1 import named_bits, tlv
from lpad.codec.messages.installation_result import (
    BppCommand,
    InstallationError,
    ProfileInstallationResult,
)
from lpad.codec.messages.notifications import PendingNotification
from lpad.simulator.asn1.schema import Schema

AID = bytes.fromhex("A0000005591010FFFFFFFF8900001100")
OK = bytes.fromhex("3007A0053003800100")


def result(outcome: str, value: dict[str, Any]) -> bytes:
    data = {
        "transactionId": b"\x01\x02",
        "notificationMetadata": {
            "seqNumber": 200,
            "profileManagementOperation": named_bits.of([0]),
            "notificationAddress": "smdp.example.com",
        },
        "smdpOid": "2.999.10",
        "finalResult": (outcome, value),
    }
    signed = Schema.compile().encode("ProfileInstallationResultData", data)
    whole = {"profileInstallationResultData": signed, "euiccSignPIR": bytes(64)}
    return Schema.compile().encode("ProfileInstallationResult", whole)


def test_a_successful_result_has_an_aid() -> None:
    """A successful result has the profile's AID and no error."""
    raw = result("successResult", {"aid": AID, "simaResponse": OK})
    read = ProfileInstallationResult.decode(raw)
    assert read.succeeded
    assert (read.aid, read.command, read.error, read.element_status) == (Aid(AID), None, None, None)
    assert (read.raw, read.transaction_id, read.smdp_oid) == (raw, TransactionId(b"\x01\x02"), "2.999.10")
    assert (read.metadata.sequence_number, read.metadata.address) == (200, "smdp.example.com")
    assert PendingNotification.decode(raw).metadata == read.metadata


@pytest.mark.parametrize("aid", ["", "01020304", "A0" * 17])
def test_success_with_an_odd_aid(aid: str) -> None:
    """The profile counts as installed, whatever AID the card reports for its security domain."""
    signed = tlv.encode(
        0xBF27,
        tlv.encode(0xBF2F, b"\x80\x01\x05"),
        tlv.encode(0xA2, tlv.encode(0xA0, tlv.encode(0x4F, bytes.fromhex(aid)))),
    )
    read = ProfileInstallationResult.decode(tlv.encode(0xBF37, signed))
    assert read.succeeded
    assert (read.aid, read.error, read.metadata.sequence_number) == (None, None, 5)
    assert (read.transaction_id, read.smdp_oid, read.metadata.iccid) == (None, None, None)


def test_failure_without_a_reason() -> None:
    """If a card reports a failure without a reason, the reason is unknown."""
    signed = tlv.encode(0xBF27, tlv.encode(0xBF2F, b"\x80\x01\x05"), tlv.encode(0xA2, tlv.encode(0xA1)))
    read = ProfileInstallationResult.decode(tlv.encode(0xBF37, signed))
    assert not read.succeeded
    assert (read.command, read.error) == (None, InstallationError.UNKNOWN_ERROR)


@pytest.mark.parametrize("error", list(InstallationError))
def test_each_reason_of_a_failure_is_read(error: InstallationError) -> None:
    """Each reason of a failed installation is read, with the command in which it occurred."""
    raw = result("errorResult", {"bppCommandId": 2, "errorReason": int(error)})
    read = ProfileInstallationResult.decode(raw)
    assert (read.command, read.error, read.succeeded) == (BppCommand.STORE_METADATA, error, False)


def test_unknown_reasons_keep_their_numbers() -> None:
    """A reason and a command of a later version keep their numbers."""
    read = ProfileInstallationResult.decode(result("errorResult", {"bppCommandId": 9, "errorReason": 99}))
    assert (read.command, read.error) == (9, 99)
    assert read.error is not None
    assert read.error.reason == "undocumentedCode"


def test_only_memory_and_interruptions_are_temporary() -> None:
    """Among the reasons of a failed installation, only lack of memory and interruptions are temporary."""
    assert [error.name for error in InstallationError if error.temporary] == [
        "INSUFFICIENT_MEMORY",
        "INTERRUPTION",
    ]


@pytest.mark.parametrize(
    ("sima", "said"),
    [
        ({"peStatus": [{"status": 0}, {"status": 3, "identification": 7}]}, "bad-values of element 7"),
        ({"peStatus": [{"status": 4}]}, "not-enough-memory"),
        ({"peStatus": [{"status": 99}], "statusMessage": "no"}, "status 99; no"),
        ({"peStatus": []}, None),
    ],
)
def test_the_profile_element_of_a_failure_is_shown(sima: dict[str, Any], said: str | None) -> None:
    """A complaint about a profile element is shown with the element's number."""
    response = Schema.compile().encode("EUICCResponse", sima)
    value = {"bppCommandId": 5, "errorReason": 12, "simaResponse": response}
    assert ProfileInstallationResult.decode(result("errorResult", value)).element_status == said


@pytest.mark.parametrize("sima", [b"", b"\x30", b"\x04\x00", bytes(20)])
def test_an_unreadable_complaint_of_the_interpreter(sima: bytes) -> None:
    """Unreadable details do not hide the result."""
    value = {"bppCommandId": 5, "errorReason": 12, "simaResponse": sima}
    assert ProfileInstallationResult.decode(result("errorResult", value)).element_status is None


@pytest.mark.parametrize(
    "data",
    ["", "BF3700", "BF3703BF2700", "BF360100", "BF370BBF2708BF2F03800105A200", "BF370ABF2707A205A0034F01A0"],
)
def test_other_answers_are_malformed(data: str) -> None:
    """Any answer other than the defined ones is malformed."""
    with pytest.raises(MalformedError):
        ProfileInstallationResult.decode(bytes.fromhex(data))
