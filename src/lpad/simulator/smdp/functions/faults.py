"""The faults of the simulated server: their data, and the list of remaining faults.

A fault has a kind, and affects one ES9+ function or any. As JSON, for the command line:

    [{"function": "getBoundProfilePackage", "kind": "bpp-bit-flip", "value": 3},
     {"function": "authenticateClient", "kind": "http-status", "value": 503, "times": 2}]
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from lpad.base.errors import InvalidValue


class FaultKind(StrEnum):
    """The kinds of faults, each with the meaning of `value`, if it has one."""

    # faults of the connection
    DROP_BEFORE = "drop-before"
    """The connection is cut, and the request is not carried out."""
    DROP_AFTER = "drop-after"
    """The request is carried out, but the connection is cut instead of an answer."""
    DELAY = "delay"
    """The request is carried out `value` seconds later."""
    # faults of the HTTP answer
    HTTP_STATUS = "http-status"
    """The request is not carried out; HTTP status `value` with an empty body."""
    REDIRECT = "redirect"
    """302 to the URL `value`."""
    BODY_MALFORMED = "body-malformed"
    """A body that is not JSON."""
    BODY_HTML = "body-html"
    """200 with a web page, as captive portals answer."""
    BODY_EMPTY = "body-empty"
    """200 with an empty body, as real servers answer notifications."""
    BODY_TRUNCATED = "body-truncated"
    """Half the body, then the connection is cut."""
    BODY_OVERSIZED = "body-oversized"
    """`value` bytes of spaces inside the body, by default 8 MiB."""
    BODY_SUCCESS = "body-success"
    """200 with a JSON header instead of 204."""
    # faults of the answer's JSON
    REFUSE = "refuse"
    """The request is not carried out; Failed with `value`, such as "8.2.6/3.8"."""
    STATUS = "status"
    """The function execution status `value` instead of Executed-Success."""
    WRONG_TRANSACTION_ID = "wrong-transaction-id"
    LOWER_CASE_TRANSACTION_ID = "lower-case-transaction-id"
    FIELD_MISSING = "field-missing"
    """The field `value`, by default the last one, is omitted."""
    BASE64_NEWLINES = "base64-newlines"
    BASE64_UNPADDED = "base64-unpadded"
    BASE64_BROKEN = "base64-broken"
    """The field `value`, by default the last one, contains characters that are not base64."""
    DER_BROKEN = "der-broken"
    """The field `value`, by default the last one, lacks its last byte."""
    METADATA_MISMATCH = "metadata-mismatch"
    """profileMetadata does not describe the profile in the package."""
    # faults of signed data, signatures and certificates
    SIGNED_ADDRESS = "signed-address"
    """serverSigned1 contains the address `value`."""
    SIGNED_TRANSACTION_ID = "signed-transaction-id"
    SIGNED_CHALLENGE = "signed-challenge"
    """serverSigned1 contains a challenge that is not the card's."""
    BAD_SIGNATURE = "bad-signature"
    BAD_CERTIFICATE = "bad-certificate"
    """The certificate's own signature is wrong."""
    OTHER_OID = "other-oid"
    """Everything is signed correctly by another SM-DP+ of the same CI."""
    OTHER_ROLE = "other-role"
    """DPpb signs instead of DPauth, and DPauth instead of DPpb."""
    UNKNOWN_CI = "unknown-ci"
    """The server's certificate comes from an unknown CI."""
    OTHER_SIGNING_CI = "other-signing-ci"
    """euiccCiPKIdToBeUsed names a CI that the card did not offer."""
    # faults of an SM-DS's events
    NO_EVENTS = "no-events"
    """The list of events is empty, whatever is registered."""
    MANY_EVENTS = "many-events"
    """`value` made-up events (by default 5000) come before the registered ones."""
    EVENT_LOOP = "event-loop"
    """The only event is at `value`, by default this SM-DS itself, with a new ID each time."""
    EVENT_ADDRESS = "event-address"
    """All events are at the address `value`."""
    DELETED_EVENTS = "deleted-events"
    """Deleted events are still listed."""
    # faults of the bound profile package
    BPP_BIT_FLIP = "bpp-bit-flip"
    """One bit in the `value`-th element 86, counted from 1, is wrong."""
    BPP_OUTER_LENGTH = "bpp-outer-length"
    """The package announces one byte less than it has."""
    BPP_NO_METADATA = "bpp-no-metadata"
    BPP_NO_PROFILE = "bpp-no-profile"
    BPP_TRAILING_BYTES = "bpp-trailing-bytes"
    BPP_TRANSACTION_ID = "bpp-transaction-id"
    BPP_SIGNATURE = "bpp-signature"
    BPP_KEY_TYPE = "bpp-key-type"
    BPP_OPERATION = "bpp-operation"


class TlsIdentity(StrEnum):
    """The certificate that the server presents in the TLS handshake."""

    GOOD = "good"
    EXPIRED = "expired"
    OTHER_NAME = "other-name"
    UNKNOWN_CA = "unknown-ca"


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault.

    Attributes:
        kind: the kind of the fault.
        function: the affected ES9+ function, such as "initiateAuthentication"; None: any.
        value: a value whose meaning depends on `kind`.
        times: how many times the fault occurs; 0: always.
    """

    kind: FaultKind
    function: str | None = None
    value: str | int | float | None = None
    times: int = 1


@dataclass(frozen=True, slots=True)
class ActiveFaults:
    """The faults of one request."""

    faults: tuple[Fault, ...] = ()

    def __contains__(self, kind: FaultKind) -> bool:
        return any(fault.kind is kind for fault in self.faults)

    def value(self, kind: FaultKind, default: str) -> str:
        """Return the value of the fault of `kind` as text, or `default` if it has none."""
        found = next((fault.value for fault in self.faults if fault.kind is kind), None)
        return default if found is None else str(found)

    def number(self, kind: FaultKind, default: float) -> float:
        """Return the value of the fault of `kind` as a number, or `default` if it has none."""
        found = next((fault.value for fault in self.faults if fault.kind is kind), None)
        return default if found is None else float(found)


class FaultPlan:
    """The remaining faults; tests add to them while the server runs.

    Counted faults occur one after the other, one for each request; permanent faults also occur
    with every request.
    """

    def __init__(self, faults: tuple[Fault, ...] = ()) -> None:
        """Start with `faults`."""
        self._faults = list(faults)
        self._lock = threading.Lock()

    @classmethod
    def from_json(cls, text: str | bytes) -> FaultPlan:
        """Read a JSON list of faults.

        Raises:
            InvalidValue: the text is not such a list, or has an unknown kind or field.
        """
        try:
            faults = msgspec.json.decode(text, type=tuple[Fault, ...])
        except ValueError as error:
            raise InvalidValue(f"cannot read the list of faults: {error}") from error
        return cls(faults)

    def add(self, *faults: Fault) -> None:
        """Append `faults`."""
        with self._lock:
            self._faults += faults

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()

    @property
    def pending(self) -> tuple[Fault, ...]:
        """The faults that will still occur."""
        with self._lock:
            return tuple(self._faults)

    def take(self, function: str) -> ActiveFaults:
        """Return the faults of this request to `function`, and count them."""
        with self._lock:
            meant = [fault for fault in self._faults if fault.function in (function, None)]
            always = [fault for fault in meant if fault.times == 0]
            counted = [fault for fault in meant if fault.times > 0][:1]
            for fault in counted:
                place = next(index for index, one in enumerate(self._faults) if one is fault)
                self._faults[place : place + 1] = (
                    [msgspec.structs.replace(fault, times=fault.times - 1)] if fault.times > 1 else []
                )
        return ActiveFaults((*always, *counted))
