"""A physical SIM slot of a modem on a control port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import CardUnreachable
from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpad.base.errors import CardError


class Slot(Frozen):
    """A physical SIM slot, numbered from 1, as printed on devices."""

    number: int
    active: bool
    card: bool | None
    """Whether a card is in the slot; None if the modem does not report it."""

    def __str__(self) -> str:
        has = {True: "has a card", False: "is empty", None: "is in an unknown state"}[self.card]
        return f"slot {self.number}{' (active)' if self.active else ''} {has}"


MOST_SLOTS = 8
"""The maximum number of slots that lpad shows, because a modem may report a wrong number."""


def needs_change(slots: Sequence[Slot], number: int, *, attempted: str) -> bool:
    """Return whether the modem must change its active slot to use the slot that the settings name.

    Args:
        slots: the modem's slots; empty: it has only one slot, or does not report its slots.
        number: the physical slot, from 1.
        attempted: begins the sentence of the error.

    Raises:
        CardUnreachable: the modem has no such slot.
    """
    if not slots and number == 1:
        return False
    wanted = [each for each in slots if each.number == number]
    if not wanted:
        told = ", ".join(map(str, slots)) or "the modem reports no slots"
        raise CardUnreachable(f"{attempted}: {told}; correct the quirk 'sim_slot'", retryable=False)
    return not wanted[0].active


def explained(error: CardError, slots: Sequence[Slot]) -> CardError:
    """Return an error about a missing SIM, extended by the state of all slots if there are several.

    If another slot has a card, the error names the setting that selects it.
    """
    if len(slots) < 2:
        return error
    told = ", ".join(map(str, slots))
    other = next((each.number for each in slots if each.card and not each.active), None)
    remedy = "" if other is None else f"; to use slot {other}, set the quirk 'sim_slot' to {other}"
    return CardUnreachable(
        f"{error.sentence}: {told}{remedy}",
        retryable=error.retryable,
        modem_error=str(error.details["modem_error"]),
    )
