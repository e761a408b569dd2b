"""The HTTP trace in the log shows the exchange between lpad and a server, without secrets."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

from lpad.base.log.trace_level import TRACE, show_payloads
from lpad.remote.https.http_trace import trace_answer, trace_failure, trace_request

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG = "lpad.remote.http"
BODY = {
    "header": {"functionExecutionStatus": {"status": "Failed", "statusCodeData": {"message": "SECRET"}}},
    "transactionId": "SECRET",
    "SECRET 1": ["SECRET", {"status": "SECRET" * 10}],
    "number": 8900101000000000017,
}


@pytest.fixture
def payloads() -> Iterator[None]:
    show_payloads(True)
    yield
    show_payloads(False)


@pytest.mark.parametrize(
    "body", [json.dumps(BODY).encode(), b'{"SECRET', b"SECRET", b'"SECRET"', b"[" * 100_000 + b"SECRET"]
)
def test_values_are_hidden(caplog: pytest.LogCaptureFixture, body: bytes) -> None:
    """A trace hides the values in heads and bodies, even if a body is not valid JSON."""
    with caplog.at_level(TRACE, logger=LOG):
        trace_request("smdp", "POST", "/gsma", {"X-Secret": "SECRET", "Content-Type": "text"}, body)
        trace_answer("smdp", 200, {"Set-Cookie": "SECRET"}, body, 0.5)
    assert "SECRET" not in caplog.text
    assert "8900101000000000017" not in caplog.text
    assert "smdp > POST /gsma Content-Type=text" in caplog.text
    assert "smdp < HTTP 200 " in caplog.text
    assert "(500 ms)" in caplog.text


def test_statuses_are_shown(caplog: pytest.LogCaptureFixture) -> None:
    """A trace shows the status in an answer's body, and only the lengths of other values."""
    with caplog.at_level(TRACE, logger=LOG):
        trace_answer("smdp", 200, {}, json.dumps(BODY).encode(), 0)
    assert '"status": "Failed"' in caplog.text
    assert '"transactionId": "[6 characters]"' in caplog.text


@pytest.mark.usefixtures("payloads")
def test_payloads_are_shown_on_request(caplog: pytest.LogCaptureFixture) -> None:
    """On request a trace shows all values, except those as long as certificates and packages."""
    with caplog.at_level(TRACE, logger=LOG):
        trace_answer("smdp", 200, {}, json.dumps({**BODY, "package": "A" * 50_000}).encode(), 0)
    assert '"transactionId": "SECRET"' in caplog.text
    assert "[50000 characters]" in caplog.text
    assert len(caplog.text) < 2000


def test_failures_leave_a_mark(caplog: pytest.LogCaptureFixture) -> None:
    """The trace of a request without an answer shows the type of the error."""
    with caplog.at_level(TRACE, logger=LOG):
        trace_failure("smdp", TimeoutError("SECRET"))
    assert "smdp ! TimeoutError" in caplog.text
    assert "SECRET" not in caplog.text


def test_debug_shows_no_traffic(caplog: pytest.LogCaptureFixture) -> None:
    """At the level debug, the log contains no trace."""
    with caplog.at_level(logging.DEBUG, logger=LOG):
        trace_request("smdp", "POST", "/", {}, b"{}")
        trace_answer("smdp", 200, {}, b"{}", 0)
        trace_failure("smdp", TimeoutError())
    assert caplog.text == ""
