"""The bearers with which an LTE modem attaches (Microsoft's basic connect extensions, LTE attach)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.card.port.link_refused import LinkRefused
from lpad.codec.mbim.data_connection import (
    LteAttachConfigurations,
    LteAttachContext,
    LteAttachOperation,
    RoamingControl,
    SetLteAttachConfiguration,
)
from lpad.codec.mbim.information_buffer import decode, encode
from lpad.codec.mbim.messages import Action
from lpad.codec.mbim.services import BASIC_CONNECT_EXTENSIONS, Extended

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.card.mbim.mbim_dialogue import MbimDialogue

_SETTING = 30.0
"""Seconds that a modem may take to store the contexts."""


class LteAttach:
    """Reads and stores the attach contexts, one for each kind of network (home, partner, others)."""

    def __init__(self, dialogue: MbimDialogue, *, patience: float) -> None:
        """Use a dialogue; nothing is sent.

        Args:
            patience: the maximum number of seconds to wait for an answer to a query.
        """
        self._dialogue = dialogue
        self._patience = patience

    def read(self, *, deadline: Deadline) -> tuple[LteAttachContext, ...] | None:
        """Return the stored contexts; None: the modem does not report them.

        Raises:
            CardUnreachable: the port is gone or does not answer.
        """
        found = self._dialogue.read(
            LteAttachConfigurations,
            BASIC_CONNECT_EXTENSIONS,
            Extended.LTE_ATTACH_CONFIGURATION,
            attempted="cannot read the settings for the LTE attach",
            patience=self._patience,
            deadline=deadline,
        )
        return None if found is None else tuple(decode(LteAttachContext, each) for each in found.contexts)

    def store(self, wanted: LteAttachContext, *, deadline: Deadline) -> bool:
        """Store one context for all roaming conditions; return whether the modem accepts it.

        The context applies from the next attach on.

        Raises:
            CardUnreachable: the port is gone or does not answer.
        """
        try:
            self._dialogue.ask(
                BASIC_CONNECT_EXTENSIONS,
                Extended.LTE_ATTACH_CONFIGURATION,
                SetLteAttachConfiguration(
                    operation=LteAttachOperation.STORE,
                    contexts=tuple(encode(wanted.under(each)) for each in RoamingControl),
                ),
                action=Action.SET,
                attempted="cannot set the APN for the LTE attach",
                patience=_SETTING,
                deadline=deadline,
            )
        except LinkRefused:
            return False
        return True
