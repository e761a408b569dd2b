"""A wish in the journal: one for each card, until its profile is enabled or a user closes it."""

from __future__ import annotations

import hashlib

import msgspec

from lpad.provisioning.platform_interface import Line, Reservation, Stage


class KeptReservation(msgspec.Struct, frozen=True, kw_only=True):
    """A platform's last report on a reservation, without its activation code, which is a secret.

    Attributes are those of `Reservation`.
    """

    id: str
    line_id: str | None = None
    profile: str = Stage.UNKNOWN.value
    line: str = Line.UNKNOWN.value
    iccid: str | None = None
    apn: str | None = None
    draft: bool = False
    why: str | None = None

    @classmethod
    def of(cls, reservation: Reservation) -> KeptReservation:
        """Create the record from a platform's report."""
        return msgspec.convert(reservation, cls, from_attributes=True)

    def reservation(self, platform: str) -> Reservation:
        """Return the reservation in the form that platforms use."""
        fields = msgspec.structs.asdict(self)
        fields |= {"profile": _stage(self.profile), "line": _line(self.line)}
        return Reservation(platform=platform, **fields)


class WishRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of a wish.

    Attributes:
        platform: the platform's name in the settings.
        product, options: the request.
        change: the change that works on the wish, or was the last to do so.
        unfinished_step: the step at the platform that was begun and has an unknown outcome; empty: no step.
        reservation: the platform's reservation; None: unknown.
        allowed: the number of permitted orders; a user permits each after the first.
        ordered_at: the moments of the orders on the steady clock.
        spent: why the reservation can no longer provide a profile, in words; empty: it can.
        looks: the number of queries since the last step of the order.
        spread: seconds over which lpad spreads its calls because the platform received too many; 0: no
            spreading.
        since: when the reservation was made, on the steady clock.
        next_look_at: when lpad queries next, on the steady clock.
        stalled: whether an unusual delay was reported.
        told: the unknown states that lpad has already reported.
        event: the SM-DP+ and the ID of the event that leads to the profile, if the platform gives no code.
    """

    platform: str
    product: str | None = None
    options: dict[str, str] = {}
    change: int = 0
    unfinished_step: str = msgspec.field(name="intent", default="")
    reservation: KeptReservation | None = None
    allowed: int = 1
    ordered_at: tuple[float, ...] = ()
    spent: str = ""
    looks: int = 0
    spread: float = 0.0
    since: float = 0.0
    next_look_at: float | None = None
    stalled: bool = False
    told: tuple[str, ...] = ()
    event: tuple[str, str] | None = None

    def reference(self, eid: str) -> str:
        """Return lpad's own name for this wish's next order.

        The name is derived from the EID and the platform, so that a device that has lost its journal finds
        its order again.
        """
        text = f"{eid} {self.platform} {self.allowed}"
        return f"lpad-{hashlib.sha256(text.encode()).hexdigest()[:32]}"

    @property
    def paid(self) -> bool:
        """Whether an order was made, or may have been made."""
        return bool(self.ordered_at) or self.reservation is not None


def _stage(word: str) -> Stage:
    return Stage(word) if word in {each.value for each in Stage} else Stage.UNKNOWN


def _line(word: str) -> Line:
    return Line(word) if word in {each.value for each in Line} else Line.UNKNOWN
