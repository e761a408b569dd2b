"""RSP sessions: the server's data between the calls of one transaction."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from lpad.simulator.smdp.functions import status_codes
from lpad.simulator.smdp.functions.status_codes import Refusal

if TYPE_CHECKING:
    from lpad.base.identifiers import Eid
    from lpad.simulator.pki.credential import Credential

_IDENTIFIER_LENGTH = 16


class SessionState(Enum):
    """The states of a session."""

    INITIATED = auto()
    AUTHENTICATED = auto()
    BOUND = auto()


@dataclass(slots=True, kw_only=True)
class Session:
    """One transaction.

    Attributes:
        transaction_id: 16 random bytes.
        server_challenge: 16 random bytes.
        address: the server's address in serverSigned1.
        ci: the CI of the certificate chain with which the eUICC signs.
        dp_auth: the server's credential for authentication.
        dp_pb: the server's credential for binding, of the same CI.
        ends_at: the end of the session on the monotonic clock.
        euicc: the card's certificate, once its chain has been verified.
        eid: the card's EID.
        order_id: the order that the card has requested.
        metadata: the element BF25 that was sent to the LPA.
        smdp_signature2: the element 5F37 that was sent.
        confirmation_required: whether the card must send a hash of the confirmation code.
    """

    transaction_id: bytes
    server_challenge: bytes
    address: str
    ci: Credential
    dp_auth: Credential
    dp_pb: Credential
    ends_at: float
    state: SessionState = SessionState.INITIATED
    euicc: Credential | None = None
    eid: Eid | None = None
    order_id: str = ""
    metadata: bytes = b""
    smdp_signature2: bytes = b""
    confirmation_required: bool = False


class Sessions:
    """The open sessions; a session is deleted a certain time after its start."""

    def __init__(self, *, seconds: float) -> None:
        """Keep each session for `seconds` after its start."""
        self._seconds = seconds
        self._sessions: dict[bytes, Session] = {}

    def start(self, *, address: str, ci: Credential, dp_auth: Credential, dp_pb: Credential) -> Session:
        """Return a new session with a unique transaction ID and challenge."""
        self._forget_old()
        session = Session(
            transaction_id=secrets.token_bytes(_IDENTIFIER_LENGTH),
            server_challenge=secrets.token_bytes(_IDENTIFIER_LENGTH),
            address=address,
            ci=ci,
            dp_auth=dp_auth,
            dp_pb=dp_pb,
            ends_at=time.monotonic() + self._seconds,
        )
        self._sessions[session.transaction_id] = session
        return session

    def get(self, transaction_id: bytes, *states: SessionState) -> Session:
        """Return the session with this transaction ID if it is in one of `states`.

        Raises:
            Refusal: there is no such session (8.10.1/3.9).
        """
        self._forget_old()
        session = self._sessions.get(transaction_id)
        if session is None or session.state not in states:
            raise Refusal(status_codes.UNKNOWN_TRANSACTION, subject_identifier=transaction_id.hex().upper())
        return session

    def end(self, session: Session) -> None:
        """Forget a session."""
        self._sessions.pop(session.transaction_id, None)

    def _forget_old(self) -> None:
        now = time.monotonic()
        self._sessions = {name: one for name, one in self._sessions.items() if one.ends_at > now}
