"""The API shows, tests, pauses and resumes webhook endpoints, and sends them an event again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.gateway import Gateway
from engine.webhooks.receiver import Answer, Receiver, endpoint
from lpad.api.request.roles import AccessRules, Role
from lpad.engine.webhooks.ed25519 import Ed25519Key
from lpad.engine.webhooks.signing_keys import AsymmetricKey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.lab import Lab

PATH = "/v1/webhooks"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


def post(gateway: Gateway, path: str, body: Any = None, *, status: int = 200) -> Any:
    response = gateway.http.post(f"{PATH}/{path}", json=body) if body else gateway.http.post(f"{PATH}/{path}")
    assert response.status_code == status, response.text
    return response.json()


def one(gateway: Gateway) -> dict[str, Any]:
    (found,) = gateway.get(PATH)["webhooks"]
    return dict(found)


def test_an_endpoint_is_shown_without_secrets(lab: Lab, receiver: Receiver) -> None:
    """The answer has the endpoint's server and public key, but not its path, which may be a secret."""
    key = AsymmetricKey(Ed25519Key(bytes(32)))
    lab.engine.webhooks.become([endpoint(receiver.url("/secret-path"), keys=(key,))])
    with Gateway(lab) as gateway:
        shown = one(gateway)
        assert shown["server"] == f"http://127.0.0.1:{receiver.port}"
        assert shown["public_keys"] == [key.public]
        assert (shown["state"], shown["mode"], shown["identifiers"]) == ("active", "structured", "full")
        assert "secret" not in str(shown)
        assert gateway.get(PATH)["dropped"] == {}


def test_the_whole_way_of_an_event(lab: Lab, receiver: Receiver) -> None:
    """An event goes from a change on the card to the receiver, and the endpoint's record shows it."""
    lab.engine.webhooks.become([endpoint(receiver, types=("org.lpad.profile.*",))])
    receiver.answers.put(Answer(500))
    with Gateway(lab) as gateway:
        lab.install()
        first = receiver.take()
        lab.until_true(lambda: one(gateway)["attempts"] == 1)
        shown = one(gateway)
        assert (shown["last_status"], shown["pending"]) == (500, 2)
        assert shown["next_attempt_at"] is not None
        post(gateway, "backend/resume")
        assert receiver.take().id == first.id
        receiver.take()
        lab.until_true(lambda: one(gateway)["delivered"] == 2)
        assert one(gateway)["pending"] == 0
        position = one(gateway)["position"]
        assert post(gateway, "backend/redeliver", {"sequence": position}) == {"events": 1}
        receiver.take()
        assert post(gateway, "backend/redeliver") == {"events": 0}
        lab.until_true(lambda: one(gateway)["delivered"] == 3)
        metrics = gateway.http.get("/v1/metrics").text
        assert 'lpad_webhook_state{state="active",webhook="backend"} 1.0' in metrics
        assert 'lpad_webhook_pending_events{webhook="backend"} 0.0' in metrics
        assert 'lpad_webhook_delivered_total{webhook="backend"} 3.0' in metrics


def test_test_pause_and_resume(lab: Lab, receiver: Receiver) -> None:
    """The answer to a test reports the receiver's answer; a paused endpoint still gets test events."""
    lab.engine.webhooks.become([endpoint(receiver)])
    with Gateway(lab) as gateway:
        lab.until_true(lambda: one(gateway)["pending"] == 0)
        assert post(gateway, "backend/pause")["state"] == "paused"
        receiver.answers.put(Answer(403))
        told = post(gateway, "backend/test")
        assert (told["accepted"], told["status"], told["told"]) == (False, 403, "HTTP 403")
        assert post(gateway, "backend/test")["accepted"] is True
        assert post(gateway, "backend/resume")["state"] == "active"


@pytest.mark.parametrize("action", ["test", "pause", "resume", "redeliver"])
def test_an_unknown_endpoint(gateway: Gateway, action: str) -> None:
    """The error for an unknown endpoint lists the endpoints of the settings, or states that none exist."""
    assert "none" in post(gateway, f"other/{action}", status=404)["detail"]


def test_roles_of_webhooks(lab: Lab, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any role may view and test endpoints; only an administrator may pause, resume and send events again."""
    lab.engine.webhooks.become([endpoint(receiver)])
    monkeypatch.setattr(AccessRules, "roles", lambda _self, _peer: frozenset({Role.READ, Role.SWITCH}))
    with Gateway(lab) as gateway:
        assert one(gateway)["name"] == "backend"
        assert post(gateway, "backend/test")["accepted"] is True
        for action in ("pause", "resume", "redeliver"):
            assert post(gateway, f"backend/{action}", status=403)["kind"] == "not-permitted"
