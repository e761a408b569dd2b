"""TERMINAL CAPABILITY on an MBIM port: the modem stores this command and sends it when the card starts.

The modem owns the basic channel, so lpad does not send the command itself (Microsoft's low-level UICC
access).
"""

from __future__ import annotations

import enum
from contextlib import suppress
from typing import TYPE_CHECKING

from lpad.base.errors import CardError
from lpad.codec.mbim.messages import Action
from lpad.codec.mbim.services import UICC, Uicc
from lpad.codec.mbim.uicc_access import LPA_CAPABILITY, ResetRequest, TerminalCapability

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.card.mbim.mbim_dialogue import MbimDialogue
    from lpad.codec.mbim.information_buffer import Information

_TAG = LPA_CAPABILITY[:1]


class Declared(enum.Enum):
    """The result of a declaration."""

    ALREADY = enum.auto()
    """The modem already declares the LPA; lpad assumes that the card has started since then."""
    RESTARTING = enum.auto()
    """The card restarts, and is informed of the LPA at its start."""
    LATER = enum.auto()
    """The card is informed of the LPA at its next start."""
    UNKNOWN = enum.auto()
    """The modem does not report the capabilities that it declares, or the LPA is still not among them."""


def declare_lpa(dialogue: MbimDialogue, *, restart: bool, patience: float, deadline: Deadline) -> Declared:
    """Have the modem declare an LPA to the card; restart the card for this if requested.

    The modem keeps the other data objects that it stores for TERMINAL CAPABILITY.

    Args:
        restart: whether to restart the card, which is informed only at its start.
        patience: the maximum number of seconds to wait for each answer.

    Raises:
        CardUnreachable: the modem does not answer, or refuses.
        CardBusy: the modem or its SIM is busy.
    """
    attempted = "cannot have the modem declare an LPA to the card"

    def read() -> TerminalCapability | None:
        return dialogue.read(
            TerminalCapability,
            UICC,
            Uicc.TERMINAL_CAPABILITY,
            attempted=attempted,
            patience=patience,
            deadline=deadline,
        )

    def order(cid: Uicc, wish: Information, *, deadline: Deadline = deadline) -> None:
        dialogue.ask(
            UICC, cid, wish, action=Action.SET, attempted=attempted, patience=patience, deadline=deadline
        )

    found = read()
    if found is None:
        return Declared.UNKNOWN
    if LPA_CAPABILITY in found.objects:
        return Declared.ALREADY
    others = tuple(each for each in found.objects if not each.startswith(_TAG))
    order(Uicc.TERMINAL_CAPABILITY, TerminalCapability(objects=(*others, LPA_CAPABILITY)))
    declared = read()
    if declared is None or LPA_CAPABILITY not in declared.objects:
        return Declared.UNKNOWN  # unless the LPA is stored, each attempt would restart the card
    if not restart:
        return Declared.LATER
    try:
        order(Uicc.RESET, ResetRequest(pass_through=0))
    except CardError:
        # The earlier capabilities are restored, so that the next attempt restarts the card.
        with suppress(CardError):
            order(Uicc.TERMINAL_CAPABILITY, found, deadline=deadline.later(patience))
        raise
    return Declared.RESTARTING
