"""Detaching a modem from its network and attaching it again, so that it uses newly stored settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError
from lpad.card.modem.modem_answer_types import Power
from lpad.card.modem.powered_down_note import bring_up

if TYPE_CHECKING:
    from lpad.card.modem.modem_lent_by_link import LentModem

_BRINGING_UP = 120.0


def attach_anew(lent: LentModem, *, deadline: Deadline) -> bool:
    """Detach and attach again; after a power cut in between, opening the port powers everything up.

    Args:
        deadline: for the command that detaches; powering the modem up again may take 120 seconds.

    Returns: Whether the modem accepted a command that detaches, and is not known to be down afterwards.

    Raises:
        CardError: the modem does not answer, or the port is gone.
    """
    modem = lent.modem
    for down, up in modem.reattaching:
        lent.powered_down.going_down((up,))
        try:
            taken = modem.take(down, deadline=deadline)
        except CardError:
            _bring_up(lent)
            raise
        power = _bring_up(lent)
        if power is Power.UNKNOWN and not taken:
            lent.powered_down.is_up()  # the modem was never detached
        if taken:
            return power is not Power.DOWN
    return False


def _bring_up(lent: LentModem) -> Power:
    return bring_up(lent.modem, lent.powered_down, deadline=Deadline.after(_BRINGING_UP))
