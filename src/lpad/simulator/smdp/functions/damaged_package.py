"""The damage that a fault does to a bound profile package before it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lpad.codec.asn1 import tlv
from lpad.simulator.smdp.functions.faults import ActiveFaults, Fault, FaultKind
from lpad.simulator.smdp.functions.faulty_answers import flipped
from lpad.simulator.smdp.functions.package_building import secure_channel

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.simulator.pki.credential import Credential

_PACKAGE = 0xBF36
_SECURE_CHANNEL = 0xBF23
_METADATA, _PROFILE = 0xA1, 0xA3
_OTHER_OPERATION = b"\x02"
_SM4 = 0x89


@dataclass(frozen=True, slots=True)
class Package:
    """A parsed bound profile package: elements by tag, and key and data of the first element's signature."""

    parts: dict[int, bytes]
    dp_pb: Credential
    euicc_otpk: bytes

    def joined(self) -> bytes:
        """Return the package, joined from its elements."""
        return tlv.encode(_PACKAGE, *self.parts.values())

    def with_channel(self, **changes: bytes | int) -> bytes:
        """Return the package with other fields in its first element, correctly signed."""
        channel = tlv.parse(self.parts[_SECURE_CHANNEL])
        fields: dict[str, bytes | int] = {
            "transaction_id": channel.get(0x80).value,
            "own_otpk": channel.get(0x5F49).value,
            "euicc_otpk": self.euicc_otpk,
        }
        signed = secure_channel(self.dp_pb, **(fields | changes))  # type: ignore[arg-type]  # the dict mixes two types
        return tlv.encode(_PACKAGE, *(self.parts | {_SECURE_CHANNEL: signed}).values())


def damaged(faults: ActiveFaults, package: bytes, *, dp_pb: Credential, euicc_otpk: bytes) -> bytes:
    """Return the package, altered by the first of `faults` that concerns packages."""
    fault = next((fault for fault in faults.faults if fault.kind in _DAMAGES), None)
    if fault is None:
        return package
    parts = {one.tag: one.raw for one in tlv.parse(package).children()}
    return _DAMAGES[fault.kind](Package(parts, dp_pb, euicc_otpk), fault)


def _flip_bit(package: Package, fault: Fault) -> bytes:
    pieces = [one.raw for one in tlv.parse(package.parts[_PROFILE]).children()]
    chosen = min(int(fault.value or 1), len(pieces)) - 1
    pieces[chosen] = flipped(pieces[chosen])
    package.parts[_PROFILE] = tlv.encode(_PROFILE, *pieces)
    return package.joined()


def _outer_length(package: Package, _: Fault) -> bytes:
    body = b"".join(package.parts.values())
    return tlv.tag_bytes(_PACKAGE) + tlv.encode_length(len(body) - 1) + body


def _trailing_bytes(package: Package, _: Fault) -> bytes:
    return package.joined() + b"\x00\x00"


def _no_metadata(package: Package, _: Fault) -> bytes:
    del package.parts[_METADATA]
    return package.joined()


def _no_profile(package: Package, _: Fault) -> bytes:
    del package.parts[_PROFILE]
    return package.joined()


def _signature(package: Package, _: Fault) -> bytes:
    package.parts[_SECURE_CHANNEL] = flipped(package.parts[_SECURE_CHANNEL])
    return package.joined()


def _transaction_id(package: Package, _: Fault) -> bytes:
    right = tlv.parse(package.parts[_SECURE_CHANNEL]).get(0x80).value
    return package.with_channel(transaction_id=flipped(right))


def _operation(package: Package, _: Fault) -> bytes:
    return package.with_channel(operation=_OTHER_OPERATION)


def _key_type(package: Package, _: Fault) -> bytes:
    return package.with_channel(key_type=_SM4)


_DAMAGES: dict[FaultKind, Callable[[Package, Fault], bytes]] = {
    FaultKind.BPP_BIT_FLIP: _flip_bit,
    FaultKind.BPP_OUTER_LENGTH: _outer_length,
    FaultKind.BPP_TRAILING_BYTES: _trailing_bytes,
    FaultKind.BPP_NO_METADATA: _no_metadata,
    FaultKind.BPP_NO_PROFILE: _no_profile,
    FaultKind.BPP_SIGNATURE: _signature,
    FaultKind.BPP_TRANSACTION_ID: _transaction_id,
    FaultKind.BPP_OPERATION: _operation,
    FaultKind.BPP_KEY_TYPE: _key_type,
}
