"""curl alone can use the whole API, as docs/api.md shows."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from journeys.gateway import PATIENCE, Gateway

if TYPE_CHECKING:
    from collections.abc import Callable

DOCUMENT = Path(__file__).parents[2] / "docs" / "api.md"
CARD = "http://lpad/v1/euiccs/modem"


class Curl:
    """Runs curl on the gateway's socket."""

    def __init__(self, gateway: Gateway) -> None:
        self._command = ["curl", "--silent", "--show-error", "--unix-socket", str(gateway.socket)]

    def __call__(self, url: str, body: dict[str, Any] | None = None, *, method: str | None = None) -> Any:
        """Run curl as a reader of docs/api.md would, and return the JSON that it prints."""
        more = [] if method is None else ["-X", method]
        data = [] if body is None else ["-d", json.dumps(body)]
        done = subprocess.run(
            [*self._command, *more, url, *data], check=True, capture_output=True, text=True, timeout=PATIENCE
        )
        return json.loads(done.stdout)

    def lines(self, url: str, *, until: str) -> list[str]:
        """Return the lines that curl prints, up to the first that contains `until`."""
        heard: list[str] = []
        with subprocess.Popen(
            [*self._command, "--no-buffer", url], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                heard.append(line.strip())
                if until in line:
                    break
            process.terminate()
        return heard


@pytest.fixture
def curl(gateway: Gateway) -> Curl:
    """A runner of curl for the shared gateway."""
    return Curl(gateway)


def test_curl_alone_runs_a_profiles_life(gateway: Gateway, curl: Curl, profile: Callable[[], bytes]) -> None:
    """With curl alone, a profile is downloaded, listed, renamed, switched and deleted."""
    assert curl("http://lpad/v1/system")["health"]["ok"]
    assert [each["name"] for each in curl("http://lpad/v1/euiccs")["euiccs"]] == ["modem"]
    assert curl(CARD)["eid"] == str(gateway.card.eid)

    code = gateway.order(profile())
    change = curl(f"{CARD}/downloads?wait=60", {"activation_code": code, "enable": True})
    assert change["state"] == "done", change
    iccid = change["result"]["iccid"]
    listed = curl(f"{CARD}/profiles")["profiles"]
    assert [(each["iccid"], each["state"]) for each in listed] == [(iccid, "enabled")]

    assert curl(f"{CARD}/profiles/{iccid}?wait=60", {"nickname": "home"}, method="PATCH")["state"] == "done"
    assert curl(f"{CARD}/profiles/{iccid}")["nickname"] == "home"
    accepted = curl(f"{CARD}/profiles/{iccid}/disable?wait=60", {"accept_offline": True}, method="POST")
    assert accepted["state"] == "done"
    assert curl(f"{CARD}/profiles/{iccid}?wait=60", method="DELETE")["state"] == "done"
    assert curl(f"{CARD}?wait=60", {"default_smdp": "smdp.example.com"}, method="PATCH")["state"] == "done"
    assert curl(CARD)["addresses"]["default_smdp"] == "smdp.example.com"
    assert curl(f"{CARD}/notifications/deliver?wait=60", method="POST")["state"] == "done"
    gateway.until(lambda: curl(f"{CARD}/notifications")["notifications"] == [])
    assert {each["kind"] for each in curl("http://lpad/v1/changes")["changes"]} >= {"download", "delete"}


def test_curl_answers_the_question_for_a_code(
    gateway: Gateway, curl: Curl, profile: Callable[[], bytes]
) -> None:
    """Curl can answer a download's question for the confirmation code, and the download is done."""
    code = gateway.order(profile(), confirmation_code="0012")
    change = curl(f"{CARD}/downloads?wait=60", {"activation_code": code})
    assert change["question"]["kind"] == "confirmation-code"
    answered = curl(f"http://lpad/v1/changes/{change['id']}/answer?wait=60", {"confirmation_code": "0012"})
    assert answered["state"] == "done"


def test_events_report_progress_by_step_and_byte(
    gateway: Gateway, curl: Curl, profile: Callable[[], bytes]
) -> None:
    """The event stream, read with curl, reports a download until it is done."""
    change = curl(f"{CARD}/downloads", {"activation_code": gateway.order(profile())})
    assert change["state"] in ("queued", "running")
    lines = curl.lines(f"http://lpad/v1/events?change={change['id']}&after=0-0", until='"state":"done"')
    assert "event: change" in lines


def test_an_error_is_problem_json(curl: Curl) -> None:
    """An error is a JSON problem with a kind and an HTTP status."""
    problem = curl(f"{CARD}/profiles/8944000000000099999")
    assert problem["kind"] == "not-found"
    assert problem["status"] == 404


def test_every_documented_path_is_served(curl: Curl) -> None:
    """The table of paths in docs/api.md matches the daemon's OpenAPI document."""
    rows = re.findall(r"^\| (GET|POST|PUT|PATCH|DELETE) \| `([^`]+)` \|", DOCUMENT.read_text(), re.MULTILINE)
    documented = {(method, path) for method, path in rows}
    described = curl("http://lpad/v1/openapi.json")["paths"]
    served = {(method.upper(), path) for path, methods in described.items() for method in methods}
    assert documented == served
