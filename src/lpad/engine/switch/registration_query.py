"""One query of the modem's registration; lpad only reports the result."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError
from lpad.network.applier_interface import State
from lpad.network.connection_layer_names import Layer
from lpad.protocol.registration_answer import DENIED

if TYPE_CHECKING:
    from lpad.engine.running.operation_context import Context
    from lpad.network.applier_interface import Connection
    from lpad.protocol.registration_answer import Registration

log = logging.getLogger(__name__)

_LIMIT = 5.0
"""Seconds for the modem's answer."""


def look_at_registration(
    context: Context, connection: Connection | None, *, settled: bool = False
) -> str | None:
    """Return the registration in words; None: the registration cannot be observed.

    After lpad has returned a modem to its owner, it does not borrow the modem again for this query.

    Args:
        context: the card, and the way to the modem.
        connection: the connection as the applier has just seen it; None: there is no applier.
        settled: whether there was no recent switch, so that a searching modem has lost its network.
    """
    if connection is not None and connection.registered.state is not State.UNKNOWN:
        return connection.registered.told
    card = context.card
    if card.port.loan.was_lent and not card.is_open:
        return None
    deadline = Deadline.after(_LIMIT)
    try:
        with card.open(deadline=deadline).lend_modem(deadline=deadline) as lent:
            told = () if lent is None else lent.modem.registrations(first=True, deadline=deadline)
    except CardError as error:
        log.info("%s: cannot check the registration: %s", card.port.name, error)
        card.drop(error)
        return None
    if settled or any(each.registered or each.status == DENIED for each in told):
        saw_registration(context, told)  # otherwise, the modem may still be searching after a switch
    return ", ".join(map(str, told)) or None


def saw_registration(context: Context, told: tuple[Registration, ...]) -> None:
    """Report the state of the layer `registered`.

    Args:
        context: the context of the card.
        told: the modem's answer; empty: the modem has no command for this query.
    """
    enabled = context.snapshot().listed.enabled
    if told and enabled is not None:
        up = any(each.registered for each in told)
        words = ", ".join(map(str, told))
        context.layers.saw(Layer.REGISTERED, up=up, iccid=enabled.iccid, told=words)
