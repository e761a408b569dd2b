"""The physical SIM slots of a modem on an MBIM port (Microsoft's basic connect extensions)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from lpad.card.modem.sim_slot import MOST_SLOTS, Slot, needs_change
from lpad.codec.mbim.basic_connect import SlotInfo, SlotMappings, SlotRequest, SlotState, SysCaps
from lpad.codec.mbim.information_buffer import Information
from lpad.codec.mbim.messages import Action
from lpad.codec.mbim.services import BASIC_CONNECT_EXTENSIONS, Extended

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.card.mbim.mbim_dialogue import MbimDialogue

_log = logging.getLogger(__name__)

_I = TypeVar("_I", bound=Information)

_SEVERAL = 2
_SWITCHING = 30.0
"""Seconds that a modem may take to change its slot and start the card."""
_STARTING = 1.0
_NOT_STARTED = (SlotState.UNKNOWN, SlotState.OFF, SlotState.OFF_EMPTY, SlotState.NOT_READY)
_WITHOUT_CARD = (SlotState.UNKNOWN, SlotState.OFF_EMPTY, SlotState.EMPTY)


class SimSlots:
    """Reads the slots and selects one; lpad assumes that a modem without the extensions has one slot."""

    def __init__(self, dialogue: MbimDialogue, *, patience: float) -> None:
        """Use a dialogue; nothing is sent."""
        self._dialogue = dialogue
        self._patience = patience

    def read(self, *, deadline: Deadline) -> tuple[Slot, ...]:
        """Return the modem's slots; empty if it has only one slot, or does not report its slots.

        Afterwards, if the used slot is known, the dialogue ignores indications about other slots.

        Raises:
            CardUnreachable: the port is gone or does not answer.
        """
        caps = self._asked(SysCaps, Extended.SYS_CAPS, None, deadline)
        if caps is None:
            return ()
        if caps.slots < _SEVERAL:
            self._dialogue.used_slot = 0
            return ()
        mapped = self._asked(SlotMappings, Extended.DEVICE_SLOT_MAPPINGS, None, deadline)
        if mapped is None:
            return ()
        self._dialogue.used_slot = next(iter(mapped.slots), None)
        slots = []
        for index in range(min(caps.slots, MOST_SLOTS)):
            info = self._asked(SlotInfo, Extended.SLOT_INFO_STATUS, SlotRequest(slot=index), deadline)
            known = (
                None if info is None or info.state == SlotState.UNKNOWN else info.state not in _WITHOUT_CARD
            )
            slots.append(Slot(index + 1, index in mapped.slots, known))
        return tuple(slots)

    def select(self, number: int, *, deadline: Deadline) -> bool:
        """Make the modem use a slot; return whether lpad changed the slot.

        Args:
            number: the physical slot, from 1.

        Raises:
            CardUnreachable: the modem has no such slot, or refuses; or the port is gone.
        """
        attempted = f"cannot use SIM slot {number} of the modem at {self._dialogue.name}"
        if not needs_change(self.read(deadline=deadline), number, attempted=attempted):
            return False
        mapped = self._asked(SlotMappings, Extended.DEVICE_SLOT_MAPPINGS, None, deadline)
        others = () if mapped is None else mapped.slots[1:]
        self._dialogue.ask(
            BASIC_CONNECT_EXTENSIONS,
            Extended.DEVICE_SLOT_MAPPINGS,
            SlotMappings(slots=(number - 1, *others)),
            action=Action.SET,
            attempted=attempted,
            patience=_SWITCHING,
            deadline=deadline,
        )
        self._dialogue.used_slot = number - 1
        self._wait_for_card(number - 1, deadline=deadline.within(_SWITCHING))
        return True

    def _wait_for_card(self, index: int, *, deadline: Deadline) -> None:
        """Wait until the slot's card has started, at least a second (lpac#241), at most until `deadline`."""
        while not deadline.passed:
            self._dialogue.wait_for_indication(frozenset(), deadline=deadline.within(_STARTING))
            info = self._asked(SlotInfo, Extended.SLOT_INFO_STATUS, SlotRequest(slot=index), deadline)
            if info is None or info.state not in _NOT_STARTED:
                return

    def _asked(
        self, kind: type[_I], cid: Extended, information: Information | None, deadline: Deadline
    ) -> _I | None:
        return self._dialogue.read(
            kind,
            BASIC_CONNECT_EXTENSIONS,
            cid,
            information,
            attempted="cannot read the SIM slots",
            patience=self._patience,
            deadline=deadline,
        )
