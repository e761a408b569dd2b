"""Errors in the API: RFC 9457 problem+json with lpad's `kind`, sentence and details."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from lpad.base.details.request import Details
from lpad.base.errors import (
    Cancelled,
    CardBusy,
    CardError,
    CardUnreachable,
    ConfirmationCodeRequired,
    Conflict,
    Declined,
    InvalidSettings,
    JournalUnavailable,
    KeyReused,
    LpadError,
    MalformedError,
    NetworkFailed,
    NotFound,
    NotPermitted,
    PolicyRefused,
    RequestError,
    ServerError,
    ServerUnreachable,
    SwitchRolledBack,
    SwitchStuck,
    TooManyChanges,
    TooManyConnections,
    every_error,
)

MEDIA_TYPE = "application/problem+json"

# The first matching class decides; the order goes from the leaves to the branches.
STATUSES: tuple[tuple[type[LpadError], int], ...] = (
    (NotFound, 404),
    (Conflict, 409),
    (NotPermitted, 403),
    (KeyReused, 422),
    (TooManyChanges, 429),
    (TooManyConnections, 503),
    (RequestError, 400),
    (CardUnreachable, 503),
    (CardBusy, 503),
    (CardError, 502),
    (ServerUnreachable, 504),
    (ServerError, 502),
    (JournalUnavailable, 503),
    (LpadError, 500),
)

NEVER = (
    LpadError,
    MalformedError,
    ConfirmationCodeRequired,
    Declined,
    PolicyRefused,
    Cancelled,
    InvalidSettings,
    NetworkFailed,
    SwitchRolledBack,
    SwitchStuck,
)
"""Errors of changes and of the start, and base classes; they never answer a request."""

RETRY_AFTER: dict[type[LpadError], int] = {TooManyChanges: 10, TooManyConnections: 1}
"""Seconds after which a caller may try again, if that is sufficient."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every error answer."""

    type: str
    title: str
    status: int
    detail: str
    kind: str
    retryable: bool
    details: Details


def status_of(error: type[LpadError]) -> int:
    """Return the HTTP status of an error's class."""
    return next(number for class_, number in STATUSES if issubclass(error, class_))


def problems(status: int) -> list[str]:
    """Return the possible kinds of an answer with this HTTP status."""
    if status == 408:  # the connection's, before there is a request
        return [RequestError.kind]
    fitting = (each for each in every_error() if status_of(each) == status and each not in NEVER)
    return sorted({each.kind for each in fitting})


def problem_response(
    error: LpadError, *, status: int | None = None, headers: dict[str, str] | None = None
) -> Response:
    """Return the answer for an error."""
    if status is None:
        status = status_of(type(error))
    problem = Problem(
        type=f"urn:lpad:error:{error.kind}",
        title=error.kind.replace("-", " "),
        status=status,
        detail=error.sentence,
        kind=error.kind,
        retryable=error.retryable,
        details=error.details,
    )
    headers = dict(headers or {})
    if type(error) in RETRY_AFTER:
        headers["Retry-After"] = str(RETRY_AFTER[type(error)])
    return Response(msgspec.json.encode(problem), status, headers, MEDIA_TYPE)
