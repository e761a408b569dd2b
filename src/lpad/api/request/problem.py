"""Errors in the API: RFC 9457 problem+json with lpad's `kind`, sentence and details."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from lpad.base import errors
from lpad.base.error_details.request_and_switch import Details

MEDIA_TYPE = "application/problem+json"

# The first matching class decides, so subclasses come before their base classes.
STATUSES: tuple[tuple[type[errors.LpadError], int], ...] = (
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.NotPermitted, 403),
    (errors.KeyReused, 422),
    (errors.TooManyChanges, 429),
    (errors.TooManyConnections, 503),
    (errors.RequestError, 400),
    (errors.CardUnreachable, 503),
    (errors.CardBusy, 503),
    (errors.CardError, 502),
    (errors.ServerUnreachable, 504),
    (errors.ServerError, 502),
    (errors.JournalUnavailable, 503),
    (errors.LpadError, 500),
)

NEVER = (
    errors.LpadError,
    errors.MalformedError,
    errors.ConfirmationCodeRequired,
    errors.Declined,
    errors.PolicyRefused,
    errors.Cancelled,
    errors.InvalidSettings,
    errors.NetworkFailed,
    errors.SwitchRolledBack,
    errors.SwitchStuck,
)
"""Classes whose kinds no HTTP answer contains: base classes, and errors of changes or of the start only."""

RETRY_AFTER: dict[type[errors.LpadError], int] = {errors.TooManyChanges: 10, errors.TooManyConnections: 1}
"""The seconds after which a caller may try again, by class of a temporary error."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every error answer."""

    type: str
    title: str
    status: int
    detail: str
    kind: str
    retryable: bool
    details: Details


def status_of(error: type[errors.LpadError]) -> int:
    """Return the HTTP status of an error's class."""
    return next(number for class_, number in STATUSES if issubclass(error, class_))


def problems(status: int) -> list[str]:
    """Return the possible kinds of an answer with this HTTP status."""
    if status == 408:  # an error of the connection, before a request is complete
        return [errors.RequestError.kind]
    ours = (each for each in errors.every_error() if each.__module__ == errors.__name__)
    fitting = (each for each in ours if status_of(each) == status and each not in NEVER)
    return sorted({each.kind for each in fitting})


def problem_response(
    error: errors.LpadError, *, status: int | None = None, headers: dict[str, str] | None = None
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
