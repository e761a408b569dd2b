"""The API over its Unix socket, as curl or a program in any language uses it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

import lpad
from engine.lab import CARD, FIRST, SECOND
from lpad.api.app import LARGEST_BODY
from lpad.api.routes import ROUTES
from lpad.simulator.smdp.store.profile_metadata import ProfileMetadata

if TYPE_CHECKING:
    import httpx

    from api.gateway import Gateway

EUICC = f"/v1/euiccs/{CARD}"


def problem(response: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert (found["status"], found["kind"], found["type"]) == (status, kind, f"urn:lpad:error:{kind}")
    assert found["detail"]
    return found


def done(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    change: dict[str, Any] = response.json()
    assert change["state"] == "done", change
    return change


def download(gateway: Gateway, **fields: Any) -> httpx.Response:
    order = gateway.lab.order(**fields.pop("order", {}))
    body = {"activation_code": gateway.lab.code(order)} | fields
    response = gateway.http.post(f"{EUICC}/downloads?wait=120", json=body)
    gateway.lab.until_true(gateway.lab.settled)
    return response


def test_version_uptime_and_health_are_reported(gateway: Gateway) -> None:
    """Version, uptime and health are reported."""
    system = gateway.get("/v1/system")
    assert system["version"] == lpad.__version__
    assert system["uptime_seconds"] >= 0
    journal: dict[str, Any] = {"state": "ok", "error": None, "set_aside": [], "repairs": []}
    assert system["health"] == {
        "ok": True,
        "cards": 1,
        "cards_ready": 1,
        "journal": journal,
        "clock_set": True,
    }


def test_each_card_is_listed_and_shown(gateway: Gateway) -> None:
    """The list names each card, and the view of one card shows its EID, information and addresses."""
    (listed,) = gateway.get("/v1/euiccs")["euiccs"]
    assert (listed["name"], listed["state"], listed["error"]) == (CARD, "ready", None)
    one = gateway.get(EUICC)
    assert one["eid"] == listed["eid"] == str(gateway.lab.card.eid)
    assert one["info"]["memory"]["free_non_volatile"] > 0
    assert one["info"]["ci_ids_for_verification"]
    assert one["addresses"] == {"default_smdp": None, "root_smds": "testrootsmds.example.com"}


def test_the_whole_life_of_a_profile(gateway: Gateway) -> None:
    """A profile is downloaded, read, renamed, enabled, disabled and deleted, all through the socket."""
    change = done(download(gateway))
    assert change["result"]["iccid"] == FIRST
    profile = f"{EUICC}/profiles/{FIRST}"
    (listed,) = gateway.get(f"{EUICC}/profiles")["profiles"]
    assert listed == gateway.get(profile)
    assert (listed["name"], listed["state"], listed["profile_class"]) == ("First", "disabled", "operational")
    done(gateway.http.patch(f"{profile}?wait=120", json={"nickname": "home"}))
    assert gateway.get(profile)["nickname"] == "home"
    done(gateway.http.post(f"{profile}/enable?wait=120"))
    assert gateway.get(profile)["state"] == "enabled"
    change = gateway.http.delete(f"{profile}?wait=120").json()
    assert (change["state"], change["error"]["kind"]) == ("failed", "conflict")
    done(gateway.http.post(f"{profile}/disable?wait=120"))
    done(gateway.http.delete(f"{profile}?wait=120"))
    assert gateway.get(f"{EUICC}/profiles")["profiles"] == []
    problem(gateway.http.get(profile), 404, "not-found")
    done(gateway.http.delete(f"{profile}?wait=120&missing=ok"))


def test_an_iccid_may_be_written_as_modems_do(gateway: Gateway) -> None:
    """A path may contain an ICCID with the padding F, as modems write it."""
    done(download(gateway))
    assert gateway.get(f"{EUICC}/profiles/{FIRST}F")["iccid"] == FIRST
    problem(gateway.http.get(f"{EUICC}/profiles/89F3"), 400, "invalid-value")


def test_a_change_is_accepted_immediately(gateway: Gateway) -> None:
    """Without `wait`, a request for a change gets 202 immediately, with the change and its location."""
    response = gateway.http.post(f"{EUICC}/refresh")
    assert response.status_code == 202
    change = response.json()
    assert response.headers["location"] == f"/v1/changes/{change['id']}"
    assert change["state"] in ("queued", "running")
    found = gateway.http.get(f"{response.headers['location']}?wait=120").json()
    assert found["state"] == "done"
    assert [step["name"] for step in found["steps"]] == ["read-card"]
    assert gateway.get("/v1/changes")["changes"][0]["id"] == change["id"]
    assert gateway.get(f"/v1/changes?euicc={CARD}")["changes"]
    assert gateway.get("/v1/changes?euicc=other")["changes"] == []


def test_a_change_waits_for_an_answer(gateway: Gateway) -> None:
    """A request with `wait` returns when the change asks a question; the answer lets the change continue."""
    response = download(gateway, order={"confirmation_code": "code-1234"})
    assert response.status_code == 202
    change = response.json()
    assert (change["state"], change["question"]["kind"]) == ("waiting", "confirmation-code")
    assert change["question"]["code_refused"] is False
    answer = f"/v1/changes/{change['id']}/answer"
    problem(gateway.http.post(answer, json={"decision": "accept"}), 409, "conflict")
    problem(gateway.http.post(answer, json={"decision": "perhaps"}), 400, "invalid-value")
    problem(gateway.http.post(answer, json={}), 400, "invalid-value")
    done(gateway.http.post(f"{answer}?wait=120", json={"confirmation_code": "code-1234"}))
    problem(gateway.http.post(answer, json={"confirmation_code": "code-1234"}), 409, "conflict")


def test_a_change_is_taken_back(gateway: Gateway) -> None:
    """DELETE cancels a change; one that has ended cannot be cancelled."""
    change = download(gateway, confirm=True).json()
    assert change["question"]["kind"] == "consent"
    path = f"/v1/changes/{change['id']}"
    assert gateway.http.delete(f"{path}?wait=120").json()["state"] == "cancelled"
    problem(gateway.http.delete(path), 409, "conflict")
    problem(gateway.http.get("/v1/changes/99"), 404, "not-found")
    problem(gateway.http.get("/v1/changes/x"), 400, "invalid-value")


def test_secrets_are_redacted(gateway: Gateway) -> None:
    """A change shows the server and the last characters of the matching ID, never the whole ID."""
    order = gateway.lab.order(confirmation_code="code-1234")
    body = {"activation_code": gateway.lab.code(order), "confirmation_code": "code-1234"}
    response = gateway.http.post(f"{EUICC}/downloads?wait=120", json=body)
    params = done(response)["params"]
    assert params["server"] == gateway.lab.server.address
    assert params["matching_id"] == f"…{order.matching_id[-4:]}"
    assert order.matching_id not in response.text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"activation_code": "LPA:1$a.example.com$X", "default": True},
        {"activation_code": ""},
        {"activation_code": 7},
        {"default": "yes"},
        [],
    ],
)
def test_a_download_names_one_source(gateway: Gateway, body: Any) -> None:
    """A download must name exactly one source, with a value of the right type."""
    problem(gateway.http.post(f"{EUICC}/downloads", json=body), 400, "invalid-value")


def test_a_wrong_activation_code_is_reported_immediately(gateway: Gateway) -> None:
    """An invalid activation code leads to no change, and the error does not contain it."""
    response = gateway.http.post(f"{EUICC}/downloads", json={"activation_code": "LPA:2$a.b$TOPSECRET"})
    problem(response, 400, "invalid-activation-code")
    assert "TOPSECRET" not in response.text
    assert gateway.get("/v1/changes")["changes"] == []


def test_the_default_address_is_normalized_and_written(gateway: Gateway) -> None:
    """PATCH writes the normalized address to the card; an impossible one is refused."""
    done(gateway.http.patch(f"{EUICC}?wait=120", json={"default_smdp": " SMDP.Example.com "}))
    assert gateway.get(EUICC)["addresses"]["default_smdp"] == "smdp.example.com"
    problem(gateway.http.patch(EUICC, json={"default_smdp": "https://x"}), 400, "invalid-value")
    done(gateway.http.patch(f"{EUICC}?wait=120", json={"default_smdp": ""}))
    assert gateway.get(EUICC)["addresses"]["default_smdp"] is None


def test_a_reset_names_what_it_takes(gateway: Gateway) -> None:
    """A reset without a class is refused; one with a class deletes the profiles of that class."""
    done(download(gateway))
    problem(gateway.http.post(f"{EUICC}/reset"), 400, "invalid-value")
    done(gateway.http.post(f"{EUICC}/reset?wait=120", json={"operational_profiles": True}))
    assert gateway.get(f"{EUICC}/profiles")["profiles"] == []


def test_the_outbox_is_shown_and_delivered_on_request(gateway: Gateway) -> None:
    """The outbox shows each notification's age and state, and can be delivered on request."""
    done(download(gateway))
    empty = {
        "euicc": CARD,
        "pending": 0,
        "oldest_seconds": None,
        "notifications": [],
        "unreadable": 0,
        "list_error": None,
        "copying": False,
        "next": None,
    }
    assert gateway.get(f"{EUICC}/notifications") == empty
    assert done(gateway.http.post(f"{EUICC}/notifications/deliver?wait=120"))["result"] == {"delivered": 0}
    gateway.lab.server.stop()
    done(gateway.http.post(f"{EUICC}/profiles/{FIRST}/enable?wait=120"))
    gateway.lab.until_true(
        lambda: any(each.attempts for each in gateway.lab.engine.card(CARD).notifications())
    )
    found = gateway.get(f"{EUICC}/notifications")
    assert found["pending"] == 1
    (entry,) = found["notifications"]
    assert (entry["event"], entry["state"], entry["attempts"]) == ("enable", "pending", 1)
    assert entry["last_error"].startswith("server-unreachable")
    assert entry["age_seconds"] >= 0


def test_one_notification_is_retried_or_dropped(gateway: Gateway) -> None:
    """A notification can be retried, or dropped, by its number; a missing one is refused immediately."""
    done(download(gateway))
    gateway.lab.until_true(lambda: gateway.lab.card.notifications == ())
    gateway.lab.server.stop()
    done(gateway.http.post(f"{EUICC}/profiles/{FIRST}/enable?wait=120"))
    gateway.lab.until_true(lambda: not gateway.get(f"{EUICC}/notifications")["copying"])
    found = gateway.get(f"{EUICC}/notifications")["notifications"]
    assert [entry["event"] for entry in found] == ["enable"]
    one = f"{EUICC}/notifications/{found[0]['seq']}"
    failed = gateway.http.post(f"{one}/retry?wait=120").json()
    assert failed["error"]["kind"] == "server-unreachable"
    assert done(gateway.http.delete(f"{one}?wait=120"))["result"]["event"] == "enable"
    assert gateway.get(f"{EUICC}/notifications")["notifications"] == []
    assert gateway.http.delete(one).status_code == 404
    assert gateway.http.delete(f"{EUICC}/notifications/first").status_code == 400


def test_an_icon_has_its_media_type(gateway: Gateway) -> None:
    """A profile's icon is sent with its media type."""
    picture = b"\x89PNG\r\n\x1a\n" + bytes(100)
    metadata = ProfileMetadata(iccid=FIRST, name="First", icon=picture)
    done(download(gateway, order={"metadata": metadata}))
    response = gateway.http.get(f"{EUICC}/profiles/{FIRST}/icon")
    assert (response.headers["content-type"], response.content) == ("image/png", picture)
    problem(gateway.http.get(f"{EUICC}/profiles/{SECOND}/icon"), 404, "not-found")


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/nix", f"{EUICC}/nix", "/v1/euiccs/nix", "/v2/system"])
def test_unknown_paths_are_problems(gateway: Gateway, path: str) -> None:
    """A request for an unknown path or object gets a problem of the kind not-found."""
    problem(gateway.http.get(path), 404, "not-found")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_other_methods_are_problems(gateway: Gateway, route: Any) -> None:
    """Each path refuses unsupported methods, and names the supported ones."""
    path = route.path.format(name=CARD, iccid=FIRST, id=1, seq=1)
    response = gateway.http.request("PROPFIND", path)
    problem(response, 405, "conflict")
    assert route.method in response.headers["allow"]


def test_unknown_fields_and_parameters_are_named(gateway: Gateway) -> None:
    """A misspelt field or parameter is refused by name, because it would otherwise be ignored silently."""
    response = gateway.http.post(f"{EUICC}/downloads", json={"default": True, "confirm_code": "1"})
    assert "confirm_code" in problem(response, 400, "invalid-value")["detail"]
    response = gateway.http.post(f"{EUICC}/refresh?waiting=3")
    assert "waiting" in problem(response, 400, "invalid-value")["detail"]
    response = gateway.http.post(f"{EUICC}/refresh", json={"x": 1})
    assert "x" in problem(response, 400, "invalid-value")["detail"]
    for wait in ("x", "-1", "nan", "9999999"):
        problem(gateway.http.post(f"{EUICC}/refresh?wait={wait}"), 400, "invalid-value")
    assert gateway.get("/v1/changes")["changes"] == []


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"null", b'{"default": true', b"[" * 5000])
def test_bodies_that_are_not_json(gateway: Gateway, body: bytes) -> None:
    """Malformed JSON is reported as the caller's mistake, never as the server's."""
    problem(gateway.http.post(f"{EUICC}/downloads", content=body), 400, "invalid-value")


def test_a_body_that_is_too_long(gateway: Gateway) -> None:
    """A body that is longer than the limit is refused."""
    body = b" " * (LARGEST_BODY + 1)
    problem(gateway.http.post(f"{EUICC}/downloads", content=body), 400, "invalid-value")


def test_garbage_in_the_place_of_http(gateway: Gateway) -> None:
    """A request that is not valid HTTP gets 400 and its connection is closed; the server continues."""
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(gateway.path))
        raw.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 400")
    gateway.await_health()


def test_the_openapi_document_names_every_route(gateway: Gateway) -> None:
    """The OpenAPI document has every route of the table, with a schema for each body and answer."""
    document = gateway.get("/v1/openapi.json")
    operations = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert operations == {(route.method, route.path) for route in ROUTES}
    schemas = document["components"]["schemas"]
    assert {"Change", "NotFoundProblem", "DownloadRequest", "ProfileList"} <= schemas.keys()
    text = gateway.http.get("/v1/openapi.json").text
    for name in schemas:
        assert f"#/components/schemas/{name}" in text
    assert document["paths"]["/v1/system"]["get"]["summary"]
