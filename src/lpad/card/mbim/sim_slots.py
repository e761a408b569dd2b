"""The physical SIM slots of a modem on an MBIM port (Microsoft's basic connect extensions)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from lpad.base.errors import CardError, CardUnreachable
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


@dataclass(frozen=True, slots=True)
class Slot:
    """A physical slot, from 1, as printed on devices."""

    number: int
    active: bool
    card: bool | None
    """Whether a card is in it; None: the modem does not say."""

    def __str__(self) -> str:
        has = {True: "has a card", False: "is empty", None: "is in an unknown state"}[self.card]
        return f"slot {self.number}{' (active)' if self.active else ''} {has}"


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

    def explained(self, error: CardError, *, deadline: Deadline) -> CardError:
        """Return an error about a missing SIM with the state of all slots, if there are several."""
        slots = self.read(deadline=deadline)
        if len(slots) < 2:
            return error
        told = ", ".join(map(str, slots))
        return CardUnreachable(
            f"{error.sentence}: {told}",
            retryable=error.retryable,
            modem_error=str(error.details["modem_error"]),
        )

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
