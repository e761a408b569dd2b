"""The physical SIM slots of a modem on an MBIM port (Microsoft's basic connect extensions)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from lpad.card.modem.sim_slot import Slot
from lpad.codec.mbim.basic_connect import SlotInfo, SlotMappings, SlotRequest, SlotState, SysCaps
from lpad.codec.mbim.information_buffer import Information
from lpad.codec.mbim.services import BASIC_CONNECT_EXTENSIONS, Extended

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.card.mbim.mbim_dialogue import MbimDialogue

_log = logging.getLogger(__name__)

_I = TypeVar("_I", bound=Information)

_MOST = 8
_WITHOUT_CARD = (SlotState.UNKNOWN, SlotState.OFF_EMPTY, SlotState.EMPTY)


class SimSlots:
    """Reads the slots; a modem without the extensions has one."""

    def __init__(self, dialogue: MbimDialogue, *, patience: float) -> None:
        """Use a dialogue; nothing is sent."""
        self._dialogue = dialogue
        self._patience = patience

    def read(self, *, deadline: Deadline) -> tuple[Slot, ...]:
        """Return the modem's slots; empty if it does not report them.

        Raises:
            CardUnreachable: the port is gone or does not answer.
        """
        caps = self._asked(SysCaps, Extended.SYS_CAPS, None, deadline)
        mapped = self._asked(SlotMappings, Extended.DEVICE_SLOT_MAPPINGS, None, deadline)
        if caps is None or mapped is None:
            return ()
        slots = []
        for index in range(min(caps.slots, _MOST)):
            info = self._asked(SlotInfo, Extended.SLOT_INFO_STATUS, SlotRequest(slot=index), deadline)
            known = (
                None if info is None or info.state == SlotState.UNKNOWN else info.state not in _WITHOUT_CARD
            )
            slots.append(Slot(index + 1, index in mapped.slots, known))
        return tuple(slots)

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
