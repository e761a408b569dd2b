"""Locks that keep a modem from using a readable SIM: a PIN, or a lock of the modem itself."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.errors import CardBusy, CardError, CardMalformed
from lpad.card.modem.at_modem import AtModem
from lpad.card.modem.cme_errors import lock_of
from lpad.card.port.link_refused import LinkRefused
from lpad.protocol.pin_answer import lock_told, pin_command

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.card.modem.control_modem import ControlModem

_log = logging.getLogger(__name__)


def read_lock(modem: AtModem | ControlModem, *, deadline: Deadline) -> str | None:
    """Return the lock that a modem reports; None if there is none, or the modem cannot report it.

    Many modems read the ICCID of a locked SIM, but then never register.

    Raises:
        CardUnreachable: the port is gone or does not answer.
    """
    if not isinstance(modem, AtModem):
        return modem.lock(deadline=deadline)
    patience = modem.patience.information
    try:
        return lock_told(modem.ask(pin_command(), patience=patience, deadline=deadline))
    except (LinkRefused, CardMalformed, CardBusy) as error:
        _log.debug("%s", error)
        return None
    except CardError as error:
        if "modem_error" not in error.details:
            raise
        return lock_of(error)
