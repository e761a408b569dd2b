"""Which ICCID a modem reads."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lpad.base.errors import CardBusy, CardMalformed, CardUnreachable, MalformedError
from lpad.card.modem.refusals import lock_of
from lpad.card.port.link_refused import LinkRefused
from lpad.protocol.iccid_answer import SimLocked, iccid_command, iccid_report

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.card.modem.lent_modem import LentModem
    from lpad.protocol.iccid_answer import IccidReport

_log = logging.getLogger(__name__)

_SIM_PIN = "SIM PIN"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModemIccid:
    """What a modem tells of the ICCID that it reads."""

    tells: bool
    """Whether it knows a command for it."""
    report: IccidReport | None = None
    """None: it reads none at present."""
    lock: str | None = None
    """What it wants to be told before it reads any, such as SIM PIN."""
    garbled: bool = False
    """Whether it answered, and nothing that can be understood."""


def read_iccid(lent: LentModem, *, deadline: Deadline) -> ModemIccid:
    """Ask a modem which ICCID it reads.

    An answer without an ICCID, such as garbage or the EID alone, is no answer: the next command is tried.

    Raises:
        CardUnreachable: the port is gone or mute.
    """
    patience = lent.modem.patience.information
    lock: str | None = None
    garbled = False
    for text in lent.quirks.iccid_commands:
        try:
            report = iccid_report(lent.modem.ask(iccid_command(text), patience=patience, deadline=deadline))
        except MalformedError as error:
            _log.debug("%s: %s", text, error)
            garbled = True
        except (LinkRefused, CardMalformed) as error:
            _log.debug("%s: %s", text, error)
        except CardBusy:
            return ModemIccid(tells=True)
        except CardUnreachable as error:
            if "modem_error" not in error.details:
                raise
            if lock_of(error) is None:
                return ModemIccid(tells=True)  # no SIM, or it can't be read: the modem would tell if it could
            lock = lock or lock_of(error)
        else:
            if not isinstance(report, SimLocked):
                return ModemIccid(tells=True, report=report, lock=lock)
            lock = lock or _SIM_PIN
    return ModemIccid(tells=lock is not None, lock=lock, garbled=garbled)
