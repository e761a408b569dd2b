"""The physical SIM slots of a modem on a QMI port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import CardUnreachable
from lpad.card.modem.sim_slot import Slot
from lpad.codec.qmi.card import PhysicalCard, PhysicalSlot

if TYPE_CHECKING:
    from collections.abc import Sequence

SLOT = 1
"""The logical slot: modems that switch between two cards use the first one for either."""
_MOST = 8
_CARD = {PhysicalCard.ABSENT: False, PhysicalCard.PRESENT: True}


def slots_of(told: tuple[PhysicalSlot, ...]) -> tuple[Slot, ...]:
    """Return the slots that a modem reports, in the form of all modems."""
    known = {state.value: has for state, has in _CARD.items()}
    used = used_slot(told)
    return tuple(
        Slot(number, each is used, known.get(each.card)) for number, each in enumerate(told[:_MOST], 1)
    )


def used_slot(told: tuple[PhysicalSlot, ...]) -> PhysicalSlot | None:
    """Return the physical slot behind the logical one that lpad uses; None: none is active.

    A modem with two SIMs has two active slots.
    """
    active = [each for each in told if each.active == 1]
    return next((each for each in active if each.logical == SLOT), active[0] if active else None)


def needs_change(slots: Sequence[Slot], number: int, *, attempted: str) -> bool:
    """Return whether the modem has to change its slot to use the one that the settings name.

    Args:
        slots: the modem's slots; empty: it does not report them.
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
