"""The five functions of ES9+ as one table, and the HTTP answer for each outcome."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from lpad.simulator.smdp.functions import faulty_answers
from lpad.simulator.smdp.functions import status_codes as status
from lpad.simulator.smdp.functions.authenticate_client import authenticate_client
from lpad.simulator.smdp.functions.cancellation import cancel_session
from lpad.simulator.smdp.functions.faults import ActiveFaults, FaultKind
from lpad.simulator.smdp.functions.function_call import Call
from lpad.simulator.smdp.functions.initiation import initiate_authentication
from lpad.simulator.smdp.functions.notifications import handle_notification
from lpad.simulator.smdp.functions.package_request import get_bound_profile_package
from lpad.simulator.smdp.functions.status_codes import Refusal, Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.simulator.smdp.functions.server_context import ServerContext

PATH = "/gsma/rsp2/es9plus/"
JSON = "application/json;charset=UTF-8"

Functions = Mapping[str, "Callable[[ServerContext, Call], Mapping[str, Any] | None]"]

FUNCTIONS: Functions = {
    "initiateAuthentication": initiate_authentication,
    "authenticateClient": authenticate_client,
    "getBoundProfilePackage": get_bound_profile_package,
    "cancelSession": cancel_session,
    "handleNotification": handle_notification,
}


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An HTTP answer; `outcome` describes the result for the log."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    location: str | None = None
    outcome: str = ""


def answer(
    site: ServerContext, function: str, body: bytes, faults: ActiveFaults, *, functions: Functions = FUNCTIONS
) -> HttpAnswer:
    """Carry out a function and return the HTTP answer; its status is 200 after most failures, too.

    Args:
        functions: the functions that the server has; a call of any other function is answered with 404.
    """
    if function not in functions:
        return HttpAnswer(HTTPStatus.NOT_FOUND, outcome="no function of this server")
    if FaultKind.REFUSE in faults:
        subject, _, reason = faults.value(FaultKind.REFUSE, "8.2.6/3.8").partition("/")
        return _failed(Status(subject, reason, "Refused on request"))
    fields = _fields(body)
    if fields is None:
        return _failed(status.INVALID_REQUEST, http_status=400)
    try:
        result = functions[function](site, Call(fields, faults))
    except Refusal as refusal:
        http_status = 400 if function == "handleNotification" else 200
        return _failed(refusal.status, refusal.subject_identifier, http_status=http_status)
    return _succeeded(result, faults)


def _fields(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object in a request, or None if it contains something else."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _succeeded(result: Mapping[str, Any] | None, faults: ActiveFaults) -> HttpAnswer:
    """Return the answer after success; for notifications only a status."""
    header = {"functionExecutionStatus": {"status": faults.value(FaultKind.STATUS, "Executed-Success")}}
    if result is None:
        if FaultKind.BODY_SUCCESS in faults or FaultKind.STATUS in faults:
            return HttpAnswer(200, _json({"header": header}), outcome="accepted")
        return HttpAnswer(204, outcome="accepted")
    body = _json({"header": header, **faulty_answers.answer(faults, result)})
    return HttpAnswer(200, body, outcome="Executed-Success")


def _failed(why: Status, subject_identifier: str | None = None, *, http_status: int = 200) -> HttpAnswer:
    data = {"subjectCode": why.subject, "reasonCode": why.reason, "message": why.message}
    if subject_identifier is not None:
        data["subjectIdentifier"] = subject_identifier
    execution = {"status": "Failed", "statusCodeData": data}
    body = _json({"header": {"functionExecutionStatus": execution}})
    return HttpAnswer(http_status, body, outcome=f"{why.subject}/{why.reason} {why.message}")


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
