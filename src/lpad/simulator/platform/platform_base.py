"""The common base of all simulated platforms: a table of calls, credentials, and business faults."""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING, ClassVar

from lpad.simulator.platform.faults import PlatformFault
from lpad.simulator.platform.request_and_answer import Answer
from lpad.simulator.platform.reservations import Line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lpad.simulator.platform.request_and_answer import Request
    from lpad.simulator.platform.reservations import Reserved, Stock

    Handler = Callable[..., Answer]

Faulty = dict[PlatformFault, str]
"""The faults of a call, with their values."""

BUSINESS = (
    PlatformFault.NO_STOCK,
    PlatformFault.NO_BALANCE,
    PlatformFault.NOT_ELIGIBLE,
    PlatformFault.UNKNOWN_PRODUCT,
    PlatformFault.LINE_REFUSED,
)
"""The faults that a platform answers with a refusal in its own form."""


class Vendor:
    """One kind of platform.

    `calls` contains the method, the pattern of the path and the name of each call.
    """

    hosts: ClassVar[tuple[str, ...]] = ("platform.example.com",)
    path: ClassVar[str] = ""
    """The beginning of each call's path, which is part of the address in the client's settings."""
    bound: ClassVar[bool] = True
    calls: ClassVar[tuple[tuple[str, str, str], ...]] = ()

    def __init__(self, stock: Stock) -> None:
        self.stock = stock
        stock.bound = self.bound

    def named(self, request: Request) -> tuple[str, tuple[str, ...]] | None:
        """Return the name of a request's call, and the values in its path; None: the call is unknown."""
        for method, pattern, name in self.calls:
            found = re.fullmatch(pattern, request.path)
            if found and method == request.method:
                return name, found.groups()
        return None

    def answer(self, name: str, request: Request, named: tuple[str, ...], faults: Faulty) -> Answer:
        """Carry out a call, and return the answer."""
        if name != "token" and (PlatformFault.TOKEN_EXPIRED in faults or not self.admitted(request)):
            return self.stranger()
        refused = next((fault for fault in BUSINESS if fault in faults), None)
        if refused is not None:
            return self.refused(refused)
        if PlatformFault.LINE_ENDED in faults:
            for each in self.stock.reserved:
                each.line = Line.ENDED
        handler: Handler = getattr(self, f"do_{name}")
        return handler(request, *named, faults=faults)

    def admitted(self, request: Request) -> bool:
        """Return whether a request has valid credentials."""
        raise NotImplementedError

    def stranger(self) -> Answer:
        """Answer a request with wrong credentials."""
        return Answer(401, {"message": "credentials are wrong"})

    def refused(self, fault: PlatformFault) -> Answer:
        """Refuse a request in the platform's own form."""
        raise NotImplementedError

    def missing(self) -> Answer:
        """Answer that the resource does not exist."""
        return Answer(404, {"message": "not found"})

    def made(self, each: Reserved, faults: Faulty) -> Reserved:
        """Apply lasting faults to a new reservation, and return it."""
        each.never = PlatformFault.NEVER_AVAILABLE in faults
        each.failed = PlatformFault.FAILS in faults
        return each


def same(one: str, other: str) -> bool:
    """Return whether two secrets are equal."""
    return hmac.compare_digest(one.encode(), other.encode())


def altered(
    entry: Mapping[str, object],
    faults: Mapping[PlatformFault, str],
    *,
    state: str,
    iccid: str,
    keep: tuple[str, ...],
) -> dict[str, object]:
    """Return a reservation's JSON as altered by faults.

    Args:
        entry: the correct entry.
        faults: the faults of the call.
        state: the name of the field with the profile's state.
        iccid: the name of the field with the ICCID.
        keep: the fields that remain if a fault removes fields.
    """
    result = dict(entry)
    if PlatformFault.UNKNOWN_STATE in faults:
        result[state] = faults[PlatformFault.UNKNOWN_STATE] or "reticulating"
    if PlatformFault.EXTRA_FIELDS in faults:
        result |= {"flavour": "vanilla", "nested": {"deep": [1, {"deeper": None}]}}
    number = result.get(iccid)
    if PlatformFault.NUMBER_ICCID in faults and isinstance(number, str):
        result[iccid] = int(number)
    if PlatformFault.OTHER_ICCID in faults and isinstance(number, str):
        result[iccid] = number[:-2] + ("00" if number[-2:] != "00" else "11")
    if PlatformFault.MISSING_FIELDS in faults:
        result = {name: value for name, value in result.items() if name in (*keep, state)}
    return result
