"""Errors as the API gives them: RFC 9457 problem+json with our `kind`, sentence and details."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from lpad.errors import (
    CardBusy,
    CardError,
    CardUnreachable,
    Conflict,
    Detail,
    JournalUnavailable,
    KeyReused,
    LpadError,
    NotFound,
    NotPermitted,
    RequestError,
    ServerError,
    ServerUnreachable,
    TooManyChanges,
    TooManyConnections,
)

MEDIA_TYPE = "application/problem+json"

# The first class that fits decides; the order goes from the leaves to the branches.
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

RETRY_AFTER: dict[type[LpadError], int] = {TooManyChanges: 10, TooManyConnections: 1}
"""Seconds after which a caller may ask again, where that is all that is needed."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every error answer."""

    type: str
    title: str
    status: int
    detail: str
    kind: str
    retryable: bool
    details: dict[str, Detail]


def problem_response(
    error: LpadError, *, status: int | None = None, headers: dict[str, str] | None = None
) -> Response:
    """Return the answer for an error.

    Args:
        error: what went wrong.
        status: the HTTP status, where the error's class doesn't decide it.
        headers: more headers.
    """
    if status is None:
        status = next(number for class_, number in STATUSES if isinstance(error, class_))
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
