"""The HTTP trace: requests to servers and their answers, on the trace level.

The trace shows methods, paths, statuses, and the names of JSON fields with the lengths of their values. The
values contain EIDs, ICCIDs, matching IDs and signatures, so by default only values of fields listed here are
shown.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from lpad.base.log.trace_level import TRACE, payloads_shown
from lpad.base.untrusted_number import json_number

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logging.getLogger("lpad.remote.http")

_HARMLESS = frozenset({"status", "subjectCode", "reasonCode", "functionRequesterIdentifier"})
"""Fields whose values are always shown, because they show a request's result and identify no subscriber."""
_HARMLESS_HEADERS = frozenset(
    {"content-type", "content-length", "connection", "x-admin-protocol", "retry-after", "transfer-encoding"}
)
_LONGEST = 400
"""The maximum length of a value that is shown with payloads; longer ones are certificates and profile
packages."""


def trace_request(server: object, method: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
    """Log a request that is about to be sent."""
    if _log.isEnabledFor(TRACE):
        _log.log(TRACE, "%s > %s %s %s %s", server, method, path, _headers(headers), _body(body))


def trace_answer(server: object, status: int, headers: Mapping[str, str], body: bytes, took: float) -> None:
    """Log an answer; `took` is in seconds."""
    if _log.isEnabledFor(TRACE):
        told = (server, status, _headers(headers), _body(body), took * 1000)
        _log.log(TRACE, "%s < HTTP %d %s %s (%.0f ms)", *told)


def trace_failure(server: object, error: Exception) -> None:
    """Log that no answer arrived."""
    _log.log(TRACE, "%s ! %s", server, type(error).__name__)


def _headers(headers: Mapping[str, str]) -> str:
    shown = payloads_shown()
    return " ".join(
        f"{name}={value[:_LONGEST]}"
        for name, value in headers.items()
        if shown or name.lower() in _HARMLESS_HEADERS
    )


def _body(body: bytes) -> str:
    if not body:
        return "(empty)"
    try:
        return json.dumps(_outline(json.loads(body, parse_int=json_number)), ensure_ascii=False)
    except (ValueError, RecursionError):
        return f"[{len(body)} bytes that are not JSON]"


def _outline(value: Any, name: str = "") -> Any:
    """Return JSON with each value that must not be shown replaced by its length."""
    if isinstance(value, dict):
        # A server chooses its field names, so a name may be a secret as well.
        return {_name(key): _outline(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_outline(inner, name) for inner in value]
    text = value if isinstance(value, str) else json.dumps(value)
    if payloads_shown():
        return value if len(text) <= _LONGEST else f"{text[:32]}… [{len(text)} characters]"
    if name in _HARMLESS and len(text) <= 40:
        return value
    return f"[{len(text)} characters]"


def _name(name: str) -> str:
    return name if payloads_shown() or (len(name) <= 40 and name.isalpha()) else "…"
