"""A client of the data service, which starts its own session or asks about the sessions of other clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from lpad.base.errors import CardError
from lpad.card.modem.control_refusals import pass_over
from lpad.codec.qmi import data_session
from lpad.codec.qmi.data_session import ConnectionStatus
from lpad.protocol.data_session_types import SessionReport

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.card.qmi.qmi_dialogue import QmiDialogue
    from lpad.codec.qmi.framing import Message
    from lpad.codec.qmi.message_parameters import Body

_B = TypeVar("_B", bound="Body")

READING = "cannot read the state of the data session"
_ACTIVE: dict[int, bool] = {
    ConnectionStatus.DISCONNECTED: False,
    ConnectionStatus.CONNECTED: True,
    ConnectionStatus.SUSPENDED: True,
    ConnectionStatus.AUTHENTICATING: False,
}


class DataSessionClient:
    """Sends requests to the data service as one client."""

    def __init__(self, dialogue: QmiDialogue, number: int | None = None) -> None:
        """Use a dialogue; nothing is sent.

        Args:
            number: the client, from 1 to 254; None: the one that the dialogue allocates.
        """
        self._dialogue = dialogue
        self._number = number

    def choose(self, family: int, *, patience: float, deadline: Deadline) -> bool:
        """Choose the version of IP for the next requests; return whether the modem accepts it.

        Raises:
            CardUnreachable: the port is gone or does not answer.
        """
        request = data_session.SetIpFamily(family=family)
        try:
            self.exchange(request, attempted=READING, patience=patience, deadline=deadline, checked=True)
        except CardError as error:
            pass_over(error)
            return False
        return True

    def report(self, *, patience: float, deadline: Deadline) -> SessionReport:
        """Return the state of the session that the modem reports to this client.

        Raises:
            CardUnreachable: the port is gone or does not answer.
        """
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

    def exchange(
        self, request: Body, *, attempted: str, patience: float, deadline: Deadline, checked: bool = False
    ) -> Message:
        """Send a request and return its answer; with `checked`, raise an error for a refusal.

        Raises:
            CardUnreachable: the port is gone or does not answer.
        """
        answer = self._dialogue.exchange(
            request, attempted=attempted, patience=patience, deadline=deadline, client=self._number
        )
        if checked:
            self._dialogue.check(answer, attempted=attempted)
        return answer

    def _asked(self, request: Body, kind: type[_B], *, patience: float, deadline: Deadline) -> _B | None:
        """Query the modem; return None if it refuses, has no free client, or answers unintelligibly."""
        try:
            answer = self.exchange(
                request, attempted=READING, patience=patience, deadline=deadline, checked=True
            )
            return self._dialogue.read(answer, kind, attempted=READING)
        except CardError as error:
            pass_over(error)
            return None
