"""One attempt to deliver an event, and its verdict."""

from __future__ import annotations

import enum
import time
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import ServerError
from lpad.base.frozen import Frozen
from lpad.remote.https.request_limits import Limits
from lpad.remote.https.retry_after import retry_after

if TYPE_CHECKING:
    from lpad.base.cancellation import Cancellation
    from lpad.engine.events.cloud_event import Event
    from lpad.engine.webhooks.endpoint import Endpoint
    from lpad.remote.https.connection import HttpsConnection

LIMITS = Limits(silence=15.0, request=30.0)
"""The time limits of an attempt: Standard Webhooks recommends 15 to 30 seconds, because a receiver should
answer before it handles the event."""
LARGEST_ANSWER = 16 * 1024
"""The maximum number of bytes of an answer's body that are read and discarded to keep the connection."""
_GONE = 410


class Verdict(enum.StrEnum):
    """The verdicts on an attempt."""

    ACCEPTED = "accepted"  # any status 2xx
    GONE = "gone"  # 410: the endpoint accepts no further events
    FAILED = "failed"  # any other answer, or none


class Outcome(Frozen, kw_only=True):
    """The HTTP status of an attempt, or its error; `wait` is the answer's Retry-After in seconds, if any."""

    verdict: Verdict
    status: int | None = None
    error: str | None = None
    wait: int | None = None
    seconds: float = 0.0

    @property
    def told(self) -> str:
        """The outcome in words."""
        if self.status is None:
            return self.error or ""
        redirected = "; lpad follows no redirection" if 300 <= self.status < 400 else ""
        return f"HTTP {self.status}{redirected}"


def attempt(
    endpoint: Endpoint, event: Event, connection: HttpsConnection, *, cancellation: Cancellation
) -> Outcome:
    """Send an event once, and return the outcome.

    Raises:
        Cancelled: lpad is stopping, or the endpoint has new settings.
    """
    headers, body = endpoint.request(event, at=time.time())
    started = time.monotonic()
    try:
        answer = connection.post(
            endpoint.url.target,
            body,
            headers=headers,
            limit=LARGEST_ANSWER,
            deadline=Deadline.after(LIMITS.request, cancellation=cancellation),
        )
    except ServerError as error:
        told = f"{error.kind}: {error.sentence}"
        return Outcome(verdict=Verdict.FAILED, error=told, seconds=time.monotonic() - started)
    status = answer.status
    verdict = Verdict.ACCEPTED if 200 <= status < 300 else Verdict.GONE if status == _GONE else Verdict.FAILED
    later = next((value for name, value in answer.headers if name.lower() == "retry-after"), None)
    return Outcome(
        verdict=verdict,
        status=status,
        wait=retry_after(later) if verdict is Verdict.FAILED else None,
        seconds=time.monotonic() - started,
    )
