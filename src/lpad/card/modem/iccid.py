"""The ICCID that a modem reads."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.errors import CardBusy, CardMalformed, CardUnreachable, MalformedError
from lpad.card.modem.at_modem import AtModem
from lpad.card.modem.cme_errors import lock_of
from lpad.card.modem.common_modem_answers import ModemIccid
from lpad.card.port.link_refused import LinkRefused
from lpad.protocol.iccid_answer import SimLocked, iccid_command, iccid_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpad.base.deadline import Deadline
    from lpad.card.modem.lent_modem import LentModem

_log = logging.getLogger(__name__)

_SIM_PIN = "SIM PIN"


def read_iccid(lent: LentModem, *, deadline: Deadline) -> ModemIccid:
    """Return a modem's report on the ICCID that it reads.

    After an answer without an ICCID, such as garbage or only the EID, the next command is tried.

    Raises:
        CardUnreachable: the port is gone or does not answer.
    """
    if isinstance(lent.modem, AtModem):
        return _ask(lent.modem, lent.quirks.iccid_commands, deadline=deadline)
    return lent.modem.iccid(deadline=deadline)


def _ask(modem: AtModem, commands: Sequence[str], *, deadline: Deadline) -> ModemIccid:
    patience = modem.patience.information
    lock: str | None = None
    garbled = False
    for text in commands:
        try:
            report = iccid_report(modem.ask(iccid_command(text), patience=patience, deadline=deadline))
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
                return ModemIccid(
                    tells=True
                )  # there is no SIM, or it cannot be read; otherwise the modem would report its ICCID
            lock = lock or lock_of(error)
        else:
            if not isinstance(report, SimLocked):
                return ModemIccid(tells=True, report=report, lock=lock)
            lock = lock or _SIM_PIN
    return ModemIccid(tells=lock is not None, lock=lock, garbled=garbled)
