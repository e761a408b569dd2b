"""The Python client against the real API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.gateway import Gateway
from engine.lab import CARD, FIRST, Lab
from lpad.client import ApiError, Client, DaemonUnreachable
from lpad.engine.snapshot.snapshot import CardState
from lpad.simulator.smdp.store.profile_metadata import ProfileMetadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAIT = 30.0


@pytest.fixture
def client(lab: Lab) -> Iterator[Client]:
    with Gateway(lab) as gateway, Client(str(gateway.path)) as made:
        lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
        yield made


def test_the_life_of_a_profile(lab: Lab, client: Client) -> None:
    """The client has a method for each step in a profile's life, and returns typed answers."""
    assert client.system().health.cards_ready == 1
    assert [euicc.name for euicc in client.euiccs()] == [CARD]
    picture = b"\x89PNG" + bytes(50)
    order = lab.order(metadata=ProfileMetadata(iccid=FIRST, name="First", icon=picture))
    change = client.download(CARD, activation_code=lab.code(order), wait=WAIT).check()
    assert change.result is not None
    assert change.result["iccid"] == FIRST
    assert client.icon(CARD, FIRST) == picture
    client.rename(CARD, FIRST, "home", wait=WAIT).check()
    client.enable(CARD, FIRST, wait=WAIT).check()
    (profile,) = client.profiles(CARD)
    assert (profile.nickname, profile.state) == ("home", "enabled")
    client.disable(CARD, FIRST, wait=WAIT).check()
    client.set_default_smdp(CARD, "smdp.example.com", wait=WAIT).check()
    euicc = client.euicc(CARD)
    assert euicc.addresses is not None
    assert euicc.addresses.default_smdp == "smdp.example.com"
    client.delete(CARD, FIRST, wait=WAIT).check()
    client.delete(CARD, FIRST, missing_ok=True, wait=WAIT).check()
    client.reset(CARD, default_smdp=True, wait=WAIT).check()
    client.deliver_notifications(CARD, wait=WAIT).check()
    lab.until_true(lambda: client.notifications(CARD) == [])
    client.refresh(CARD, wait=WAIT).check()
    assert len(client.changes(euicc=CARD)) == 10


def test_questions_are_answered(lab: Lab, client: Client) -> None:
    """`wait` returns when the change asks a question; the answer lets the change continue."""
    order = lab.order(confirmation_code="code-1234")
    change = client.download(CARD, activation_code=lab.code(order), confirm=True)
    change = client.wait(change.id)
    assert change.question is not None
    assert change.question.kind == "confirmation-code"
    client.answer(change.id, confirmation_code="code-1234")
    change = client.wait(change.id)
    assert change.question is not None
    assert change.question.profile is not None
    assert change.question.profile.name == "First"
    client.answer(change.id, decision="accept", wait=WAIT).check()


def test_failed_changes_raise_when_asked(client: Client) -> None:
    """`check` turns a failed change into an error with its kind."""
    change = client.enable(CARD, FIRST, wait=WAIT)
    assert change.state == "failed"
    with pytest.raises(ApiError) as caught:
        change.check()
    assert caught.value.kind == "not-found"


def test_problems_are_errors(client: Client) -> None:
    """An answer of problem+json is raised as ApiError, with kind and status."""
    with pytest.raises(ApiError) as caught:
        client.euicc("n i x/")
    assert (caught.value.kind, caught.value.status) == ("not-found", 404)
    with pytest.raises(ApiError) as caught:
        client.cancel(99)
    assert caught.value.kind == "not-found"


def test_following_ends_with_the_change(lab: Lab, client: Client) -> None:
    """`follow` yields a change's record, each event and the last record; of an ended change, one record."""
    change = client.download(CARD, activation_code=lab.code(lab.order()))
    events = list(client.follow(change.id))
    assert events[0].type == "change"
    assert any(event.type == "progress" for event in events)
    assert events[-1].change.state == "done"
    (only,) = client.follow(change.id)
    assert only.change.state == "done"


def test_without_a_daemon_the_error_names_the_socket(tmp_path: Path) -> None:
    """Without a daemon, the error names the socket."""
    with Client(str(tmp_path / "no.sock")) as client, pytest.raises(DaemonUnreachable, match=r"no\.sock"):
        client.system()
