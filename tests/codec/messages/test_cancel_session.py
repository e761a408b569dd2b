"""The requests and responses of CancelSession."""

from __future__ import annotations

import pytest

from lpad.base.errors import MalformedError
from lpad.base.identifiers import TransactionId
from lpad.codec.messages.cancel_session import (
    CancelSessionError,
    CancelSessionReason,
    CancelSessionRequest,
    CancelSessionResponse,
)
from lpad.simulator.asn1.schema import Schema

TRANSACTION_ID = TransactionId(bytes.fromhex("0123456789ABCDEF8899AABBCCDDEEFF"))


@pytest.mark.parametrize("reason", list(CancelSessionReason))
def test_each_cancellation_reason_is_sent_by_its_number(reason: CancelSessionReason) -> None:
    """Each reason for a cancellation is sent by its number."""
    raw = CancelSessionRequest(TRANSACTION_ID, reason).encode()
    wanted = {"transactionId": bytes(TRANSACTION_ID), "reason": int(reason)}
    assert Schema.compile().decode("CancelSessionRequest", raw) == wanted


def test_answers_to_a_cancellation_are_read() -> None:
    """The answer to a cancellation is passed on unchanged; a refusal contains its reason."""
    ok = {"euiccCancelSessionSigned": bytes.fromhex("3000"), "euiccCancelSessionSignature": bytes(64)}
    raw = Schema.compile().encode("CancelSessionResponse", ("cancelSessionResponseOk", ok))
    assert CancelSessionResponse.decode(raw) == CancelSessionResponse(raw, None)
    refused = CancelSessionResponse.decode(bytes.fromhex("BF4103810105"))
    assert refused.error is CancelSessionError.INVALID_TRANSACTION_ID


@pytest.mark.parametrize("data", ["", "BF2100", "BF4100", "BF4102A000", "BF4102A200"])
def test_neither_yes_nor_no(data: str) -> None:
    """Any answer other than the defined ones is malformed."""
    with pytest.raises(MalformedError):
        CancelSessionResponse.decode(bytes.fromhex(data))
