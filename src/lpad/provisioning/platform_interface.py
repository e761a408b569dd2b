"""The interface to an operator's platform: the requests of a device, and the reservations.

A reservation has two independent states: the profile's at the SM-DP+, and the line's in the network.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, ClassVar, Protocol

from msgspec import field

from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.base.activation_code import ActivationCode
    from lpad.base.deadline import Deadline


class Stage(enum.StrEnum):
    """The stages of a reserved profile."""

    PENDING = "pending"
    AVAILABLE = "available"
    DOWNLOADED = "downloaded"
    INSTALLED = "installed"
    FAILED = "failed"
    GONE = "gone"
    UNKNOWN = "unknown"


class Line(enum.StrEnum):
    """The states of a line: whether the network serves the subscription."""

    IDLE = "idle"
    CHANGING = "changing"
    LIVE = "live"
    ENDED = "ended"
    UNKNOWN = "unknown"


class LineAction(enum.StrEnum):
    """The requests for the line of an installed profile."""

    SHOW = "show"
    ACTIVATE = "activate"
    SUSPEND = "suspend"
    RETIRE = "retire"  # retiring a line cannot be undone


class Wish(Frozen, kw_only=True):
    """A profile that is wanted for a card.

    Attributes:
        reference: lpad's own name for the wish's next order, up to 64 characters that are safe in a URL.
        eid: the card's EID, 32 digits.
        product: the platform's name for the product; None: the product in the settings, or the only product.
        options: further values that the platform's calls need, by name.
        imei: the device's IMEI, 15 digits; None: unknown.
    """

    reference: str
    eid: str
    product: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    imei: str | None = None


class Reservation(Frozen, kw_only=True):
    """A platform's report on a profile that it has reserved for a card.

    Attributes:
        platform: the platform's name in the settings.
        id: the platform's name of the reservation.
        line_id: the platform's name of the line; None: unknown.
        profile, line: the states of the profile and the line.
        line_word: the platform's own name of the line's state; None: not reported.
        ticket: the profile's server and matching ID; if the matching ID is empty, the server finds the
            profile by the card's EID. None until the platform reports it. The ticket is a secret.
        iccid: up to 20 digits without padding, perhaps without the check digit; None: unknown.
        eid: the EID of the card for which the profile is reserved; None: any card, or unknown.
        imei: the IMEI of the device in which the platform has seen the line; None: unknown.
        apn: the access point name for the profile; None: the platform reports none.
        draft: whether the reservation is lost unless the order is confirmed.
        why: the platform's own text, such as the reason of a failure; None: not reported.
        unknown: the platform's own names of states that no table lists.
        created: the time of the reservation's creation, in the platform's form; only for sorting.
    """

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"ticket"})
    platform: str
    id: str
    line_id: str | None = None
    profile: Stage = Stage.UNKNOWN
    line: Line = Line.UNKNOWN
    line_word: str | None = None
    ticket: ActivationCode | None = None
    iccid: str | None = None
    eid: str | None = None
    imei: str | None = None
    apn: str | None = None
    draft: bool = False
    why: str | None = None
    unknown: tuple[str, ...] = ()
    created: str | None = None


class Product(Frozen, kw_only=True):
    """A product that can be ordered; all fields except the id are the platform's texts, or None."""

    id: str
    name: str | None = None
    price: str | None = None
    validity: str | None = None
    coverage: str | None = None


class Finds(enum.StrEnum):
    """The key by which `find` searches."""

    EID = "eid"
    REFERENCE = "reference"
    NOTHING = "nothing"


class Activates(enum.StrEnum):
    """The times at which a line can be activated."""

    BEFORE = "before"  # before the profile is enabled, so that its first registration succeeds
    AFTER = "after"  # once the profile is installed
    NEVER = "never"  # the platform activates lines without a request


class Capabilities(Frozen, kw_only=True):
    """The capabilities of a platform.

    Attributes:
        orders: whether the platform reserves profiles; otherwise it only has lines.
        binds: whether a reservation is for one EID, so that a code with an empty matching ID is complete.
        finds: the key by which a reservation is found.
        repeats: whether an order with a used reference counts as the same order (an idempotency key).
        activates: when a line is activated.
        releases: whether a profile that was not downloaded can be released.
        costs: whether an order costs money.
        events: whether an available profile without a code waits as an event at an SM-DS.
        lines: the requests for the line of an installed profile; empty: the platform supports none.
        look_every: the minimum number of seconds between two queries.
        look_for: seconds after which a reservation that is still pending is reported as stalled.
    """

    orders: bool = True
    binds: bool = False
    finds: Finds = Finds.NOTHING
    repeats: bool = False
    activates: Activates = Activates.NEVER
    releases: bool = False
    costs: bool = True
    events: bool = False
    lines: frozenset[LineAction] = frozenset()
    look_every: float = 30.0
    look_for: float = 3600.0


class Platform(Protocol):
    """An operator's platform; each method is one conversation under one deadline.

    All methods raise:
        PlatformRefused: the platform refused; the details contain the `cause`.
        PlatformBusy: the platform asks to try again later, and has done nothing.
        PlatformUnclear, ServerUnreachable, ServerFailed, ServerMalformed: it is unclear whether the platform
            carried out the request; the caller must call `look` or `find` before it repeats anything.
        ServerUntrusted: the server's identity cannot be verified, so nothing was sent.
        Cancelled: another thread ends the wait.
    """

    name: str
    can: Capabilities

    def order(self, wish: Wish, *, draft: Reservation | None = None, deadline: Deadline) -> Reservation:
        """Order a profile, or confirm the draft of an order that `find` has found."""

    def find(self, wish: Wish, *, deadline: Deadline) -> tuple[Reservation, ...]:
        """Return the platform's reservations for a wish, the oldest first."""

    def look(self, reservation: Reservation, *, deadline: Deadline) -> Reservation:
        """Return the present state of a reservation; its stage is GONE if the platform no longer has it."""

    def activate(self, reservation: Reservation, wish: Wish, *, deadline: Deadline) -> Reservation:
        """Activate the line, or begin its activation."""

    def release(self, reservation: Reservation, *, deadline: Deadline) -> Reservation:
        """Release a profile that was not downloaded."""
