"""A modem's identification: AT+CGMI, +CGMM and +CGMR."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.errors import CardMalformed
from lpad.card.port.link_refused import LinkRefused
from lpad.card.quirks.modem_identity import ModemIdentity
from lpad.protocol import at_commands

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.card.modem.at_modem import AtModem

_log = logging.getLogger(__name__)


def read_identity(modem: AtModem, *, deadline: Deadline) -> ModemIdentity:
    """Return a modem's identification; parts that the modem refuses to report are empty.

    Raises:
        CardUnreachable: the port is gone or does not answer.
    """
    told = []
    for command in at_commands.identity():
        try:
            answer = modem.ask(command, patience=modem.patience.information, deadline=deadline)
            told.append(at_commands.identity_text(answer))
        except (LinkRefused, CardMalformed) as error:
            _log.debug("%s", error)
            told.append("")
    return ModemIdentity(manufacturer=told[0], model=told[1], firmware=told[2])
