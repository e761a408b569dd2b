"""The LPA's side of ES9+, to an SM-DP+ (SGP.22 v2.5, 5.6 and 6.5.2): five functions on one connection.

ES11, an SM-DS's interface (5.8), has only the first two functions, at the same paths; the second function
has a different answer.
"""

from __future__ import annotations

import logging
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from lpad.base.errors import (
    MalformedError,
    ServerFailed,
    ServerMalformed,
    ServerRefused,
    ServerUnreachable,
    blamed_on,
)
from lpad.codec import es9plus as json_binding
from lpad.codec.es9plus import (
    Answer,
    AuthenticateClientAnswer,
    GetBoundProfilePackageAnswer,
    InitiateAuthenticationAnswer,
)
from lpad.codec.es11_event_entries import EventEntries, lists_events
from lpad.codec.server_status_codes import Remedy, meaning_of
from lpad.remote.https.proxy_and_interface import Route
from lpad.remote.trust.anchor_named_by_card import NO_CARD

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.deadline import Deadline
    from lpad.base.server_address import ServerAddress
    from lpad.codec.es9plus import Refusal
    from lpad.remote.https.connection import HttpAnswer
    from lpad.remote.https.request_limits import Limits
    from lpad.remote.trust.anchor_named_by_card import CardTrust
    from lpad.remote.trust.server_trust_report import TrustReport
    from lpad.remote.trust.trust_anchors import Trust

_LOG = logging.getLogger(__name__)

_PATH = "/gsma/rsp2/es9plus/"
_LIMIT = 256 * 1024  # certificates, metadata and an icon are a few kilobytes
_PACKAGE_LIMIT = 4 * 1024 * 1024  # real packages have 10 to 100 kB; base64 adds a third

_PASSES_BY_ITSELF = frozenset({408, 425, 429})
_ADDRESS_REFUSED = frozenset({("8.8.1", "3.8"), ("8.9.1", "3.8")})
_RETRYABLE = frozenset({Remedy.RETRY, Remedy.RESTART_SESSION})

DEFAULT_PROTOCOL_VERSION = "2.2.2"


class Interface(StrEnum):
    """The role in which a server is called; errors name its functions by this role."""

    ES9_PLUS = "ES9+"
    ES11 = "ES11"


class Es9Plus:
    """One SM-DP+, over one TLS connection that is opened by the first call and kept until `close`.

    Not to be shared between threads. The functions expect the transaction ID as the server wrote it, and the
    card's unchanged answers (BF20, BF21, BF38, BF41; notifications: BF37 or 30). Each raises ServerError:
    the server is unreachable or untrusted, has failed, or has refused the request.
    """

    def __init__(
        self,
        address: ServerAddress,
        *,
        trust: Trust,
        route: Route | None = None,
        card: CardTrust = NO_CARD,
        protocol_version: str = DEFAULT_PROTOCOL_VERSION,
        limits: Limits | None = None,
        observe: Callable[[str, float], None] | None = None,
    ) -> None:
        """Prepare for a server; no connection is made yet.

        Args:
            trust: the anchors against which the server's certificate is verified.
            route: how servers are reached; None: directly.
            card: the card whose CIs may also confirm the server.
            protocol_version: sent in X-Admin-Protocol; servers accept any 2.x.
            limits: time limits of each request; None: the defaults.
            observe: called with each ES9+ function's name and seconds, including those for the connection.
        """
        self.address = address
        # An idle daemon does not need httpcore, so it is loaded with the first connection object.
        from lpad.remote.https.connection import HttpsConnection  # noqa: PLC0415 - loads httpcore

        self._connection = HttpsConnection(
            address, trust=trust, route=route or Route(), card=card, limits=limits
        )
        self._observe = observe
        self._headers = {
            # Fixed words of the specification (6.2): "lpad" is the role there, not this program.
            "User-Agent": "gsma-rsp-lpad",
            "X-Admin-Protocol": f"gsma/rsp/v{protocol_version}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        }

    @property
    def connects(self) -> int:
        """The number of TCP connections so far."""
        return self._connection.connects

    def initiate_authentication(
        self,
        *,
        euicc_challenge: bytes,
        euicc_info1: bytes,
        interface: Interface = Interface.ES9_PLUS,
        deadline: Deadline,
    ) -> InitiateAuthenticationAnswer:
        """Open a session (5.6.1, 5.8.1).

        lpad sends the server the address that it contacted. By specification, an SM-DP+ address is a bare
        name, so a server on a special port may not recognize name:port; if it refuses that address as not its
        own, lpad tries the bare name once.
        """
        first, *others = dict.fromkeys([str(self.address), self.address.host])
        answer = None
        try:
            answer = self._initiate(first, euicc_challenge, euicc_info1, interface, deadline)
        except ServerRefused as refused:
            if not others or not _is_address_refused(refused):
                raise
            _LOG.info("%s does not recognize the address that lpad sent; trying %s", first, others[0])
        if answer is None:
            answer = self._initiate(others[0], euicc_challenge, euicc_info1, interface, deadline)
        return answer

    def authenticate_client(
        self,
        *,
        transaction_id: str,
        authenticate_server_response: bytes,
        interface: Interface = Interface.ES9_PLUS,
        deadline: Deadline,
    ) -> AuthenticateClientAnswer | EventEntries:
        """Send the card's authentication; get the profile's metadata (5.6.3), or an SM-DS's events (5.8.2).

        An SM-DS always answers with events, even if it is called as an SM-DP+.
        """
        body = json_binding.authenticate_client(
            transaction_id=transaction_id, authenticate_server_response=authenticate_server_response
        )
        answer = self._call("AuthenticateClient", body, interface=interface, deadline=deadline)
        with blamed_on(ServerMalformed, f"{interface}.AuthenticateClient"):
            if interface is Interface.ES11 or lists_events(answer):
                return EventEntries.of(answer)
            return AuthenticateClientAnswer.of(answer)

    def get_bound_profile_package(
        self, *, transaction_id: str, prepare_download_response: bytes, deadline: Deadline
    ) -> GetBoundProfilePackageAnswer:
        """Get the profile, bound to the card's one-time key (5.6.2)."""
        body = json_binding.get_bound_profile_package(
            transaction_id=transaction_id, prepare_download_response=prepare_download_response
        )
        answer = self._call("GetBoundProfilePackage", body, limit=_PACKAGE_LIMIT, deadline=deadline)
        with blamed_on(ServerMalformed, "ES9+.GetBoundProfilePackage"):
            return GetBoundProfilePackageAnswer.of(answer)

    def handle_notification(self, *, pending_notification: bytes, deadline: Deadline) -> None:
        """Deliver a notification; return once the server has accepted the notification (5.6.4)."""
        body = json_binding.handle_notification(pending_notification=pending_notification)
        self._call(
            "HandleNotification", body, decode=Answer.decode_acceptance, may_be_empty=True, deadline=deadline
        )

    def cancel_session(
        self, *, transaction_id: str, cancel_session_response: bytes, deadline: Deadline
    ) -> None:
        """End a session with the reason that the card has signed (5.6.5)."""
        body = json_binding.cancel_session(
            transaction_id=transaction_id, cancel_session_response=cancel_session_response
        )
        self._call("CancelSession", body, may_be_empty=True, deadline=deadline)

    def check_trust(self, *, deadline: Deadline) -> TrustReport:
        """Make a TLS handshake on a new connection, send nothing, and report the result.

        Raises:
            ServerUnreachable: no connection, or no answer in time.
        """
        return self._connection.check_trust(deadline=deadline)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _initiate(
        self, address: str, challenge: bytes, info1: bytes, interface: Interface, deadline: Deadline
    ) -> InitiateAuthenticationAnswer:
        body = json_binding.initiate_authentication(
            euicc_challenge=challenge, euicc_info1=info1, smdp_address=address
        )
        answer = self._call("InitiateAuthentication", body, interface=interface, deadline=deadline)
        with blamed_on(ServerMalformed, f"{interface}.InitiateAuthentication"):
            return InitiateAuthenticationAnswer.of(answer)

    def _call(
        self,
        function: str,
        body: bytes,
        *,
        limit: int = _LIMIT,
        decode: Callable[[bytes], Answer] = Answer.decode,
        may_be_empty: bool = False,
        interface: Interface = Interface.ES9_PLUS,
        deadline: Deadline,
    ) -> Answer:
        """Post a request; check the answer in this order: HTTP status, JSON, function execution status."""
        attempted = f"{interface}.{function}"
        path = _PATH + function[0].lower() + function[1:]
        started = time.monotonic()
        try:
            http = self._connection.post(path, body, headers=self._headers, limit=limit, deadline=deadline)
        finally:
            self._measured(function, time.monotonic() - started)
        if not 200 <= http.status < 300:
            raise self._failed(attempted, http)
        try:
            with blamed_on(ServerMalformed, attempted):
                answer = decode(http.body)
                if answer.refusal is None and not answer.fields and not may_be_empty:
                    raise MalformedError(f"the answer is empty (HTTP {http.status})")
        except ServerMalformed as error:
            # Such an answer comes from a host in front of the SM-DP+, and is as temporary as HTTP 502.
            error.retryable = True
            self._connection.close()  # unread bytes would be mistaken for the next answer
            raise
        if answer.refusal is not None:
            raise _refused(attempted, answer.refusal)
        return answer

    def _measured(self, function: str, seconds: float) -> None:
        try:
            if self._observe is not None:
                self._observe(function, seconds)
        except Exception:  # noqa: BLE001 - logged; a failed metric must not lose the answer
            _LOG.exception("cannot record the duration of a function: internal-error")

    def _failed(self, attempted: str, http: HttpAnswer) -> ServerRefused | ServerFailed | ServerUnreachable:
        """Return the error for an HTTP status other than success.

        Some servers answer 4xx or 5xx with SGP.22 status codes, which belong in an answer with 200.
        """
        try:
            refusal = Answer.decode(http.body).refusal
        except MalformedError:
            refusal = None
        if refusal is not None and refusal.subject_code:
            return _refused(attempted, refusal)
        if 300 <= http.status < 400:
            sentence = (
                f"{attempted}: {self.address} redirects (HTTP {http.status}) to another server or another"
                " kind of request, which no server should do and lpad does not follow; check the address, and"
                " that no network portal intercepts the connection"
            )
            return ServerUnreachable(sentence, retryable=False, http_status=http.status)
        if http.status >= 500:
            return ServerFailed(
                f"{attempted}: the server {self.address} failed (HTTP status {http.status}); try again later,"
                " and tell the server's operator if this persists",
                http_status=http.status,
            )
        later = http.status in _PASSES_BY_ITSELF
        advice = "try again later" if later else "check the server's address"
        sentence = f"{attempted}: {self.address} answered with HTTP status {http.status}; {advice}"
        return ServerUnreachable(sentence, retryable=later, http_status=http.status)


def _refused(attempted: str, refusal: Refusal) -> ServerRefused:
    meaning = meaning_of(refusal.subject_code, refusal.reason_code)
    codes = f"{refusal.subject_code or '?'}/{refusal.reason_code or '?'}"
    said = f' (the server says: "{refusal.message}")' if refusal.message else ""
    return ServerRefused(
        f"{attempted} was refused with {codes}: {meaning.sentence}{said}; {meaning.advice}",
        retryable=meaning.remedy in _RETRYABLE,
        function=attempted,
        subject_code=refusal.subject_code,
        reason_code=refusal.reason_code,
        remedy=meaning.remedy.value,
        message=refusal.message,
    )


def _is_address_refused(refused: ServerRefused) -> bool:
    return (refused.details["subject_code"], refused.details["reason_code"]) in _ADDRESS_REFUSED
