"""Discovery: the servers that have a profile or an event for this card (SGP.22 v2.5, 3.6 and 5.8).

lpad asks each SM-DS in turn. lpad follows an event that leads to another SM-DS; every other event stands for
a profile that waits at an SM-DP+, with the event's ID as its matching ID.

An event does not name the kind of its server, but the server's certificate does: lpad opens a session, reads
the role in the certificate, and closes the connection to an SM-DP+ before the card has signed anything.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from msgspec import Struct

from lpad.base.deadline import Deadline
from lpad.base.errors import (
    CardRefused,
    InvalidValue,
    LpadError,
    PolicyRefused,
    ServerError,
    ServerRefused,
    ServerUntrusted,
)
from lpad.base.frozen import Frozen
from lpad.base.server_address import ServerAddress
from lpad.codec.es11_event_entries import EventEntries
from lpad.codec.messages.cancel_session import CancelSessionReason
from lpad.codec.server_status_codes import Remedy
from lpad.codec.x509.certificate_holder_and_role import Role
from lpad.lpa import server_answer_checks
from lpad.lpa.mutual_authentication import MutualAuthentication
from lpad.remote.es9plus import Interface

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from lpad.codec.es11_event_entries import EventEntry
    from lpad.codec.messages.authentication import DeviceInfo
    from lpad.codec.x509.certificate_holder_and_role import Certificate
    from lpad.lpa.euicc import Euicc
    from lpad.remote.es9plus import Es9Plus

_LOG = logging.getLogger(__name__)

MOST_SESSIONS = 16
"""The maximum number of queries of one discovery, to all servers together."""
DEEPEST = 4
"""The maximum number of SM-DSs that lead, one after the other, to a server."""
MOST_EVENTS = 64
"""The maximum number of events of one discovery; lpad only counts further events."""
_TEST_ROOT = "testrootsmds."
_ON_CARD = 10.0
"""Seconds for the card to end its session."""
_UNKNOWN_EVENT = ("8.9.5", "3.9")
_MALFORMED_REQUEST = "1.6"
_MATCHING_ID = "8.2.6"


class FoundEvent(Frozen):
    """An event that leads to an SM-DP+, or to a server whose role lpad does not know."""

    entry: EventEntry
    listed_by: ServerAddress
    forbidden: PolicyRefused | None = None
    """The refusal, if the settings do not allow the event's server, which lpad then does not contact."""


class AskedServer(Frozen):
    """An SM-DS that was asked, and either the number of its events or the error."""

    address: ServerAddress
    events: int = 0
    error: LpadError | None = None


class Discovered(Frozen):
    """The result of a discovery: events in the order in which the servers list them."""

    servers: tuple[AskedServer, ...]
    events: tuple[FoundEvent, ...]
    left_off: int
    """The number of events missing from `events`, because they are unreadable or beyond a limit."""


class _Question(Struct, frozen=True):
    """A server to ask, the event that leads to it, and the number of SM-DSs before it."""

    address: ServerAddress
    event: FoundEvent | None = None
    depth: int = 0

    @property
    def matching_id(self) -> str | None:
        return None if self.event is None else self.event.entry.event_id


def usable_root(text: str) -> ServerAddress | None:
    """Return a card's SM-DS address; None if it is invalid or a test address, as on many cards."""
    try:
        address = ServerAddress.parse(text)
    except InvalidValue:
        return None
    is_test = address.host.startswith(_TEST_ROOT)
    return None if is_test or "." not in address.host else address


class Discovery:
    """One discovery for one card; create a new object for each discovery."""

    def __init__(
        self,
        euicc: Euicc,
        connect: Callable[[ServerAddress], AbstractContextManager[Es9Plus]],
        *,
        device: DeviceInfo,
        eid: str | None,
        check_server: Callable[[ServerAddress], None],
        on_server: Callable[[ServerAddress], None] = lambda _: None,
    ) -> None:
        """Create the discovery from its participants.

        Args:
            euicc: an open ISD-R, which remains open.
            connect: opens a connection to a server.
            device: TAC, IMEI and capabilities of the device.
            eid: EID of the intended card; None: any card.
            check_server: raises PolicyRefused for the server of an event that lpad must not contact.
            on_server: called with each server before it is asked; may raise Cancelled.
        """
        self._euicc = euicc
        self._connect = connect
        self._device = device
        self._eid = eid
        self._check_server = check_server
        self._on_server = on_server
        self._ahead: deque[_Question] = deque()
        self._queued: set[tuple[ServerAddress, str | None]] = set()
        self._smds: set[ServerAddress] = set()
        self._others: set[ServerAddress] = set()  # SM-DP+s, and servers whose role is unknown
        self._asked: list[AskedServer] = []
        self._events: list[FoundEvent] = []
        self._left_off = 0

    def run(self, servers: Iterable[ServerAddress], *, deadline: Deadline) -> Discovered:
        """Ask the servers for all events of the card, and follow those that lead to further SM-DSs.

        The failure of one server does not hide the other servers' events; the failure is part of the result.

        Raises:
            Cancelled: raised by `on_server`, or the deadline was cancelled.
            Conflict: another card has replaced the intended card.
            CardError: the card failed; if the card refuses a server, this counts as a failure of that server.
        """
        for address in servers:
            self._smds.add(address)
            self._queue(_Question(address))
        sessions = 0
        while self._ahead:
            question = self._ahead.popleft()
            event = question.event
            if event is not None and (event.forbidden is not None or question.address in self._others):
                self._keep(event)
            elif sessions >= MOST_SESSIONS:
                self._drop(question, "too many servers were asked")
            else:
                sessions += 1
                self._ask(question, deadline)
        return Discovered(tuple(self._asked), tuple(self._events), self._left_off)

    def _queue(self, question: _Question) -> None:
        """Queue a query, unless the same query was already made, or the chain of SM-DSs is too long."""
        key = (question.address, question.matching_id)
        if key in self._queued:
            return
        self._queued.add(key)
        if question.depth > DEEPEST:
            self._drop(question, "the chain of SM-DSs is too long")
        else:
            self._ahead.append(question)

    def _ask(self, question: _Question, deadline: Deadline) -> None:
        self._on_server(question.address)
        try:
            found = self._entries(question, deadline)
        except (ServerError, CardRefused) as error:
            deadline.check()
            if isinstance(error, ServerRefused) and _codes(error) == _UNKNOWN_EVENT:
                found = ()  # the event was deleted meanwhile, so no profile waits
            elif question.event is not None and question.address not in self._smds:
                # The server's role is unknown, but no event is lost: the download will show the role.
                self._others.add(question.address)
                self._keep(question.event)
                return
            else:
                _LOG.info("the SM-DS %s cannot be asked: %s (%s)", question.address, error, error.kind)
                self._asked.append(AskedServer(question.address, error=error))
                return
        if found is None:
            assert question.event is not None, "a server of the settings that is not an SM-DS is an error"
            self._others.add(question.address)
            self._keep(question.event)
            return
        self._smds.add(question.address)
        self._asked.append(AskedServer(question.address, events=len(found)))
        later, self._ahead = self._ahead, deque()
        for entry in found:
            self._take(FoundEvent(entry, question.address), question.depth + 1)
        self._ahead += later  # the events of a further SM-DS replace the event that led to this SM-DS

    def _take(self, event: FoundEvent, depth: int) -> None:
        """Follow an event that may lead to an SM-DS; servers in the settings are always allowed."""
        address = event.entry.address
        if address not in self._smds:
            try:
                self._check_server(address)
            except PolicyRefused as refused:
                event = FoundEvent(event.entry, event.listed_by, refused)
        self._queue(_Question(address, event, depth))

    def _keep(self, event: FoundEvent) -> None:
        if any(each.entry == event.entry for each in self._events):
            return
        if len(self._events) >= MOST_EVENTS:
            self._left_off += 1
        else:
            self._events.append(event)

    def _drop(self, question: _Question, why: str) -> None:
        """Omit a query, but keep its event if the event's server may be an SM-DP+."""
        if question.event is not None and question.address not in self._smds:
            self._keep(question.event)
            return
        _LOG.warning("lpad does not ask %s: %s", question.address, why)
        self._left_off += 1

    def _entries(self, question: _Question, deadline: Deadline) -> tuple[EventEntry, ...] | None:
        """Return the events that a server lists (None: an SM-DP+); repeat the query once if useful."""
        try:
            return self._session(question, question.matching_id, deadline)
        except ServerRefused as refused:
            if refused.details["remedy"] == Remedy.RESTART_SESSION:
                return self._session(question, question.matching_id, deadline)
            subject = refused.details["subject_code"]
            if question.matching_id is None and subject in (_MALFORMED_REQUEST, _MATCHING_ID):
                # An absent or empty matching ID means "all events"; some servers accept only an empty one.
                return self._session(question, "", deadline)
            raise

    def _session(
        self, question: _Question, matching_id: str | None, deadline: Deadline
    ) -> tuple[EventEntry, ...] | None:
        with self._connect(question.address) as server:
            mutual = MutualAuthentication(
                self._euicc, server, device=self._device, eid=self._eid, interface=Interface.ES11
            )
            mutual.get_euicc_info1(deadline=deadline)
            mutual.get_euicc_challenge(deadline=deadline)
            mutual.initiate_authentication(deadline=deadline)
            if Role.DS_AUTH not in mutual.certificate.roles:
                if question.address in self._smds:
                    raise _not_an_smds(question.address, mutual.certificate)
                return None
            request = mutual.authentication_request(matching_id, deadline=deadline)
            try:
                mutual.authenticate_server(request, deadline=deadline)
                answer = mutual.authenticate_client(deadline=deadline)
            finally:
                self._end_on_card(mutual)
        assert isinstance(answer, EventEntries), "ES11 defines no other answer"
        server_answer_checks.check_events(answer, transaction_id=mutual.transaction_id)
        self._left_off += answer.unreadable
        return answer.entries

    def _end_on_card(self, mutual: MutualAuthentication) -> None:
        """End the card's session, because some cards otherwise refuse the next session.

        ES11 has no CancelSession, so the card's answer is not sent.
        """
        try:
            self._euicc.cancel_session(
                mutual.transaction_id, CancelSessionReason.POSTPONED, deadline=Deadline.after(_ON_CARD)
            )
        except LpadError as error:
            _LOG.debug("the card keeps its session with the SM-DS: %s", error)


def _codes(refused: ServerRefused) -> tuple[str, str]:
    return refused.details["subject_code"], refused.details["reason_code"]


def _not_an_smds(address: ServerAddress, certificate: Certificate) -> ServerUntrusted:
    named = ", ".join(sorted(certificate.roles)) or "none"
    return ServerUntrusted(
        f"ES11.InitiateAuthentication: the server at {address} signs with a certificate that is not an"
        f" SM-DS's (its role: {named}); check the address",
        cause="wrong-role",
    )
