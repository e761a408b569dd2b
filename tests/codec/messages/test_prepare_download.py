"""The requests and responses of PrepareDownload."""

from __future__ import annotations

import pytest

from lpad.base.errors import MalformedError
from lpad.base.identifiers import TransactionId
from lpad.codec.asn1 import tlv
from lpad.codec.messages.prepare_download import (
    DownloadError,
    PrepareDownloadRequest,
    PrepareDownloadResponse,
    SmdpSigned2,
    hash_confirmation_code,
)
from lpad.simulator.asn1.schema import Schema

TRANSACTION_ID = TransactionId(bytes.fromhex("0123456789ABCDEF8899AABBCCDDEEFF"))
OTPK = b"\x04" + bytes(64)


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("otpk", [None, OTPK])
def test_smdp_signed2_is_read(*, required: bool, otpk: bytes | None) -> None:
    """The server's second answer is read, with and without a key of an earlier attempt."""
    signed: dict[str, object] = {"transactionId": bytes(TRANSACTION_ID), "ccRequiredFlag": required}
    signed |= {"rpmPending": None} if otpk is None else {"bppEuiccOtpk": otpk}
    raw = Schema.compile().encode("SmdpSigned2", signed)
    assert SmdpSigned2.decode(raw) == SmdpSigned2(raw, TRANSACTION_ID, required, otpk)


@pytest.mark.parametrize(
    ("code", "hashed"),
    [("12345678", "d36dfe02fcc86970ea290811663ce9a5ae3b58d1e24a0f5f6ea0ff870635b864")],
)
def test_confirmation_code_vector(code: str, hashed: str) -> None:
    """The typed confirmation code is hashed, and the hash is hashed again with the transaction ID."""
    assert hash_confirmation_code(code, TRANSACTION_ID).hex() == hashed


def test_confirmation_codes_are_text() -> None:
    """A confirmation code is text, so leading zeros, letters and other alphabets are part of it."""
    hashes = {
        hash_confirmation_code(code, TRANSACTION_ID) for code in ("0012", "12", "012", "zwölf", "ZWÖLF", "")
    }
    assert len(hashes) == 6


@pytest.mark.parametrize("hash_cc", [None, bytes(range(32))])
def test_prepare_download_keeps_the_servers_elements(hash_cc: bytes | None) -> None:
    """The server's elements are sent byte for byte, with the hash before the certificate."""
    signed = bytes.fromhex("3081028000")
    request = PrepareDownloadRequest(
        signed, tlv.encode(0x5F37, bytes(64)), bytes.fromhex("30020500"), hash_cc
    )
    wanted = {
        "smdpSigned2": signed,
        "smdpSignature2": bytes(64),
        "smdpCertificate": bytes.fromhex("30020500"),
    }
    if hash_cc is not None:
        wanted["hashCc"] = hash_cc
    raw = request.encode()
    assert Schema.compile().decode("PrepareDownloadRequest", raw) == wanted
    assert [element.tag for element in tlv.parse(raw).children()] == [
        0x30,
        0x5F37,
        *([] if hash_cc is None else [0x04]),
        0x30,
    ]


def test_a_card_that_agrees_to_download() -> None:
    """The card's agreement is passed on to the server unchanged."""
    ok = {"euiccSigned2": bytes.fromhex("3000"), "euiccSignature2": bytes(64)}
    raw = Schema.compile().encode("PrepareDownloadResponse", ("downloadResponseOk", ok))
    assert PrepareDownloadResponse.decode(raw) == PrepareDownloadResponse(raw, None)


@pytest.mark.parametrize("error", list(DownloadError))
def test_a_card_that_refuses_to_download(error: DownloadError) -> None:
    """Each reason for which a card refuses a download is read."""
    value = {"transactionId": b"1", "downloadErrorCode": int(error)}
    raw = Schema.compile().encode("PrepareDownloadResponse", ("downloadResponseError", value))
    assert PrepareDownloadResponse.decode(raw).error is error


@pytest.mark.parametrize("data", ["", "BF2100", "BF4100", "BF2102A000"])
def test_neither_yes_nor_no(data: str) -> None:
    """Any answer other than the defined ones is malformed."""
    with pytest.raises(MalformedError):
        PrepareDownloadResponse.decode(bytes.fromhex(data))
