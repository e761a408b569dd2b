"""The hub: order, resuming, slow listeners."""

from __future__ import annotations

import threading
from typing import NoReturn

from lpad.engine.change.event_subscriptions import PATIENCE, PROGRESS, REMEMBERED, Hub


def nothing() -> None:
    """Do nothing when the listener is woken."""


def test_a_listener_gets_what_comes_after_it_began() -> None:
    """Events published before the subscription are not seen, later ones are, in order."""
    hub = Hub()
    hub.publish("change", {"n": 0})
    subscription = hub.subscribe(nothing)
    hub.publish("change", {"n": 1})
    hub.publish("change", {"n": 2})
    assert [event.data["n"] for event in subscription.take()] == [1, 2]
    assert subscription.take() == []


def test_a_listener_is_woken() -> None:
    """A listener's wake function is called in the publisher's thread."""
    hub = Hub()
    woken = threading.Event()
    hub.subscribe(woken.set)
    threading.Thread(target=hub.publish, args=("change", {})).start()
    assert woken.wait(30)


def test_an_ignored_event_wakes_no_listener() -> None:
    """A listener that ignores the reports on bytes sleeps during a download, and wakes at its end."""
    hub = Hub()
    woken = threading.Event()
    subscription = hub.subscribe(woken.set, ignored=PROGRESS)
    hub.publish("progress", {"sent": 1})
    assert not woken.is_set()
    assert subscription.take() == []
    hub.publish("change", {"n": 1})
    assert woken.is_set()
    assert [event.type for event in subscription.take()] == ["change"]


def test_a_broken_listener_does_not_affect_the_others() -> None:
    """If a listener's wake function fails, the publisher continues, and each listener can get the event."""

    def fails(*_: object) -> NoReturn:
        raise RuntimeError("Event loop is closed")

    hub = Hub()
    woken = threading.Event()
    first, second = hub.subscribe(fails), hub.subscribe(woken.set)
    hub.on_event = fails
    hub.publish("change", {"n": 1})
    assert woken.is_set()
    assert [[event.data["n"] for event in each.take()] for each in (first, second)] == [[1], [1]]


def test_a_listener_resumes_behind_the_last_event_that_it_saw() -> None:
    """With the ID of the last event that it saw, a listener gets all later events, and none twice."""
    hub = Hub()
    first = hub.subscribe(nothing)
    hub.publish("change", {"n": 1})
    seen = first.take()[-1].id
    first.close()
    hub.publish("change", {"n": 2})
    hub.publish("change", {"n": 3})
    again = hub.subscribe(nothing, after=seen)
    assert [event.data["n"] for event in again.take()] == [2, 3]


def test_a_slow_listener_loses_the_oldest_and_learns_how_many() -> None:
    """A listener that does not read gets the number of lost events, then the latest events."""
    hub = Hub()
    slow = hub.subscribe(nothing)
    for number in range(PATIENCE + 10):
        hub.publish("progress", {"n": number})
    events = slow.take()
    assert (events[0].type, events[0].data["count"]) == ("lost", 10)
    assert [event.data["n"] for event in events[1:]] == list(range(10, PATIENCE + 10))


def test_an_id_of_an_earlier_run_is_recognised() -> None:
    """A listener that was connected to the daemon before its restart learns that events are lost."""
    hub = Hub()
    hub.publish("change", {"n": 1})
    subscription = hub.subscribe(nothing, after="abcdef-7")
    types = [event.type for event in subscription.take()]
    assert types == ["lost", "change"]


def test_an_id_too_far_back_is_recognised() -> None:
    """A listener that was away for longer than events are remembered learns how many it lost."""
    hub = Hub()
    start = hub.last_id
    for number in range(REMEMBERED + 5):
        hub.publish("progress", {"n": number})
    events = hub.subscribe(nothing, after=start).take()
    assert events[0].type == "lost"
    assert events[-1].data["n"] == REMEMBERED + 4


def test_nonsense_as_the_last_id_is_not_an_error() -> None:
    """Whatever last ID a client sends, it gets a stream."""
    hub = Hub()
    for after in ("", "x", "-", "-1", "9" * 40, f"{hub.last_id}9"):
        assert all(event.type == "lost" for event in hub.subscribe(nothing, after=after).take())


def test_a_closed_subscription_gets_nothing() -> None:
    """A closed subscription gets no events; closing it twice is not an error."""
    hub = Hub()
    subscription = hub.subscribe(nothing)
    subscription.close()
    subscription.close()
    hub.publish("change", {})
    assert subscription.take() == []
