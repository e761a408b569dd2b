"""The orders of a server, in a folder: other processes add to it while the server runs.

    <id>.json    the order          <id>.upp     its unprotected profile package
    <id>.bound   a package that was bound for a card

Files appear and change atomically (written under another name, then renamed), under a lock shared by all
processes.
"""

from __future__ import annotations

import fcntl
import secrets
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from lpad.base.errors import Conflict, InvalidValue, MalformedError, NotFound
from lpad.base.identifiers import Eid, Iccid, swap_nibbles
from lpad.codec.asn1 import tlv
from lpad.simulator.smdp.store.atomic_writing import write_whole
from lpad.simulator.smdp.store.order import OPEN_STATES, Binding, Order, OrderState, hash_of_code
from lpad.simulator.smdp.store.profile_metadata import ProfileMetadata
from lpad.simulator.smdp.store.smds_events import delete_events

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HEADER = b"\xa0"
_HEADER_ICCID = 0x83
_MATCHING_ID_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_Kind = TypeVar("_Kind")


class Orders:
    """All orders of one server; each method reads the folder again."""

    def __init__(self, folder: Path) -> None:
        """Keep the orders in `folder`, which is created if missing."""
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def add_order(
        self,
        profile: bytes,
        *,
        metadata: ProfileMetadata | None = None,
        matching_id: str | None = None,
        eid: Eid | None = None,
        confirmation_code: str | None = None,
        released: bool = True,
        **details: Any,
    ) -> Order:
        """Add an order.

        Args:
            profile: the unprotected profile package (DER).
            metadata: by default the ICCID of the package's header and made-up names.
            matching_id: the matching ID; by default a random one, or none if `eid` is given: the server then
                finds the order by the EID (default SM-DP+).
            eid: the only card that may use the order.
            confirmation_code: the code that the user must enter.
            released: whether the profile may be downloaded immediately.
            details: other attributes of Order.

        Raises:
            InvalidValue: there is no ICCID in `metadata` or the header, or neither a matching ID nor an EID.
            Conflict: another open order has this matching ID.
        """
        if matching_id is None:
            matching_id = "" if eid is not None else _random_matching_id()
        if not matching_id and eid is None:
            raise InvalidValue("an order needs a matching ID or an EID, so that a card can find it")
        order = Order(
            id=secrets.token_hex(6),
            created=datetime.now(UTC),
            metadata=metadata or ProfileMetadata(iccid=str(iccid_of(profile))),
            matching_id=matching_id,
            eid=None if eid is None else eid.digits,
            state=OrderState.RELEASED if released else OrderState.CONFIRMED,
            confirmation_hash=None if confirmation_code is None else hash_of_code(confirmation_code),
            **details,
        )
        with self._locked():
            if matching_id and any(one.matching_id == matching_id for one in self.all() if _open(one)):
                raise Conflict("another open order has this matching ID; use another one")
            self._write(f"{order.id}.upp", profile)
            self._write(f"{order.id}.json", msgspec.json.encode(order))
        return order

    def all(self) -> tuple[Order, ...]:
        """Return every order, oldest first."""
        orders = (_read(path, Order) for path in self._folder.glob("*.json"))
        return tuple(sorted(orders, key=lambda order: (order.created, order.id)))

    def get(self, order_id: str) -> Order:
        """Return an order.

        Raises:
            NotFound: there is no order with this id.
        """
        path = self._folder / f"{order_id}.json"
        if not path.exists():
            raise NotFound(f"there is no order {order_id}")
        return _read(path, Order)

    def find(self, matching_id: str, eid: Eid) -> Order | None:
        """Return the order that a card requests, preferably an open one; None if there is none.

        Args:
            matching_id: the matching ID in the request; empty: find the order by the EID.
            eid: the card's EID.
        """
        if matching_id:
            meant = [one for one in self.all() if one.matching_id == matching_id]
        else:
            meant = [one for one in self.all() if not one.matching_id and one.eid == eid.digits]
        return next((one for one in meant if _open(one)), meant[-1] if meant else None)

    def change(self, order_id: str, **changes: Any) -> Order:
        """Apply `changes`, attributes of Order, to an order and return it.

        Raises:
            NotFound: there is no order with this id.
        """
        with self._locked():
            order = replace(self.get(order_id), **changes)
            self._write(f"{order_id}.json", msgspec.json.encode(order))
        if order.state not in OPEN_STATES:
            delete_events(order.events)
        return order

    def release(self, order_id: str) -> Order:
        """Release an order for download, and return it."""
        return self.change(order_id, state=OrderState.RELEASED, reason=None)

    def cancel(self, order_id: str) -> Order:
        """Cancel an order, as the operator does, and return it."""
        return self.change(order_id, state=OrderState.CANCELLED, reason="operator")

    def profile(self, order: Order) -> bytes:
        """Return the unprotected profile package of an order."""
        return (self._folder / f"{order.id}.upp").read_bytes()

    def binding(self, order: Order) -> Binding | None:
        """Return the package that was bound for this order; None if there is none."""
        path = self._folder / f"{order.id}.bound"
        return _read(path, Binding) if path.exists() else None

    def keep_binding(self, order: Order, binding: Binding) -> None:
        """Keep a bound package for another attempt with the same one-time key."""
        with self._locked():
            self._write(f"{order.id}.bound", msgspec.json.encode(binding))

    def forget_binding(self, order: Order) -> None:
        """Drop the bound package of an order, if there is one."""
        (self._folder / f"{order.id}.bound").unlink(missing_ok=True)

    def _write(self, name: str, data: bytes) -> None:
        write_whole(self._folder / name, data)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def iccid_of(profile: bytes) -> Iccid:
    """Return the ICCID in the header of an unprotected profile package.

    Raises:
        InvalidValue: the package has no header with an ICCID.
    """
    if profile[:1] != _HEADER:
        raise InvalidValue("this is not a profile package: it does not begin with a header (A0)")
    try:
        header, _ = tlv.parse_first(profile)
        # The header has the digits of the ICCID in their order; elsewhere they are swapped in pairs.
        return Iccid.from_bytes(swap_nibbles(header.get(_HEADER_ICCID).value))
    except MalformedError as error:
        raise InvalidValue(f"this is not a profile package: {error.sentence}") from error


def _read(path: Path, kind: type[_Kind]) -> _Kind:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except ValueError as error:
        raise InvalidValue(
            f"{path} is not a valid {kind.__name__.lower()}: {error}; remove the file"
        ) from error


def _open(order: Order) -> bool:
    return order.state in OPEN_STATES


def _random_matching_id() -> str:
    groups = ("".join(secrets.choice(_MATCHING_ID_ALPHABET) for _ in range(5)) for _ in range(4))
    return "-".join(groups)
