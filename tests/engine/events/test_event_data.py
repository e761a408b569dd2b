"""The data of events omit empty fields, and cannot be modified."""

from __future__ import annotations

import msgspec
import pytest

from lpad.engine.events.event_data import Payload

KINDS = sorted(Payload.__subclasses__(), key=lambda each: each.__name__)
A_VALUE: dict[str, object] = {"str": "x", "int": 7, "bool": True, "float": 1.5, "dict": {"x": 1}}


def smallest(kind: type[Payload]) -> Payload:
    """Return a form of event data with its required fields only."""
    required = [each for each in msgspec.structs.fields(kind) if each.required]
    return kind(**{each.name: A_VALUE[getattr(each.type, "__name__", "str")] for each in required})


def test_there_are_some() -> None:
    """The table of payloads that the other tests use is not empty."""
    assert len(KINDS) > 10


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_field_does_not_appear(kind: type[Payload]) -> None:
    """An empty field is omitted from an event's data instead of being null."""
    required = {each.name for each in msgspec.structs.fields(kind) if each.required}
    assert msgspec.json.decode(msgspec.json.encode(smallest(kind))).keys() == required


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_does_not_change_on_its_way(kind: type[Payload]) -> None:
    """Event data cannot be modified, because several threads share them."""
    made = smallest(kind)
    name = kind.__struct_fields__[0]
    with pytest.raises(AttributeError):
        setattr(made, name, getattr(made, name))
