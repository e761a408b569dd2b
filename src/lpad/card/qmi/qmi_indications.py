"""The indications of a QMI modem, kept until lpad waits for one, and the answer that a refresh needs."""

from __future__ import annotations

import logging

from lpad.base.errors import MalformedError
from lpad.card.link.card_change_reports import CardReport, CardReportLog
from lpad.card.modem.control_dialogue import Indications
from lpad.card.qmi.card_indications import WAITING, card_report_of
from lpad.card.qmi.long_responses import LongResponses
from lpad.codec.qmi import card, network_registration
from lpad.codec.qmi.framing import Message
from lpad.codec.qmi.message_parameters import decode
from lpad.codec.qmi.services import Nas, Service, Uim, Wds

_log = logging.getLogger(__name__)

_SEND_APDU = (Service.UIM, Uim.SEND_APDU)
_REFRESH = (Service.UIM, Uim.REFRESH)
_EVENT = (Service.NAS, Nas.EVENT_REPORT)
_OTHER_PROFILE = (_REFRESH, (Service.UIM, Uim.SLOT_STATUS))
_CONNECTION = (
    (Service.NAS, Nas.GET_SERVING_SYSTEM),
    (Service.WDS, Wds.GET_PACKET_SERVICE_STATUS),
)


class QmiIndications(Indications[Message]):
    """The indications that one modem sends to one program."""

    def __init__(self) -> None:
        """Create an object without indications."""
        super().__init__()
        self.card_reports = CardReportLog()
        """The indications about the card."""
        self.rejection: int | None = None
        """The cause of the last rejected registration with the profile; None: the modem has reported none."""
        self.long = LongResponses()
        """The pieces of the card's long answers."""

    def take(self, message: Message) -> card.RefreshComplete | None:
        """Keep an indication; return the answer to it, if the modem waits for one."""
        where = (message.service, message.number)
        answer: card.RefreshComplete | None = None
        try:
            if where == _SEND_APDU:
                self.long.add(decode(card.ApduIndication, message.parameters).piece)
                return None
            if where == _REFRESH:
                answer = _answer(decode(card.RefreshIndication, message.parameters).event)
            if where == _EVENT:
                found = decode(network_registration.EventReport, message.parameters).rejection
                self.rejection = self.rejection if found is None else found.cause
        except MalformedError as error:
            _log.debug("an indication is malformed: %s", error)
        if where in _OTHER_PROFILE:
            self.rejection = None  # the cause belongs to the profile that the modem has read until now
        self.reported = self.reported or where in _CONNECTION
        self.card_reports.add(card_report_of(message))
        self.heard.append(message)
        return answer

    def modem_was_reset(self) -> None:
        """Forget earlier facts about the card and the network, and report that both may have changed."""
        self.reported = True
        self.card_reports.add(CardReport.OTHER)
        self.rejection = None
        self.long.forget()


def _answer(event: card.RefreshEvent) -> card.RefreshComplete | None:
    """Return the answer without which a refresh does not continue; None: this stage needs no answer."""
    if event.stage not in WAITING:
        return None
    return card.RefreshComplete(session=card.Session(kind=event.session, aid=event.aid))
