"""The alterations that faults make to the server's answers; without a fault, nothing changes."""

from __future__ import annotations

import base64
import textwrap
from typing import TYPE_CHECKING, Any

from lpad.codec.asn1 import tlv
from lpad.simulator.smdp.functions.faults import ActiveFaults, FaultKind
from lpad.simulator.smdp.functions.function_call import encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lpad.codec.asn1.tlv import Tlv

_SIGNATURES = frozenset({"serverSignature1", "smdpSignature2"})
_CERTIFICATES = frozenset({"serverCertificate", "smdpCertificate"})
_PROFILE_NAME = 0x92


def flipped(data: bytes, index: int = -1) -> bytes:
    """Return `data` with the lowest bit of one byte flipped, by default of the last byte."""
    altered = bytearray(data)
    altered[index] ^= 1
    return bytes(altered)


def transaction_id(faults: ActiveFaults, right: bytes) -> bytes:
    """Return the transaction ID for serverSigned1 or smdpSigned2."""
    return flipped(right) if FaultKind.SIGNED_TRANSACTION_ID in faults else right


def challenge(faults: ActiveFaults, right: bytes) -> bytes:
    """Return the card's challenge for serverSigned1."""
    return flipped(right) if FaultKind.SIGNED_CHALLENGE in faults else right


def signing_ci(faults: ActiveFaults, right: bytes) -> bytes:
    """Return the key identifier of the CI for which the card must sign."""
    return flipped(right) if FaultKind.OTHER_SIGNING_CI in faults else right


def answer(faults: ActiveFaults, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a successful answer as they are sent."""
    fields = dict(fields)
    for fault in faults.faults:
        alter = _ALTERATIONS.get(fault.kind)
        if alter is not None and fields:
            alter(fields, str(fault.value) if fault.value in fields else list(fields)[-1])
    return fields


def _other_transaction_id(fields: dict[str, str], _: str) -> None:
    fields["transactionId"] = flipped(bytes.fromhex(fields["transactionId"])).hex().upper()


def _lower_case(fields: dict[str, str], _: str) -> None:
    fields["transactionId"] = fields["transactionId"].lower()


def _left_out(fields: dict[str, str], chosen: str) -> None:
    del fields[chosen]


def _with_newlines(fields: dict[str, str], _: str) -> None:
    for name in fields.keys() - {"transactionId"}:
        fields[name] = "\n".join(textwrap.wrap(fields[name], 64)) + "\n"


def _unpadded(fields: dict[str, str], _: str) -> None:
    for name in fields.keys() - {"transactionId"}:
        fields[name] = fields[name].rstrip("=")


def _no_base64(fields: dict[str, str], chosen: str) -> None:
    fields[chosen] = "*" + fields[chosen][1:]


def _cut_short(fields: dict[str, str], chosen: str) -> None:
    fields[chosen] = encoded(base64.b64decode(fields[chosen])[:-1])


def _bad_signature(fields: dict[str, str], _: str) -> None:
    for name in fields.keys() & _SIGNATURES:
        fields[name] = encoded(flipped(base64.b64decode(fields[name])))


def _bad_certificate(fields: dict[str, str], _: str) -> None:
    for name in fields.keys() & _CERTIFICATES:
        fields[name] = encoded(flipped(base64.b64decode(fields[name])))


def _other_name(fields: dict[str, str], _: str) -> None:
    if "profileMetadata" in fields:
        shown = tlv.parse(base64.b64decode(fields["profileMetadata"]))
        fields["profileMetadata"] = encoded(_renamed(shown))


def _renamed(metadata: Tlv) -> bytes:
    other = tlv.encode(_PROFILE_NAME, b"Another profile")
    return tlv.encode(
        metadata.tag, *(other if one.tag == _PROFILE_NAME else one.raw for one in metadata.children())
    )


_ALTERATIONS: dict[FaultKind, Callable[[dict[str, str], str], None]] = {
    FaultKind.WRONG_TRANSACTION_ID: _other_transaction_id,
    FaultKind.LOWER_CASE_TRANSACTION_ID: _lower_case,
    FaultKind.FIELD_MISSING: _left_out,
    FaultKind.BASE64_NEWLINES: _with_newlines,
    FaultKind.BASE64_UNPADDED: _unpadded,
    FaultKind.BASE64_BROKEN: _no_base64,
    FaultKind.DER_BROKEN: _cut_short,
    FaultKind.BAD_SIGNATURE: _bad_signature,
    FaultKind.BAD_CERTIFICATE: _bad_certificate,
    FaultKind.METADATA_MISMATCH: _other_name,
}
