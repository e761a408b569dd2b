"""The data session of a modem on an MBIM port: session 0, for the internet (MBIM, 10.5.12 and 10.5.20)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError
from lpad.card.modem.data_session_cause import known_cause
from lpad.codec.mbim.data_connection import ActivationState, Connect, ConnectStatus, IpConfiguration
from lpad.codec.mbim.information_buffer import decode
from lpad.codec.mbim.messages import Action
from lpad.codec.mbim.services import BASIC_CONNECT, Basic
from lpad.codec.mbim.statuses import Status
from lpad.protocol.data_session_types import SessionReport

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.card.mbim.mbim_dialogue import MbimDialogue
    from lpad.card.modem.data_session_cause import SessionCause
    from lpad.protocol.data_session_types import SessionWish

_log = logging.getLogger(__name__)

_OPENING = 60.0
"""Seconds that a network may take to open or refuse a session."""
_DEFAULT, _IPV4, _IPV6, _BOTH = 0, 1, 2, 3
_UP = (ActivationState.ACTIVATED, ActivationState.DEACTIVATING)


class MbimSession:
    """Opens, closes and queries the data session; remembers the cause if the network refuses the session."""

    def __init__(self, dialogue: MbimDialogue, cause: SessionCause) -> None:
        """Use a dialogue; nothing is sent.

        Args:
            cause: keeps the network's reason for refusing the last attempt.
        """
        self._dialogue = dialogue
        self._cause = cause
        self._opened: SessionWish | None = None

    def report(self, *, patience: float, deadline: Deadline) -> SessionReport:
        """Return the state of the session and its addresses.

        Args:
            patience: the maximum number of seconds to wait for an answer.

        Raises:
            CardUnreachable: the port is gone or does not answer.
        """
        status = self._connection(patience=patience, deadline=deadline)
        if status is None:
            return SessionReport(cause=self._cause.value)
        if self._dialogue.session_ended:
            self._opened = None
        if status.activation not in _UP:
            self._opened = None
            return SessionReport(active=False, cause=known_cause(status.network_error) or self._cause.value)
        self._cause.value = None
        return SessionReport(active=True, addresses=self._addresses(patience=patience, deadline=deadline))

    def open(self, wish: SessionWish, *, patience: float, deadline: Deadline) -> SessionReport:
        """Open the session with the settings in `wish`; first close a session with other or unknown settings.

        Raises:
            CardUnreachable: the port is gone or does not answer.
        """
        report = self.report(patience=patience, deadline=deadline)
        if report.active and self._opened == wish:
            return report
        if report.active:
            self.close(deadline=deadline)
        self._cause.value = self._set(
            Connect(
                activate=1,
                apn=wish.apn,
                user_name=wish.username,
                password=wish.password,
                authentication=wish.authentication,
                ip_type=ip_type_of(wish),
            ),
            deadline=deadline,
        )
        self._dialogue.session_ended = False
        report = self.report(patience=patience, deadline=deadline)
        self._opened = wish if report.active else None
        return report

    def close(self, *, deadline: Deadline) -> None:
        """Have the modem close the session; a refusal, as for a session that is not open, is only logged.

        Raises:
            CardUnreachable: the port is gone or does not answer.
        """
        self._opened = None
        self._set(Connect(activate=0), deadline=deadline)

    def _set(self, wish: Connect, *, deadline: Deadline) -> int | None:
        """Open or close the session; return the cause if the network refuses and gives a cause, else None."""
        attempted = f"cannot {'open' if wish.activate else 'close'} the data session"
        done = self._dialogue.exchange(
            BASIC_CONNECT,
            Basic.CONNECT,
            wish,
            action=Action.SET,
            attempted=attempted,
            patience=_OPENING,
            deadline=deadline,
        )
        if done.status == Status.SUCCESS:
            return None
        _log.info("%s: %s: MBIM status %d", self._dialogue.name, attempted, done.status)
        try:
            return known_cause(decode(ConnectStatus, done.info).network_error)
        except MalformedError:  # most refusals contain no information
            return None

    def _connection(self, *, patience: float, deadline: Deadline) -> ConnectStatus | None:
        return self._dialogue.read(
            ConnectStatus,
            BASIC_CONNECT,
            Basic.CONNECT,
            ConnectStatus(),
            attempted="cannot read the state of the data session",
            patience=patience,
            deadline=deadline,
        )

    def _addresses(self, *, patience: float, deadline: Deadline) -> tuple[str, ...] | None:
        found = self._dialogue.read(
            IpConfiguration,
            BASIC_CONNECT,
            Basic.IP_CONFIGURATION,
            IpConfiguration(),
            attempted="cannot read the addresses of the data session",
            patience=patience,
            deadline=deadline,
        )
        return None if found is None else tuple(map(str, (*found.ipv4, *found.ipv6)))


def ip_type_of(wish: SessionWish) -> int:
    """Return MBIM's number for the wanted versions of IP."""
    return _BOTH if wish.ipv4 and wish.ipv6 else _IPV6 if wish.ipv6 else _IPV4
