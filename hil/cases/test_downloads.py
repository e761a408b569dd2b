"""Downloads by activation code and from the default SM-DP+, with and without a confirmation code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hil.place.place import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from hil.orders.order import Order
    from hil.place.place import Place

pytestmark = pytest.mark.needs("codes", "network")


def arrives(place: Place, order: Order) -> None:
    """Download a profile; check that it is disabled and reported to its server; delete it if expendable."""
    change = place.client.download_leased(place.name, order, wait=PATIENCE).check()
    assert change.result is not None
    iccid = str(change.result["iccid"])
    states = {profile.iccid: profile.state for profile in place.client.profiles(place.name)}
    assert states[iccid] == "disabled"
    assert [step.name for step in change.steps if "load" in step.name], "the steps include the loading"
    place.deliver(iccid)
    place.until_removed(iccid)
    if order.expendable:
        place.client.delete(place.name, iccid, wait=PATIENCE).check()


def test_activation_code(place: Place, lease: Callable[..., Order]) -> None:
    """A download by activation code succeeds."""
    arrives(place, lease())


def test_confirmation_code(place: Place, lease: Callable[..., Order]) -> None:
    """A download by activation code succeeds with the confirmation code in the request."""
    arrives(place, lease(confirmation=True))


def test_confirmation_code_asked_for(place: Place, lease: Callable[..., Order]) -> None:
    """Without a confirmation code, the change asks for the code, and continues after the answer."""
    order = lease(confirmation=True)
    change = place.client.download_leased(place.name, order, confirmation_code=None, wait=PATIENCE)
    assert change.question is not None
    assert change.question.kind == "confirmation-code"
    place.client.answer(change.id, confirmation_code=order.confirmation_code)
    ended = place.client.settle_leased(change.id, order, seconds=PATIENCE).check()
    assert ended.state == "done"
    if order.expendable:
        place.client.delete(place.name, str((ended.result or {})["iccid"]), wait=PATIENCE).check()


def test_default_smdp(place: Place, lease: Callable[..., Order]) -> None:
    """A download from the default SM-DP+ succeeds if the server has an order for the card's EID."""
    order = lease(default=True)
    before = place.until_ready().addresses
    place.client.set_default_smdp(place.name, order.default_smdp or "", wait=PATIENCE).check()
    try:
        arrives(place, order)
    finally:
        address = before.default_smdp if before is not None else None
        place.client.set_default_smdp(place.name, address or "", wait=PATIENCE).check()
