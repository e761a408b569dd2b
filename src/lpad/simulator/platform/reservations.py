"""The stock of a simulated platform: reservations of profiles, and the lines that belong to them.

A profile becomes available after a number of queries, and a line becomes live in the same way, so that
tests need not wait for seconds. From then on, a profile's state follows the SM-DP+.
"""

from __future__ import annotations

import enum
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Profile(enum.StrEnum):
    """The states of a reserved profile."""

    NEW = "new"
    RESERVING = "reserving"
    AVAILABLE = "available"
    DOWNLOADED = "downloaded"
    INSTALLED = "installed"
    FAILED = "failed"


class Line(enum.StrEnum):
    """The states of a line in the network."""

    IDLE = "idle"
    CHANGING = "changing"
    LIVE = "live"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Placed:
    """An order for a profile at the SM-DP+; `announced`: an SM-DS lists it, so that no code is needed."""

    order: str
    iccid: str
    address: str
    matching_id: str
    announced: bool = False


class Shelf(Protocol):
    """The SM-DP+ behind a platform."""

    def place(self, *, eid: str | None) -> Placed:
        """Add an order for a card, or for any card with the matching ID."""

    def progress(self, order: str) -> Profile:
        """Return the state of an order."""

    def withdraw(self, order: str) -> None:
        """Cancel an order."""


@dataclass(slots=True, kw_only=True)
class Reserved:
    """A reservation with its line."""

    id: str
    line_id: str
    eid: str | None = None
    reference: str = ""
    product: str = ""
    imei: str | None = None
    created: float = 0.0
    looks: int = 0
    line_looks: int = 0
    line: Line = Line.IDLE
    fleet: str | None = None
    confirmed: bool = True
    failed: bool = False
    never: bool = False
    stuck: bool = False
    placed: Placed | None = None
    profile: Profile = Profile.NEW
    words: str | None = None


@dataclass(slots=True, kw_only=True)
class Pace:
    """The numbers of queries after which states change."""

    profile: int = 2
    line: int = 1


@dataclass(slots=True)
class Stock:
    """All reservations of one platform, the oldest first.

    Callers must use it from one thread at a time.
    """

    shelf: Shelf
    now: Callable[[], float]
    pace: Pace = field(default_factory=Pace)
    bound: bool = True
    """Whether a profile is bound to an EID; otherwise it is found by its matching ID."""
    reserved: list[Reserved] = field(default_factory=list)
    orders: int = 0
    """The number of orders, including drafts."""

    def order(
        self, *, eid: str | None = None, reference: str = "", product: str = "", confirmed: bool = True
    ) -> Reserved:
        """Create a reservation, and return it."""
        self.orders += 1
        made = Reserved(
            id=secrets.token_hex(16),
            line_id=secrets.token_hex(16),
            eid=eid,
            reference=reference,
            product=product,
            created=self.now(),
            confirmed=confirmed,
        )
        self.reserved.append(made)
        return made

    def find(self, name: str) -> Reserved | None:
        """Return the reservation with this id, line id or reference; None: unknown."""
        return next((each for each in self.reserved if name in (each.id, each.line_id, each.reference)), None)

    def by_iccid(self, iccid: str) -> Reserved | None:
        """Return the reservation of the profile with this ICCID; None: unknown."""
        return next((each for each in self.reserved if each.placed and each.placed.iccid == iccid), None)

    def look(self, each: Reserved) -> Reserved:
        """Advance a reservation by one query of the client, and return it."""
        each.looks += 1
        if each.failed:
            each.profile = Profile.FAILED
        elif each.placed is not None:
            each.profile = self.shelf.progress(each.placed.order)
        elif each.confirmed and not each.never and each.looks >= self.pace.profile:
            each.placed = self.shelf.place(eid=each.eid if self.bound else None)
            each.profile = Profile.AVAILABLE
        elif each.confirmed and each.looks > 1:
            each.profile = Profile.RESERVING
        return each

    def look_at_line(self, each: Reserved) -> Reserved:
        """Advance a reservation's line by one query of the client, and return the reservation."""
        if each.line is Line.CHANGING and not each.stuck:
            each.line_looks += 1
            if each.line_looks >= self.pace.line:
                each.line = Line.LIVE
        return each

    def activate(self, each: Reserved) -> None:
        """Begin to activate a line."""
        if each.line is not Line.LIVE:
            each.line = Line.CHANGING if self.pace.line else Line.LIVE
            each.line_looks = 0

    def release(self, each: Reserved) -> None:
        """Release a reservation."""
        if each.placed is not None:
            self.shelf.withdraw(each.placed.order)
        self.reserved.remove(each)
