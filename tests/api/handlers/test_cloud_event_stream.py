"""The stream of CloudEvents from the outbox of events can be resumed by number, even after a restart."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from api.gateway import Gateway
from api.handlers.test_events import listening, parsed
from engine.lab import CARD, FIRST
from lpad.engine.change.change import Kind
from lpad.engine.events.event_types import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.lab import Lab

PATH = "/v1/events?form=cloudevents"
ENABLED, INSTALLED = "org.lpad.profile.enabled.v1", "org.lpad.profile.installed.v1"


def test_events_come_as_they_happen_and_again_after_a_restart(lab: Lab) -> None:
    """An event's ID is its number; a listener that resumes with the last ID gets each event once."""
    lab.start()
    with Gateway(lab) as gateway, listening(gateway, PATH) as events:
        start = next(events)
        assert start["event"] == "listening"
        lab.install()
        seen = []
        for event in events:
            seen.append(event)
            if event["event"] == INSTALLED:
                break
        assert [event["id"] for event in seen] == [
            str(int(start["id"]) + number) for number in range(1, len(seen) + 1)
        ]
        assert seen[-1]["data"]["data"]["iccid"] == FIRST
        assert int(seen[-1]["data"]["sequence"]) == int(seen[-1]["id"])
    lab.stop()
    lab.start()
    lab.carry_out(Kind.ENABLE, iccid=FIRST)
    with Gateway(lab) as gateway:
        with listening(gateway, PATH, **{"Last-Event-ID": start["id"]}) as events:
            assert next(events) == start
            assert [next(events) for _ in seen] == seen
            assert (
                next(event for event in events if event["event"] == ENABLED)["data"]["source"]
                == (seen[0]["data"]["source"])
            )
        with listening(gateway, f"{PATH}&after={seen[-1]['id']}") as events:
            next(events)
            assert int(next(events)["id"]) == int(seen[-1]["id"]) + 1


def test_events_missing_from_the_outbox_are_reported_as_lost(lab: Lab) -> None:
    """`lost` has the number of missing events; after an ID never assigned, `lost` precedes all events."""
    lab.install()
    lab.until_true(lambda: lab.engine.events.last() >= 3)
    with lab.engine.events.writing([]) as db:
        db.execute("DELETE FROM events WHERE id = 2")
    with Gateway(lab) as gateway:
        with listening(gateway, f"{PATH}&after=0") as events:
            told = [next(events) for _ in range(4)]
            assert [(each["event"], each["id"]) for each in told[::2]] == [("listening", "0"), ("lost", "1")]
            assert told[2]["data"] == {"count": 1}
            assert told[3]["id"] == "3"
        for unknown in ("999999", "abcdef-7", "-1"):
            with listening(gateway, f"{PATH}&after={unknown}") as events:
                assert [next(events)["event"] for _ in range(2)] == ["listening", "lost"]
                assert next(events)["id"] == "1"


def until_enabled(events: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events up to the first enabled profile, without the stream's first event, `listening`."""
    assert next(events)["event"] == "listening"
    seen = []
    for event in events:
        seen.append(event)
        if event["event"] == ENABLED:
            break
    return seen


def test_a_filter_selects_the_events_of_a_change_or_card(lab: Lab) -> None:
    """A filter selects the events of one change or one card; each keeps its number."""
    lab.install()
    change = lab.carry_out(Kind.ENABLE, iccid=FIRST)
    with Gateway(lab) as gateway:
        with listening(gateway, f"{PATH}&after=0") as events:
            whole = until_enabled(events)
        with listening(gateway, f"{PATH}&after=0&change={change.id}") as events:
            selected = until_enabled(events)
            assert {event["data"]["data"]["change"] for event in selected} == {change.id}
            assert selected == [event for event in whole if event["data"]["data"].get("change") == change.id]
        with listening(gateway, f"{PATH}&after=0&euicc={CARD}") as events:
            selected = until_enabled(events)
            assert {event["data"]["subject"] for event in selected} == {CARD}
            assert selected == [event for event in whole if event["data"].get("subject") == CARD]


@pytest.mark.parametrize("form", ["", "CloudEvents", "xml"])
def test_an_unknown_form_is_refused(gateway: Gateway, form: str) -> None:
    """A request for an unknown form is refused, with a list of the known forms."""
    response = gateway.http.get(f"/v1/events?form={form}")
    assert response.status_code == 400
    assert response.json()["kind"] == "invalid-value"
    assert "cloudevents" in response.json()["detail"]


def test_the_present_form_stays_as_it_is(lab: Lab) -> None:
    """A request without `form` gets the same lines as one with `form=lpad`, and no CloudEvents."""
    lab.start()
    with (
        Gateway(lab) as gateway,
        gateway.http.stream("GET", "/v1/events") as plain,
        gateway.http.stream("GET", "/v1/events?form=lpad") as named,
    ):
        lines = plain.iter_lines(), named.iter_lines()
        # Each stream has begun once its first event, of three lines and an empty one, has arrived.
        seen = [list(itertools.islice(each, 4)) for each in lines]
        lab.carry_out(Kind.REFRESH)
        for each, some in zip(lines, seen, strict=True):
            for line in each:
                some.append(line)
                if '"state":"done"' in line:
                    break
        # Before the change, the stream that was opened first may have one event more: the card is being read.
        starts = [some.index("event: change") - 1 for some in seen]
        assert seen[0][starts[0] :] == seen[1][starts[1] :]
        (first, *_) = parsed(iter(seen[0]))
        assert (first["event"], first["data"]) == ("listening", {})
        assert {event["event"] for event in parsed(iter(seen[0]))} <= {"listening", "change", "euicc"}


def test_every_type_is_listed_with_its_schema(gateway: Gateway) -> None:
    """The answer of /v1/event-types matches the table of types."""
    types = gateway.get("/v1/event-types")["types"]
    assert [each["type"] for each in types] == list(BY_NAME)
    assert all(
        each["data_schema"] == json.loads(json.dumps(BY_NAME[each["type"]].schema())) for each in types
    )
