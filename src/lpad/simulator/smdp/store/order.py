"""A download order: its profile, its recipient and its state."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from lpad.simulator.smdp.store.profile_metadata import (  # noqa: TC001 - msgspec reads annotations at run time
    ProfileMetadata,
)


class OrderState(StrEnum):
    """The states of an order (after SGP.22 v2.5, 3.1.6)."""

    CONFIRMED = "confirmed"
    """Complete, but the operator has not released it yet."""
    RELEASED = "released"
    """May be downloaded."""
    DOWNLOADED = "downloaded"
    """The package was sent; the same card may request it again until it reports a result."""
    INSTALLED = "installed"
    CANCELLED = "cancelled"
    """The user or the operator has cancelled it."""
    ERROR = "error"
    """Ended by a permanent failure; `reason` names the failure."""


OPEN_STATES = frozenset({OrderState.CONFIRMED, OrderState.RELEASED, OrderState.DOWNLOADED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A download order as stored in its file.

    Attributes:
        id: the name of the order's files.
        created: the time at which the order was added.
        metadata: the metadata shown to the user.
        matching_id: the activation code's matching ID; empty if the EID alone finds the order.
        eid: the EID, 32 digits, of the only card that may use the order, or of the card that has begun to
            use it; None: any card.
        state: the state of the order.
        reason: the reason for the order's state, such as a failure, as text; None: no special reason.
        confirmation_hash: SHA-256 of the confirmation code in hex, or None if none is required.
        confirmation_limit: the number of wrong codes after which the order ends.
        confirmation_failures: the number of wrong codes so far.
        attempt_limit: the number of sessions after which the order ends.
        attempts: the number of sessions so far.
        expires: the time at which the order expires; None: never.
        tacs: type allocation codes (8 digits) of the devices that may use the order; empty: all.
        oid_in_code: whether the activation code names the server's OID.
        replace_session_keys: whether the package contains the profile's own keys (element A2).
        metadata_piece: the maximum number of bytes of metadata in one element 88.
        profile_piece: the maximum number of bytes of the profile in one element 86.
        transaction_id: the latest session's transaction ID, in hex.
        events: the files of the order's events at SM-DSs, deleted when the order ends; see `smds_events.py`.
    """

    id: str
    created: datetime
    metadata: ProfileMetadata
    matching_id: str = ""
    eid: str | None = None
    state: OrderState = OrderState.RELEASED
    reason: str | None = None
    confirmation_hash: str | None = None
    confirmation_limit: int = 3
    confirmation_failures: int = 0
    attempt_limit: int = 10
    attempts: int = 0
    expires: datetime | None = None
    tacs: tuple[str, ...] = ()
    oid_in_code: bool = False
    replace_session_keys: bool = False
    metadata_piece: int = 1008
    profile_piece: int = 1007
    transaction_id: str | None = None
    events: tuple[str, ...] = ()

    @property
    def expired(self) -> bool:
        """Whether the order has expired."""
        return self.expires is not None and datetime.now(UTC) >= self.expires

    def activation_code(self, address: str, oid: str, *, prefix: str = "LPA:") -> str:
        """Return the activation code (SGP.22 v2.5, 4.1).

        Args:
            address: the SM-DP+'s address, with its port unless that is 443.
            oid: the SM-DP+'s OID, dotted; included only if the order requires it.
            prefix: "LPA:" as in QR codes, or nothing.
        """
        fields = ["1", address, self.matching_id]
        if self.oid_in_code or self.confirmation_hash is not None:
            fields.append(oid if self.oid_in_code else "")
        if self.confirmation_hash is not None:
            fields.append("1")
        return prefix + "$".join(fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A package bound for a card, kept for a second attempt with the same one-time key.

    Attributes:
        euicc_otpk: the card's one-time public key, 65 bytes.
        package: the bound profile package.
        metadata: the element BF25 in the package.
        dp_pb: the key identifier of the certificate with which the package was bound.
    """

    euicc_otpk: bytes
    package: bytes
    metadata: bytes
    dp_pb: bytes

    def suits(self, metadata: bytes, dp_pb: bytes) -> bool:
        """Return whether the package contains this metadata and was bound with this certificate."""
        return (self.metadata, self.dp_pb) == (metadata, dp_pb)


def confirmed_by(order: Order, transaction_id: bytes, told: bytes) -> bool:
    """Return whether `told` is hashCc: SHA-256(SHA-256(code) | transaction ID) (SGP.22 v2.5, 4.7)."""
    expected = bytes.fromhex(order.confirmation_hash or "") + transaction_id
    return hashlib.sha256(expected).digest() == told


def hash_of_code(confirmation_code: str) -> str:
    """Return SHA-256 of the code in hex, so that the server need not store the code itself."""
    return hashlib.sha256(confirmation_code.encode()).hexdigest()
