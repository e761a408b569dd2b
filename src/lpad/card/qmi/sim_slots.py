"""The physical SIM slots of a modem on a QMI port."""

from __future__ import annotations

from lpad.card.modem.sim_slot import MOST_SLOTS, Slot
from lpad.codec.qmi.card import PhysicalCard, PhysicalSlot

SLOT = 1
"""The logical slot: modems that switch between two cards use the first slot for either card."""
_CARD: dict[int, bool] = {PhysicalCard.ABSENT: False, PhysicalCard.PRESENT: True}


def slots_of(told: tuple[PhysicalSlot, ...]) -> tuple[Slot, ...]:
    """Convert the slots that a QMI modem reports into `Slot` objects."""
    used = used_slot(told)
    return tuple(
        Slot(number, each is used, _CARD.get(each.card)) for number, each in enumerate(told[:MOST_SLOTS], 1)
    )


def used_slot(told: tuple[PhysicalSlot, ...]) -> PhysicalSlot | None:
    """Return the slot behind lpad's logical slot, or else the first active slot; None if no slot is active.

    A modem that uses two SIMs at the same time has two active slots.
    """
    active = [each for each in told if each.active == 1]
    return next((each for each in active if each.logical == SLOT), active[0] if active else None)
