"""The data session of a modem on a QMI port, as any program has started it (WDS service)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from lpad.base.errors import CardError, CardMalformed
from lpad.codec.qmi import data_session
from lpad.codec.qmi.data_session import ConnectionStatus, IpFamily
from lpad.protocol.data_session import SessionReport

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.card.qmi.qmi_dialogue import QmiDialogue
    from lpad.codec.qmi.values import Body

_log = logging.getLogger(__name__)

_B = TypeVar("_B", bound="Body")

_ATTEMPTED = "cannot read the state of the data session"
_ACTIVE = {
    ConnectionStatus.DISCONNECTED.value: False,
    ConnectionStatus.CONNECTED.value: True,
    ConnectionStatus.SUSPENDED.value: True,
    ConnectionStatus.AUTHENTICATING.value: False,
}


class QmiSession:
    """Queries the sessions for IPv4 and IPv6; starts and ends none.

    A modem may report a session on a multiplexed channel only to the clients that are bound to that channel
    (Bind Mux Data Port), and tell others that there is none.
    """

    def __init__(self, dialogue: QmiDialogue) -> None:
        """Use a dialogue; nothing is sent."""
        self._dialogue = dialogue

    def report(self, *, patience: float, deadline: Deadline) -> SessionReport:
        """Return whether a session is active, and the addresses of those that are.

        Args:
            patience: the maximum number of seconds to wait for an answer.

        Raises:
            CardUnreachable: the port is gone or does not answer.
        """
        found = [self._report_of(family, patience=patience, deadline=deadline) for family in IpFamily]
        active = [each for each in found if each.active]
        if not active:
            unknown = any(each.active is None for each in found)
            return SessionReport(active=None if unknown else False)
        known = [each.addresses for each in active if each.addresses is not None]
        addresses = tuple(dict.fromkeys(address for each in known for address in each))
        complete = len(known) == len(active)
        return SessionReport(active=True, addresses=addresses if addresses or complete else None)

    def _report_of(self, family: IpFamily, *, patience: float, deadline: Deadline) -> SessionReport:
        if not self._choose(family, patience=patience, deadline=deadline) and family is not IpFamily.IPV4:
            return SessionReport()  # an old modem reports on IPv4 alone
        status = self._asked(
            data_session.GetPacketServiceStatus(),
            data_session.PacketServiceStatus,
            patience=patience,
            deadline=deadline,
        )
        active = None if status is None else _ACTIVE.get(status.status)
        if not active:
            return SessionReport(active=active)
        told = self._asked(
            data_session.GetCurrentSettings(),
            data_session.CurrentSettings,
            patience=patience,
            deadline=deadline,
        )
        return SessionReport(active=True, addresses=None if told is None else told.addresses)

    def _choose(self, family: IpFamily, *, patience: float, deadline: Deadline) -> bool:
        """Make the next questions be about a version of IP; return whether the modem can do this."""
        request = data_session.SetIpFamily(family=family)
        try:
            self._dialogue.order(request, attempted=_ATTEMPTED, patience=patience, deadline=deadline)
        except CardError as error:
            _pass_over(error)
            return False
        return True

    def _asked(self, request: Body, kind: type[_B], *, patience: float, deadline: Deadline) -> _B | None:
        """Ask the modem; None if it refuses, has no free client, or answers unintelligibly."""
        try:
            return self._dialogue.ask(
                request, kind, attempted=_ATTEMPTED, patience=patience, deadline=deadline
            )
        except CardError as error:
            _pass_over(error)
            return None


def _pass_over(error: CardError) -> None:
    """Log a refusal; raise any other error."""
    if "modem_error" not in error.details and not isinstance(error, CardMalformed):
        raise error
    _log.debug("%s", error)
