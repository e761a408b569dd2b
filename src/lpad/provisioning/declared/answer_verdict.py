"""The meaning of an answer: good, "later", refused with a cause, or unclear.

HTTP 2xx, or a status that the call accepts    good, unless `good` says otherwise
what `again` names; 408, 425, 429; 503 to a    later
GET or with Retry-After
401, 403; 404                                  refused, cause `credentials`; `not-found`; or one of `causes`
other 4xx with JSON or without a body          refused, with the platform's message
5xx                                            the server failed, and may have carried out the call
anything else: HTML, not JSON, no body, 3xx    unclear
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lpad.base.errors import MalformedError, PlatformBusy, PlatformRefused, PlatformUnclear, ServerFailed
from lpad.base.redaction import redacted
from lpad.provisioning.declared import answer_reading as reading
from lpad.provisioning.http.httpx_transport import redirected
from lpad.remote.https.retry_after import retry_after

if TYPE_CHECKING:
    import httpx

    from lpad.provisioning.declared.platform_declaration import Call, Declaration


WHAT_TO_DO = {
    "credentials": (
        "check the files listed under 'credentials' in the settings, and that the account is allowed to do"
        " this"
    ),
    "no-stock": "ask the operator when profiles are available again, and then request one again",
    "no-balance": "top up the account",
    "not-eligible": "ask the operator which cards it accepts; this card's EID is not among them",
    "unknown-product": "choose another product; 'lpad platform products' lists them",
    "used-code": "the profile has already been downloaded; only a person can order another one",
    "wrong-state": "check the line and the profile in the operator's portal",
    "settings": "correct the platform's options in the settings",
    "not-found": "search for the order or line in the operator's portal; it may have been deleted there",
    "rejected": (
        "the platform's message gives the reason; send a record made with 'lpad platform try --record' to its"
        " support"
    ),
}
"""The remedy for each cause."""

_LATER = frozenset({408, 425, 429})
_MAYBE_LATER = 503


def judged(
    response: httpx.Response, call: Call, declaration: Declaration, *, platform: str, attempted: str
) -> Any:
    """Return the JSON of a good answer; None: it needs no body and has none, or is an accepted redirection.

    Raises:
        PlatformRefused, PlatformBusy, PlatformUnclear, ServerFailed: see the module's table.
    """
    status = response.status_code
    subject = f"the platform '{platform}' cannot {attempted}"
    answer, broken = _content(response)
    good = response.is_success or status in call.accepts
    again = declaration.again if call.again is None else call.again
    if status in _LATER or (again and answer is not None and reading.fits(again, answer)):
        raise _later(response, subject, platform)
    if status == _MAYBE_LATER and ("retry-after" in response.headers or call.method == "GET"):
        raise _later(response, subject, platform)
    if status >= 500 and not good:
        raise ServerFailed(
            f"{subject}: the platform answers with HTTP {status}; lpad tries again",
            http_status=status,
            platform=platform,
        )
    if 300 <= status < 400:
        if status in call.accepts:
            return None  # the redirection leads to the result, which the next query shows
        raise redirected(subject, status)
    if broken is not None:
        raise PlatformUnclear(
            f"{subject}: HTTP {status}, and {broken}; another server may answer in its place, such as the"
            " log-in page of a network in between",
            http_status=status,
            platform=platform,
        )
    wanted = declaration.good if call.good is None else call.good
    if good and (not wanted or (answer is not None and reading.fits(wanted, answer))):
        if answer is None and call.read:
            raise PlatformUnclear(
                f"{subject}: HTTP {status} without a body", http_status=status, platform=platform
            )
        return answer
    raise _refused(status, answer, declaration, subject=subject, platform=platform)


def _content(response: httpx.Response) -> tuple[Any, str | None]:
    """Return an answer's JSON and its fault, of which one is None; both are None without a body."""
    if not response.content.strip():
        return None, None
    if response.headers.get("content-type", "").partition(";")[0].strip().lower() == "text/html":
        return None, "the answer is a web page"
    try:
        return reading.parsed(response.content), None
    except MalformedError as error:
        return None, error.sentence


def _refused(
    status: int, answer: Any, declaration: Declaration, *, subject: str, platform: str
) -> PlatformRefused:
    told = [text for path in declaration.words if (text := reading.text_at(path, answer)) is not None]
    words = reading.said(" ".join(dict.fromkeys(told)))
    codes = [text for path in declaration.cause_at if (text := reading.text_at(path, answer)) is not None]
    by_status = {401: "credentials", 403: "credentials", 404: "not-found"}.get(status, "rejected")
    cause: str = next((declaration.causes[code] for code in codes if code in declaration.causes), by_status)
    shown = (
        f"'{words}' ({', '.join(codes)})" if codes and words else f"'{words}'" if words else ", ".join(codes)
    )
    return PlatformRefused(
        f"{subject}: {shown or f'HTTP {status}'}; {WHAT_TO_DO[cause]}",
        platform=platform,
        cause=cause,
        words=redacted(words),
        code=codes[0] if codes else "",
        http_status=status,
    )


def _later(response: httpx.Response, subject: str, platform: str) -> PlatformBusy:
    return busy(response, f"{subject} now: the platform asks to try again later", platform)


def busy(response: httpx.Response, sentence: str, platform: str) -> PlatformBusy:
    """Return the error for an answer that means "later".

    Args:
        platform: the platform's name in the settings.
    """
    seconds = retry_after(response.headers.get("retry-after"))
    error = PlatformBusy(sentence, platform=platform, http_status=response.status_code)
    if seconds is not None:
        error.details["retry_after"] = seconds
    return error
