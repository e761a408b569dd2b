"""The JSON of ES11: the events that an SM-DS lists for a card."""

from __future__ import annotations

import json

import pytest

from lpad.base.errors import MalformedError
from lpad.base.server_address import ServerAddress
from lpad.codec.es9plus import Answer
from lpad.codec.es11_event_entries import (
    LONGEST_EVENT_ID,
    MOST_ENTRIES,
    EventEntries,
    EventEntry,
    lists_events,
)

SMDP = ServerAddress("smdp.example.com")


def answered(**fields: object) -> Answer:
    header = {"functionExecutionStatus": {"status": "Executed-Success"}}
    return Answer.decode(json.dumps({"header": header, "transactionId": "0A0B", **fields}).encode())


def entry(event_id: object = "EVENT-1", address: object = "smdp.example.com", **more: object) -> object:
    return {"eventId": event_id, "rspServerAddress": address, **more}


def test_events_in_the_order_of_the_server() -> None:
    """Events keep the server's order, each with its ID as written and the parsed address of its SM-DP+."""
    listed = answered(eventEntries=[entry("b-2", "SMDP.example.com:8443"), entry("A-1")])
    found = EventEntries.of(listed)
    assert lists_events(listed)
    assert bytes(found.transaction_id) == bytes.fromhex("0A0B")
    assert found.entries == (
        EventEntry("b-2", ServerAddress("smdp.example.com", 8443)),
        EventEntry("A-1", SMDP),
    )
    assert found.unreadable == 0


@pytest.mark.parametrize("fields", [{"eventEntries": []}, {"eventEntries": None}, {}])
def test_no_event_waits(fields: dict[str, object]) -> None:
    """An empty list, null and a missing list all mean that nothing waits."""
    assert EventEntries.of(answered(**fields)).entries == ()


def test_an_answer_without_events_is_an_sm_dp_plus_answer() -> None:
    """An answer without an event list, or with a profile, is not that of an SM-DS."""
    assert not lists_events(answered(profileMetadata="AAAA"))
    assert not lists_events(answered(profileMetadata="AAAA", eventEntries=[]))
    assert not lists_events(answered())
    assert lists_events(answered(eventEntries=[]))


@pytest.mark.parametrize(
    "odd",
    [
        "text",
        None,
        {"eventId": "A-1"},
        {"rspServerAddress": "smdp.example.com"},
        entry(""),
        entry(7),
        entry("A" * (LONGEST_EVENT_ID + 1)),
        entry("two\nlines"),
        entry("A-1", "https://smdp.example.com/"),
        entry("A-1", ""),
        entry("A-1", ["smdp.example.com"]),
    ],
)
def test_an_odd_entry_hides_no_other(odd: object) -> None:
    """An entry that lpad cannot use is counted, and the others are read."""
    found = EventEntries.of(answered(eventEntries=[odd, entry("B-2", later="unknown members are ignored")]))
    assert found.entries == (EventEntry("B-2", SMDP),)
    assert found.unreadable == 1


def test_an_answer_of_version_3() -> None:
    """The signed list and all other additions of version 3 are ignored, in the answer and in each entry."""
    listed = answered(
        eventEntries=[
            entry("A-1", hashedIccids=["AA=="], serviceProviderName="x"),
            entry("B-2", eventType=3),
        ],
        smdsSigned2="MAA=",
        smdsSignature2="XzcA",
        pushServiceRefreshTime="2026-11-30T00:00:00Z",
    )
    found = EventEntries.of(listed)
    assert [each.event_id for each in found.entries] == ["A-1", "B-2"]
    assert found.unreadable == 0
    assert lists_events(listed)


def test_the_same_event_twice() -> None:
    """An event that is listed twice is one event."""
    found = EventEntries.of(answered(eventEntries=[entry(), entry(), entry("event-1")]))
    assert [each.event_id for each in found.entries] == ["EVENT-1", "event-1"]


def test_a_list_of_thousands() -> None:
    """Entries beyond the limit are counted, not read."""
    found = EventEntries.of(answered(eventEntries=[entry(f"E-{n}") for n in range(MOST_ENTRIES + 500)]))
    assert len(found.entries) == MOST_ENTRIES
    assert found.unreadable == 500


@pytest.mark.parametrize(
    "fields",
    [
        {"eventEntries": {"A": 1}},
        {"eventEntries": {}},
        {"eventEntries": ""},
        {"eventEntries": False},
        {"eventEntries": "A-1"},
        {"transactionId": 5},
    ],
)
def test_not_an_answer(fields: dict[str, object]) -> None:
    """A list of another type, or an impossible transaction ID, is malformed."""
    with pytest.raises(MalformedError):
        EventEntries.of(answered(**fields))
