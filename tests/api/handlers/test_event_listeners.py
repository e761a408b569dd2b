"""Named listeners over the API: their positions, their acknowledgements, and the roles that they need."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from api.gateway import Gateway
from api.handlers.test_events import listening
from engine.lab import CARD
from engine.test_full_disk import no_space
from lpad.api.request.roles import AccessRules, Role
from lpad.engine.events import event_types
from lpad.engine.events.event_data import CardData
from lpad.engine.events.happening import Happening
from lpad.engine.listeners.listener_position import ListenerRecord
from lpad.engine.listeners.listeners import MOST_OF_A_USER

if TYPE_CHECKING:
    from engine.lab import Lab

PATH = "/v1/listeners"
STREAM = "/v1/events?form=cloudevents&listener=bridge"
FAULTY = Happening(type=event_types.CARD_FAULTY, data=CardData(euicc=CARD, cause="test"))


def one(gateway: Gateway) -> dict[str, Any]:
    (found,) = gateway.get(PATH)["listeners"]
    return dict(found)


def test_a_listener_continues_where_it_was(lab: Lab) -> None:
    """A listener need not store its position: lpad keeps it across connections and restarts."""
    lab.install()
    lab.until_true(lambda: lab.engine.events.last() >= 3)
    with Gateway(lab) as gateway:
        with listening(gateway, f"{STREAM}&after=0") as events:
            assert next(events)["id"] == "0"
            assert [next(events)["id"] for _ in range(3)] == ["1", "2", "3"]
            shown = one(gateway)
            assert (shown["name"], shown["connected"], shown["position"]) == ("bridge", True, 0)
            assert shown["pending"] == lab.engine.events.last()
            answer = gateway.http.put(f"{PATH}/bridge", json={"position": 2})
            assert (answer.status_code, answer.json()["position"]) == (200, 2)
        lab.until_true(lambda: not one(gateway)["connected"])
        metrics = gateway.http.get("/v1/metrics").text
        assert 'lpad_listener_connected{listener="bridge"} 0.0' in metrics
        assert f'lpad_listener_pending_events{{listener="bridge"}} {one(gateway)["pending"]}.0' in metrics
    lab.stop()
    lab.start()
    with Gateway(lab) as gateway:
        assert one(gateway)["position"] == 2
        with listening(gateway, STREAM) as events:
            assert next(events)["id"] == "2"
            assert next(events)["id"] == "3"
        with listening(gateway, STREAM, **{"Last-Event-ID": "3"}) as events:
            assert next(events)["id"] == "3"
            assert one(gateway)["position"] == 3
        lab.until_true(lambda: not one(gateway)["connected"])
        answer = gateway.http.delete(f"{PATH}/bridge")
        assert (answer.status_code, answer.json()["name"]) == (200, "bridge")
        assert gateway.get(PATH) == {"listeners": [], "next": None}
        with listening(gateway, STREAM) as events:
            assert next(events)["id"] == str(lab.engine.events.last())


def test_dropped_events_are_counted_until_acknowledged(lab: Lab) -> None:
    """Only unacknowledged events count as dropped; the outbox of events stays within its limit."""
    lab.start()
    lab.engine.events.most = 100
    with Gateway(lab) as gateway:
        with listening(gateway, f"{STREAM}&after=0") as events:
            next(events)
        lab.engine.events.record([FAULTY] * 300)
        dropped = gateway.get("/v1/webhooks")["dropped"]
        assert dropped[event_types.CARD_FAULTY.name] >= 150
        assert len(lab.engine.events.after(0, limit=999)) <= 100
        answer = gateway.http.put(f"{PATH}/bridge", json={"position": lab.engine.events.last()})
        assert answer.json()["pending"] == 0
        lab.engine.events.record([FAULTY] * 50)
        assert gateway.get("/v1/webhooks")["dropped"] == dropped


def test_an_id_of_another_journal_is_reported_as_lost(lab: Lab) -> None:
    """A listener that sends an ID never assigned gets `lost`, then all events; its position stays 0."""
    lab.install()
    with Gateway(lab) as gateway:
        for unknown in ("999999", "abc"):
            with listening(gateway, f"{STREAM}&after={unknown}") as events:
                assert [next(events)["event"] for _ in range(2)] == ["listening", "lost"]
                assert next(events)["id"] == "1"
                assert one(gateway)["position"] == 0


@pytest.mark.parametrize(
    "path",
    [
        "/v1/events?listener=bridge",
        "/v1/events?form=lpad&listener=bridge",
        f"{STREAM}&change=1",
        f"{STREAM}&euicc=modem",
        "/v1/events?form=cloudevents&listener=No%20Name",
        "/v1/events?form=cloudevents&listener=",
    ],
)
def test_parameters_unfit_for_a_named_listener_are_refused(gateway: Gateway, path: str) -> None:
    """Parameters that do not fit a named listener are refused before anything is stored."""
    response = gateway.http.get(path)
    assert (response.status_code, response.json()["kind"]) == (400, "invalid-value")
    assert gateway.get(PATH) == {"listeners": [], "next": None}


@pytest.mark.parametrize("position", [-1, 10**18, 10**17])
def test_no_position_of_an_event(lab: Lab, position: int) -> None:
    """A number that no event has yet cannot be acknowledged."""
    lab.start()
    with Gateway(lab) as gateway:
        with listening(gateway, f"{STREAM}&after=0") as events:
            next(events)
        assert gateway.http.put(f"{PATH}/bridge", json={"position": position}).status_code == 400
        assert gateway.http.put(f"{PATH}/other", json={"position": 0}).status_code == 404
        assert one(gateway)["position"] == 0


def test_roles_of_listeners(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user with the role read may have up to MOST_OF_A_USER listeners, but may not use another user's."""
    lab.start()
    with Gateway(lab) as gateway:
        with ExitStack() as stack:
            stack.enter_context(listening(gateway, f"{STREAM}&after=0"))
        lab.until_true(lambda: not one(gateway)["connected"])
        records = lab.engine.listeners._records
        other = ListenerRecord(user=54321, position=0, seen=records["bridge"].seen)
        monkeypatch.setattr(lab.engine.listeners, "_records", {"bridge": other})
        monkeypatch.setattr(AccessRules, "roles", lambda _self, _peer: frozenset({Role.READ}))
        for refused in (
            gateway.http.get(STREAM),
            gateway.http.put(f"{PATH}/bridge", json={"position": 0}),
            gateway.http.delete(f"{PATH}/bridge"),
        ):
            assert (refused.status_code, refused.json()["kind"]) == (403, "not-permitted")
        for number in range(MOST_OF_A_USER):
            with listening(gateway, f"/v1/events?form=cloudevents&listener=own{number}") as events:
                next(events)
        full = gateway.http.get("/v1/events?form=cloudevents&listener=more")
        assert (full.status_code, full.json()["details"]) == (409, {"limit": MOST_OF_A_USER})
        lab.until_true(lambda: not any(each["connected"] for each in gateway.get(PATH)["listeners"]))
        assert gateway.http.delete(f"{PATH}/own0").status_code == 200
        monkeypatch.setattr(AccessRules, "roles", lambda _self, _peer: frozenset(Role))
        assert gateway.http.delete(f"{PATH}/bridge").status_code == 200


def test_while_the_disk_is_full(lab: Lab) -> None:
    """Events that happen while the disk is full reach a listener in order once there is space."""
    lab.start()
    lab.until_true(lambda: lab.engine.snapshot(CARD).eid is not None)
    with Gateway(lab) as gateway, listening(gateway, f"{STREAM}&after=0") as events:
        lab.engine.events.record([FAULTY])
        last = lab.engine.events.last()
        seen = [next(events)["id"] for _ in range(last + 1)]
        assert seen == [str(number) for number in range(last + 1)]
        with no_space(lab.folder / "journal.db-wal"):
            lab.engine.events.record([FAULTY])
            lab.engine.events.record([FAULTY])
            assert lab.engine.events.last() == last
            # The stream stays open, and lpad admits known listeners and new ones.
            assert gateway.http.put(f"{PATH}/bridge", json={"position": last}).json()["position"] == last
            with listening(gateway, "/v1/events?form=cloudevents&listener=second") as others:
                assert next(others)["id"] == str(last)
        lab.engine.events.record([])
        told = [next(events) for _ in range(2)]
        assert [each["id"] for each in told] == [str(last + 1), str(last + 2)]
        assert [each["data"]["data"]["cause"] for each in told] == ["test", "test"]
