"""The request and the response of AuthenticateServer."""

from __future__ import annotations

import pytest

from lpad.base.errors import MalformedError
from lpad.base.identifiers import Imei
from lpad.codec.asn1 import tlv
from lpad.codec.messages.authentication import (
    AuthenticateError,
    AuthenticateServerRequest,
    AuthenticateServerResponse,
    CtxParams1,
    DeviceCapabilities,
    DeviceInfo,
    ServerSigned1,
    release,
)
from lpad.simulator.asn1.schema import Schema

IMEI = Imei.parse("352906110123454")
SIGNED1 = {
    "transactionId": bytes.fromhex("AB01"),
    "euiccChallenge": bytes(range(16)),
    "serverAddress": "smdp.example.com",
    "serverChallenge": bytes(range(16, 32)),
}


def test_server_signed1_is_read_and_its_bytes_are_kept() -> None:
    """The LPA reads the parts of the server's first answer that it checks, and keeps the signed bytes."""
    raw = Schema.compile().encode("ServerSigned1", SIGNED1)
    signed = ServerSigned1.decode(raw)
    assert (signed.raw, str(signed.transaction_id)) == (raw, "AB01")
    assert (signed.server_address, signed.euicc_challenge) == ("smdp.example.com", bytes(range(16)))


@pytest.mark.parametrize("left_out", sorted(SIGNED1))
def test_server_signed1_is_read_whole_or_not(left_out: str) -> None:
    """If the server's answer lacks a field, it is malformed."""
    raw = Schema.compile().encode("ServerSigned1", SIGNED1)
    fields = {"transactionId": 0x80, "euiccChallenge": 0x81, "serverAddress": 0x83, "serverChallenge": 0x84}
    kept = [child.raw for child in tlv.parse(raw).children() if child.tag != fields[left_out]]
    with pytest.raises(MalformedError, match=left_out):
        ServerSigned1.decode(tlv.encode(0x30, *kept))


def test_device_info_has_its_values_in_their_fields() -> None:
    """TAC, IMEI, capabilities and matching ID are in the fields where card and server read them."""
    device = DeviceInfo(IMEI.tac, DeviceCapabilities(utran=release(11), eutran_epc=release(15, 1, 2)), IMEI)
    raw = CtxParams1("TOKEN-1", device).encode()
    assert Schema.compile().decode("CtxParams1", raw) == (
        "ctxParamsForCommonAuthentication",
        {
            "matchingId": "TOKEN-1",
            "deviceInfo": {
                "tac": bytes.fromhex("53926011"),
                "deviceCapabilities": {
                    "utranSupportedRelease": b"\x0b\x00\x00",
                    "eutranEpcSupportedRelease": b"\x0f\x01\x02",
                },
                "imei": bytes.fromhex("539260111032544F"),
            },
        },
    )


@pytest.mark.parametrize(("matching_id", "sent"), [(None, False), ("", True), ("X", True)])
def test_matching_id_missing_or_empty(matching_id: str | None, *, sent: bool) -> None:
    """A missing matching ID is left out; an empty one is sent empty."""
    raw = CtxParams1(matching_id, DeviceInfo(IMEI.tac, DeviceCapabilities())).encode()
    found = tlv.parse(raw).find(0x80)
    assert (found is not None) is sent
    assert found is None or found.value.decode() == matching_id


def test_every_radio_has_its_place() -> None:
    """Each capability is sent in its own element, in ascending order."""
    capabilities = DeviceCapabilities(*(release(number) for number in range(11)))
    raw = CtxParams1(None, DeviceInfo(IMEI.tac, capabilities)).encode()
    sent = tlv.parse(raw).get(0xA1).get(0xA1).children()
    assert [(element.tag, element.value[0]) for element in sent] == [(0x80 + n, n) for n in range(11)]


def test_cards_that_know_no_extensions_get_none() -> None:
    """5G capabilities go only to cards that accept unknown device information."""
    capabilities = DeviceCapabilities(
        gsm=release(9), nr_epc=release(15), nr_5gc=release(16), eutran_5gc=release(15)
    )
    device = DeviceInfo(IMEI.tac, capabilities)
    raw = CtxParams1(None, device).encode(extensible=False)
    assert [element.tag for element in tlv.parse(raw).get(0xA1).get(0xA1).children()] == [0x80]


@pytest.mark.parametrize("ci", [None, bytes.fromhex("040201FF")])
def test_requests_are_joined_from_what_came(ci: bytes | None) -> None:
    """The server's elements are in the request byte for byte, in the standard's order."""
    signed = bytes.fromhex("3081028000")  # Encoding it again would lose this form of its length.
    parts = {
        "serverSigned1": signed,
        "serverSignature1": b"\x01" * 64,
        "serverCertificate": bytes.fromhex("30020500"),
        "ctxParams1": bytes.fromhex("A000"),
    }
    request = AuthenticateServerRequest(
        server_signed1=signed,
        server_signature1=tlv.encode(0x5F37, parts["serverSignature1"]),
        euicc_ci_pk_id_to_be_used=ci,
        server_certificate=parts["serverCertificate"],
        ctx_params1=parts["ctxParams1"],
    )
    if ci is not None:
        parts["euiccCiPKIdToBeUsed"] = ci[2:]
    assert Schema.compile().decode("AuthenticateServerRequest", request.encode()) == parts


def test_a_card_that_agrees() -> None:
    """A successful AuthenticateServer response is decoded without an error; its bytes are kept unchanged."""
    ok = {
        "euiccSigned1": bytes.fromhex("3000"),
        "euiccSignature1": bytes(64),
        "euiccCertificate": bytes.fromhex("3000"),
        "eumCertificate": bytes.fromhex("3000"),
    }
    raw = Schema.compile().encode("AuthenticateServerResponse", ("authenticateResponseOk", ok))
    assert AuthenticateServerResponse.decode(raw) == AuthenticateServerResponse(raw, None)


@pytest.mark.parametrize("error", list(AuthenticateError))
def test_a_card_that_refuses(error: AuthenticateError) -> None:
    """Each reason for a refusal is read, with the transaction ID or without it."""
    for value in ({"transactionId": b"1"}, {}):
        raw = Schema.compile().encode(
            "AuthenticateServerResponse",
            ("authenticateResponseError", value | {"authenticateErrorCode": int(error)}),
        )
        assert AuthenticateServerResponse.decode(raw).error is error


@pytest.mark.parametrize("data", ["", "BF3800", "BF3802A000", "BF3802A100", "BF3802A200", "BF2102A000"])
def test_neither_agreement_nor_refusal(data: str) -> None:
    """Any answer other than the defined ones is malformed."""
    with pytest.raises(MalformedError):
        AuthenticateServerResponse.decode(bytes.fromhex(data))
