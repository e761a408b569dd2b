"""The data sessions of a modem on a QMI port, one for each version of IP (WDS service)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.base.errors import CardError
from lpad.card.link.held_qmi_clients import HeldSession
from lpad.card.modem.data_session_cause import known_cause
from lpad.card.qmi.data_session_client import DataSessionClient
from lpad.codec.qmi import data_session
from lpad.codec.qmi.data_session import ANY_HANDLE, EndReason, EndType, IpFamily
from lpad.codec.qmi.errors import Error, error_name
from lpad.codec.qmi.services import Service
from lpad.protocol.data_session_types import SessionReport

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.card.modem.data_session_cause import SessionCause
    from lpad.card.qmi.qmi_dialogue import QmiDialogue
    from lpad.codec.qmi.framing import Message
    from lpad.protocol.data_session_types import SessionWish

_log = logging.getLogger(__name__)

_STARTING = 60.0
"""Seconds that a network may take to open or refuse a session."""
_STOPPING = 10.0
_SHARE = 3
"""A stop may take at most a third of the time left, so that lpad can still give the client back."""
_OPEN, _CLOSE = "cannot open the data session", "cannot close the data session"
_CAUSES: dict[int, int] = {
    EndReason.AUTHENTICATION_FAILED: 29,
    EndReason.UNKNOWN_APN: 27,
    EndReason.UNKNOWN_TYPE: 28,
    EndReason.NOT_SUPPORTED: 32,
    EndReason.NOT_SUBSCRIBED: 33,
}
"""Causes of 3GPP TS 24.301, 9.9.4.4, by the reasons of firmware that does not report a cause."""
_ABOUT_TYPE = (None, 28, 50, 51)
"""Causes with which a network may refuse one version of IP and not the other; None: no cause was reported."""


class QmiSession:
    """Opens, closes and queries the data sessions; remembers why the network refused one.

    A session ends with the client that has started it. So lpad's sessions have clients of their own, which
    remain allocated when the port is closed, and are noted for the next process.

    A modem may report a session on a multiplexed channel only to the clients that are bound to that channel
    (Bind Mux Data Port). To other clients it then reports that there is no session.
    """

    def __init__(self, dialogue: QmiDialogue, cause: SessionCause) -> None:
        """Use a dialogue; nothing is sent.

        Args:
            cause: keeps the network's cause for refusing the last attempt.
        """
        self._dialogue = dialogue
        self._cause = cause
        self._taken = False
        self._opened: SessionWish | None = None

    def report(self, *, patience: float, deadline: Deadline) -> SessionReport:
        """Return whether any program's session is active, and the addresses of the active sessions.

        Args:
            patience: the maximum number of seconds to wait for an answer.

        Raises:
            CardUnreachable: the port is gone or does not answer.
        """
        found = [self._report_of(family, patience=patience, deadline=deadline) for family in IpFamily]
        active = [each for each in found if each.active]
        if not active:
            unknown = any(each.active is None for each in found)
            return SessionReport(active=None if unknown else False, cause=self._cause.value)
        known = [each.addresses for each in active if each.addresses is not None]
        addresses = tuple(dict.fromkeys(address for each in known for address in each))
        complete = len(known) == len(active)
        return SessionReport(active=True, addresses=addresses if addresses or complete else None)

    def open(self, wish: SessionWish, *, patience: float, deadline: Deadline) -> SessionReport:
        """Open a session for each wanted version of IP, in place of lpad's sessions with other settings.

        If both versions are wanted, one is enough, because a network may offer only one; the report names
        the missing version.

        Raises:
            CardUnreachable: the port is gone or does not answer.
        """
        if self._opened == wish and self._is_up(patience=patience, deadline=deadline):
            return self.report(patience=patience, deadline=deadline)
        self.close(deadline=deadline)
        self._cause.value, self._taken = None, False
        started = False
        missing: list[int] = []
        for family, wanted in ((IpFamily.IPV4, wish.ipv4), (IpFamily.IPV6, wish.ipv6)):
            if not wanted or self._cause.value not in _ABOUT_TYPE:
                continue
            # Time is left to ask for the first session's state if the second start is not answered.
            until = deadline.within(deadline.remaining() / 2) if started else deadline
            try:
                up = self._start(family, wish, patience=patience, deadline=until)
            except CardError as error:
                if not started:
                    raise
                _log.info("%s", error)
                up = False
            started |= up
            if not up:
                missing.append(family)
        if not started:
            return SessionReport(active=False, cause=self._cause.value, taken=self._taken)
        self._cause.value = None
        self._opened = wish
        report = self.report(patience=patience, deadline=deadline)
        return replace(report, missing=tuple(missing)) if report.active else report

    def close(self, *, deadline: Deadline) -> None:
        """Close lpad's sessions, including those of an earlier process; does nothing if there are none.

        Raises:
            CardUnreachable: the port is gone or does not answer.
        """
        self._opened = None
        held = self._dialogue.held
        for session in tuple(held.sessions.values()):
            if session.handle is not None:
                self._stop(session.client, session.handle, deadline=deadline)
            if held.sessions.get(session.family) is session:  # otherwise the modem was reset meanwhile
                self._dialogue.give_back(Service.WDS, session.client, deadline=deadline)
                held.forget_session(session.family)

    def _is_up(self, *, patience: float, deadline: Deadline) -> bool:
        """Return whether a session that lpad has opened is up; another program's session does not count.

        A modem may report another program's session to lpad's clients, too. So lpad's session is not up if an
        indication has reported its end.
        """
        held = self._dialogue.held
        for family, own in tuple(held.sessions.items()):
            client = DataSessionClient(self._dialogue, own.client)
            report = client.report(patience=patience, deadline=deadline)
            now = held.sessions.get(family)
            if report.active and now is not None and now.handle is not None:
                return True
        return False

    def _report_of(self, family: IpFamily, *, patience: float, deadline: Deadline) -> SessionReport:
        own = self._dialogue.held.sessions.get(family)
        if own is not None:
            ours = DataSessionClient(self._dialogue, own.client)
            report = ours.report(patience=patience, deadline=deadline)
            if report.active:
                return report
        any_client = DataSessionClient(self._dialogue)
        chosen = any_client.choose(family, patience=patience, deadline=deadline)
        if not chosen and family is not IpFamily.IPV4:
            return SessionReport()  # an old modem reports on IPv4 alone
        return any_client.report(patience=patience, deadline=deadline)

    def _start(self, family: IpFamily, wish: SessionWish, *, patience: float, deadline: Deadline) -> bool:
        """Start a session with a client of its own; return whether it is up; if not, keep the cause."""
        number = self._dialogue.allocate(Service.WDS, deadline=deadline)
        held = self._dialogue.held
        held.keep_session(HeldSession(family, number))
        client = DataSessionClient(self._dialogue, number)
        client.choose(family, patience=patience, deadline=deadline)
        answer = self._asked_to_start(client, family, wish, deadline)
        if self._error_of(answer) == Error.NO_EFFECT:
            # The modem may have a session of its own, with settings other than the wanted ones.
            self._stop(number, ANY_HANDLE, deadline=deadline)
            answer = self._asked_to_start(client, family, wish, deadline)
        error = self._error_of(answer)
        told = self._dialogue.read(answer, data_session.NetworkStarted, attempted=_OPEN)
        if error == Error.NONE:
            held.keep_session(HeldSession(family, number, told.handle))
            return True
        self._cause.value = _cause(told)
        self._taken = self._taken or error == Error.NO_EFFECT
        _log.info("%s: %s for IPv%d: %s, %s", self._dialogue.name, _OPEN, family, error_name(error), told)
        self._dialogue.give_back(Service.WDS, number, deadline=deadline)
        held.forget_session(family)
        return False

    def _asked_to_start(
        self, client: DataSessionClient, family: IpFamily, wish: SessionWish, deadline: Deadline
    ) -> Message:
        named = bool(wish.authentication)
        request = data_session.StartNetwork(
            apn=wish.apn or None,
            authentication=wish.authentication,
            user_name=wish.username if named else None,
            password=wish.password if named else None,
            family=family,
        )
        return client.exchange(request, attempted=_OPEN, patience=_STARTING, deadline=deadline)

    def _stop(self, client: int, handle: int, *, deadline: Deadline) -> None:
        """Stop a session if the modem can; giving the session's client back also ends the session."""
        request = data_session.StopNetwork(
            handle=handle, no_automatic_start=1 if handle == ANY_HANDLE else None
        )
        patience = stop_patience(deadline.remaining())
        try:
            DataSessionClient(self._dialogue, client).exchange(
                request, attempted=_CLOSE, patience=patience, deadline=deadline, checked=True
            )
        except CardError as error:
            _log.info("%s", error)

    def _error_of(self, answer: Message) -> int:
        return self._dialogue.error_of(answer, attempted=_OPEN)


def stop_patience(left: float) -> float:
    """Return the seconds to wait for the answer to a stop; `left`: for the stop and the next steps."""
    return min(_STOPPING, left / _SHARE)


def _cause(told: data_session.NetworkStarted) -> int | None:
    """Return the network's cause of a refusal; None: the modem reports no known cause."""
    end = told.end
    if end is not None and end.type == EndType.NETWORK and known_cause(end.reason) is not None:
        return end.reason
    return None if told.reason is None else _CAUSES.get(told.reason)
