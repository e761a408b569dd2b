"""The table of event types is complete and documented, and its data are small and without secrets."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from lpad.engine.events import event_data, event_types
from lpad.engine.events.event_data import IDENTIFIERS, Payload
from lpad.engine.events.event_types import BY_NAME, EVENT_TYPES, EventType
from lpad.engine.events.events_document import events_document

PAGE = Path(__file__).parents[3] / "docs" / "events.md"

WORDS = frozenset({"euicc", "endpoint", "layer", "cause", "stage", "event", "platform", "profile", "line"})
"""Fields with a word: the owner's name of a card, platform or endpoint, or one word of a small set."""
ADDRESSES = frozenset({"server", "listed_by"})
"""Fields with the address of a server, which lpad has parsed: a name and a port."""


def test_the_page_is_current() -> None:
    """docs/events.md matches the table of event types."""
    assert PAGE.read_text(encoding="utf-8") == events_document(), (
        "write it again: python -m lpad.engine.events.events_document > docs/events.md"
    )


def test_every_type_has_a_row() -> None:
    """Each event type in the code is in the table exactly once."""
    named = [each for each in vars(event_types).values() if isinstance(each, EventType)]
    assert len(BY_NAME) == len(EVENT_TYPES)
    assert {each.name for each in named} == set(BY_NAME)
    assert all(re.fullmatch(r"org\.lpad(\.[a-z]+(-[a-z]+)*){2}\.v[1-9]", each) for each in BY_NAME)


@pytest.mark.parametrize("row", EVENT_TYPES, ids=lambda row: row.short)
def test_a_type_has_a_schema_that_describes_its_data(row: EventType) -> None:
    """The schema has each field of the data, and requires those that are always there."""
    schema = row.schema()
    fields = msgspec.structs.fields(row.data)
    assert schema["title"] == row.name
    assert set(schema["properties"]) == {each.name for each in fields}
    assert set(schema.get("required", ())) == {each.name for each in fields if each.required}


@pytest.mark.parametrize("row", EVENT_TYPES, ids=lambda row: row.short)
def test_an_event_is_thin(row: EventType) -> None:
    """Each text in an event is an identifier or a word of a fixed set, so that no secret fits in."""
    for each in msgspec.structs.fields(row.data):
        if "str" in str(each.type) and "int" not in str(each.type):
            assert each.name in IDENTIFIERS | WORDS | ADDRESSES


def test_every_form_is_used() -> None:
    """Each form of event data is used by a type of event."""
    forms = {
        each for each in vars(event_data).values() if isinstance(each, type) and issubclass(each, Payload)
    }
    assert forms - {Payload} == {each.data for each in EVENT_TYPES}
