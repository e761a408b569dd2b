"""Guards over the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.lab import CARD, FIRST, SECOND

if TYPE_CHECKING:
    from api.gateway import Gateway

PROFILES = f"/v1/euiccs/{CARD}/profiles"


def switch(gateway: Gateway, guard: Any) -> dict[str, Any]:
    """Switch to the second profile, and return the change once it has ended or asks something."""
    gateway.lab.install()
    gateway.lab.install(iccid=SECOND, name="Second")
    assert gateway.http.post(f"{PROFILES}/{FIRST}/enable?wait=120").json()["state"] == "done"
    found: dict[str, Any] = gateway.http.post(
        f"{PROFILES}/{SECOND}/enable?wait=120", json={"guard": guard}
    ).json()
    return found


def test_a_switch_waits_for_its_confirmation(gateway: Gateway) -> None:
    """The change shows its guard and asks for confirmation; confirming it ends the question and the guard."""
    change = switch(gateway, {"until": ["confirm"]})
    assert change["state"] == "waiting"
    assert change["params"]["guard"] == {"until": ["confirm"], "within": 180.0}
    assert change["question"]["kind"] == "confirmation"
    assert change["guard"]["phase"] == "watching"
    assert change["guard"]["previous"] == FIRST
    assert change["guard"]["requirements"] == [
        {"condition": "confirm", "met": False, "seen": "no program has confirmed it"}
    ]
    kept = gateway.http.post(f"/v1/changes/{change['id']}/confirm?wait=120").json()
    assert (kept["state"], kept["guard"]["phase"]) == ("done", "kept")
    assert gateway.http.post(f"/v1/changes/{change['id']}/confirm").status_code == 409


def test_a_switch_that_is_not_confirmed_is_taken_back(gateway: Gateway) -> None:
    """A switch whose confirmation is refused is rolled back, and the error has a kind and details."""
    change = switch(gateway, {"until": ["confirm"], "within": 60})
    back = gateway.http.post(f"/v1/changes/{change['id']}/answer?wait=120", json={"confirm": False}).json()
    assert (back["state"], back["error"]["kind"]) == ("failed", "switch-rolled-back")
    assert back["error"]["details"]["enabled"] == FIRST
    assert gateway.get(f"{PROFILES}/{FIRST}")["state"] == "enabled"


@pytest.mark.parametrize(
    "guard",
    [
        {},
        {"until": []},
        {"until": ["registred"]},
        {"until": ["confirm", "confirm"]},
        {"until": ["confirm"], "within": 0},
        {"until": ["confirm"], "within": 1e9},
        {"until": ["tcp:example.com"]},
        {"until": ["confirm"] * 9},
        {"until": ["confirm"], "whithin": 60},
        "confirm",
    ],
)
def test_a_guard_that_can_t_be_is_refused(gateway: Gateway, guard: Any) -> None:
    """A guard that cannot be checked is refused before a change is created."""
    answer = gateway.http.post(f"{PROFILES}/{SECOND}/enable", json={"guard": guard})
    assert (answer.status_code, answer.json()["kind"]) == (400, "invalid-value")
    assert gateway.get("/v1/changes")["changes"] == []


def test_a_download_takes_a_guard_for_its_switch(gateway: Gateway) -> None:
    """A download that enables its profile accepts a guard; for one that does not, a guard is refused."""
    downloads = f"/v1/euiccs/{CARD}/downloads"
    code = gateway.lab.code(gateway.lab.order())
    for body in (
        {"guard": {"until": ["confirm"]}},
        {"guard": {"until": ["registred"]}, "enable": True},
        {"guard": {"until": ["confirm"], "within": 0}, "enable": True},
    ):
        answer = gateway.http.post(downloads, json={"activation_code": code, **body})
        assert (answer.status_code, answer.json()["kind"]) == (400, "invalid-value")
    assert gateway.get("/v1/changes")["changes"] == []
    asked = gateway.http.post(
        f"{downloads}?wait=120",
        json={"activation_code": code, "enable": True, "guard": {"until": ["confirm"]}},
    ).json()
    assert asked["params"]["guard"] == {"until": ["confirm"], "within": 180.0}
    kept = gateway.http.post(f"/v1/changes/{asked['id']}/confirm?wait=120").json()
    assert (kept["state"], kept["guard"]["phase"]) == ("done", "kept")
    assert (kept["result"]["iccid"], kept["result"]["enabled"]) == (FIRST, True)


@pytest.mark.parametrize("answer", [{}, {"confirm": True, "decision": "accept"}, {"confirm": "yes"}])
def test_an_answer_is_one_of_three(gateway: Gateway, answer: dict[str, Any]) -> None:
    """An answer must contain exactly one of a code, a decision and a confirmation."""
    response = gateway.http.post("/v1/changes/1/answer", json=answer)
    assert response.status_code in (400, 404)
    assert response.json()["kind"] in ("invalid-value", "not-found")
