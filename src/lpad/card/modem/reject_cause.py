"""The network's reasons for rejecting a modem: the causes of its last refused attach, if it reports them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.errors import CardError
from lpad.card.modem.at_modem import AtModem
from lpad.card.modem.common_modem_answers import RejectCause
from lpad.protocol.at_dialogue import AtCommand
from lpad.protocol.pdp_context_commands import ERROR_REPORT, esm_cause_told, reject_cause_told

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.card.modem.control_modem import ControlModem
    from lpad.protocol.at_dialogue import AtAnswer

_log = logging.getLogger(__name__)

ESM_FAILURE = 19
"""EMM cause: the attach was rejected because its bearer was rejected (3GPP TS 24.301, 9.9.3.9)."""


def reject_cause(modem: AtModem | ControlModem, *, deadline: Deadline) -> RejectCause:
    """Return the reject causes of a modem that is not registered.

    +CEREG reports the reject cause only at level 3 (TS 27.007, 10.1.22); lpad then sets level 1 again.

    Raises:
        CardUnreachable: the port is gone or does not answer.
    """
    if not isinstance(modem, AtModem):
        return modem.reject_cause(deadline=deadline)
    emm = None
    if _ask(modem, AtCommand("AT+CEREG=3"), deadline) is not None:
        answer = _ask(modem, AtCommand("AT+CEREG?", prefix="+CEREG"), deadline)
        emm = None if answer is None else reject_cause_told(answer)
        _ask(modem, AtCommand("AT+CEREG=1"), deadline)
    if emm is not None and emm != ESM_FAILURE:
        return RejectCause(emm=emm)
    report = _ask(modem, ERROR_REPORT, deadline)
    return RejectCause(emm=emm, esm=None if report is None else esm_cause_told(report))


def _ask(modem: AtModem, command: AtCommand, deadline: Deadline) -> AtAnswer | None:
    """Return a successful answer; None: the modem refuses, or the answer lacks the requested information."""
    try:
        answer = modem.converse(command, patience=modem.patience.information, deadline=deadline)
    except CardError as error:
        _log.debug("%s", error)
        if deadline.passed:
            raise
        return None
    return answer if answer.ok else None
