"""What a modem calls itself: AT+CGMI, +CGMM and +CGMR."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lpad.card.link import LinkRefused
from lpad.errors import CardMalformed
from lpad.protocol import at_commands

if TYPE_CHECKING:
    from lpad.card.at_modem import AtModem
    from lpad.deadline import Deadline

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModemIdentity:
    """A modem's make; empty where it tells nothing."""

    manufacturer: str = ""
    model: str = ""
    firmware: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.manufacturer, self.model, self.firmware))) or "unknown modem"


UNKNOWN_MODEM = ModemIdentity()


def read_identity(modem: AtModem, *, deadline: Deadline) -> ModemIdentity:
    """Ask a modem what it is; what it refuses to tell stays empty.

    Raises:
        CardUnreachable: the port is gone or mute.
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
