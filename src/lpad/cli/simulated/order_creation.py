"""Functions with which commands add orders to the simulated SM-DP+."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from lpad.base.identifiers import Iccid
from lpad.simulator.profile_package.made_up_profile import DEFAULT_SIZE, made_up_profile
from lpad.simulator.smdp.address_file import AddressFile
from lpad.simulator.smdp.store.orders import iccid_of
from lpad.simulator.smdp.store.profile_metadata import ProfileMetadata
from lpad.simulator.smdp.store.smds_events import new_event_id
from lpad.simulator.smds.server import events_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lpad.base.identifiers import Eid
    from lpad.simulator.smdp.store.order import Order
    from lpad.simulator.smdp.store.orders import Orders
    from lpad.simulator.smdp.store.profile_metadata import Owner


def add_order(
    orders: Orders,
    *,
    upp: bytes | None = None,
    iccid: Iccid | None = None,
    name: str,
    provider: str,
    size: int = DEFAULT_SIZE,
    matching_id: str | None = None,
    eid: Eid | None = None,
    confirmation_code: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    **details: Any,
) -> Order:
    """Add an order for a profile package or, without a package, for a made-up profile.

    `metadata` are other attributes of ProfileMetadata, `details` other arguments of `Orders.add_order`.
    If `metadata` names an owner, the IMSI of a made-up profile begins with the owner's codes, which the card
    checks.
    """
    metadata = metadata or {}
    if upp is None:
        iccid = iccid or random_iccid()
        owner: Owner | None = metadata.get("owner")
        upp = made_up_profile(iccid, name=name, size=size, **({"imsi": _imsi_of(owner)} if owner else {}))
    number = str(iccid or iccid_of(upp))
    return orders.add_order(
        upp,
        metadata=ProfileMetadata(iccid=number, service_provider=provider, name=name, **metadata),
        matching_id=matching_id,
        eid=eid,
        confirmation_code=confirmation_code,
        **details,
    )


def register_events(orders: Orders, order: Order, smds_folders: Sequence[Path], address: str) -> None:
    """Register an order at the SM-DSs of some folders, the one nearest to the SM-DP+ first.

    The event at each later SM-DS leads to the SM-DS before it. The events are deleted when the order ends.

    Args:
        orders: the orders of the SM-DP+.
        order: an order with an EID and a matching ID.
        smds_folders: the folders of SM-DSs that run or have run.
        address: the address of the SM-DP+.

    Raises:
        NotFound: no SM-DS has run in one of the folders.
    """
    assert order.eid is not None, "the command requires an EID"
    event_id, files = order.matching_id, []
    for place, folder in enumerate(smds_folders):
        last = place == len(smds_folders) - 1
        forwarded_as = None if last else new_event_id()
        files.append(
            events_of(folder).register(
                eid=order.eid,
                address=address,
                event_id=event_id,
                forwarded_as=forwarded_as,
                expires=order.expires,
            )
        )
        if forwarded_as is not None:
            event_id, address = forwarded_as, AddressFile.read(folder).address
    orders.change(order.id, events=tuple(files))


def _imsi_of(owner: Owner) -> str:
    return (owner.mcc_mnc + "0123456789")[:15]


def random_iccid() -> Iccid:
    """Return a random ICCID of the test range, including the Luhn digit."""
    body = "8900101" + "".join(secrets.choice("0123456789") for _ in range(11))
    digits = [int(digit) for digit in reversed(body)]
    doubled = [digit * 2 - 9 * (digit > 4) if place % 2 == 0 else digit for place, digit in enumerate(digits)]
    return Iccid(f"{body}{-sum(doubled) % 10}")
