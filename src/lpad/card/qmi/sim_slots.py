"""The physical SIM slots of a modem on a QMI port."""

from __future__ import annotations

from lpad.card.modem.sim_slot import Slot
from lpad.codec.qmi.card import PhysicalCard, PhysicalSlot

_MOST = 8
_CARD = {PhysicalCard.ABSENT: False, PhysicalCard.PRESENT: True}


def slots_of(told: tuple[PhysicalSlot, ...]) -> tuple[Slot, ...]:
    """Return the slots that a modem reports, in the form of all modems."""
    known = {state.value: has for state, has in _CARD.items()}
    return tuple(
        Slot(number, each.active == 1, known.get(each.card)) for number, each in enumerate(told[:_MOST], 1)
    )
