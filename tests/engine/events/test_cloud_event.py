"""An event in the form in which it leaves the device."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec

from lpad.engine.events import event_types as types
from lpad.engine.events.cloud_event import Event, EventBody, Identifiers
from lpad.engine.events.event_data import ProfileData
from lpad.engine.events.happening import Happening
from lpad.remote.trust.tls_failure import CLOCK_UNSET_BEFORE

EID = "89049032000000000000000000000017"
DATA = ProfileData(euicc="modem", eid=EID, iccid="8900101000000000017", change=7)


def event(at: float = CLOCK_UNSET_BEFORE) -> Event:
    happening = Happening(type=types.PROFILE_ENABLED, data=DATA, euicc="modem", at=at)
    return Event(
        sequence=42,
        type=happening.type.name,
        droppable=False,
        body=EventBody.of(happening, source="gateway-17"),
    )


def test_the_structured_form_has_all_required_attributes() -> None:
    """An event has all required attributes, a sequence that can be sorted as text, and full identifiers."""
    told = json.loads(event().structured())
    assert told.pop("id")
    assert told == {
        "specversion": "1.0",
        "source": "gateway-17",
        "type": "org.lpad.profile.enabled.v1",
        "time": datetime.fromtimestamp(CLOCK_UNSET_BEFORE, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "datacontenttype": "application/json",
        "sequence": "000000000042",
        "subject": "modem",
        "data": {"euicc": "modem", "eid": EID, "iccid": "8900101000000000017", "change": 7},
    }


def test_redacted_identifiers_keep_their_last_digits() -> None:
    """A redacted identifier keeps its last digits, and the other fields stay."""
    data = event().data(Identifiers.REDACTED)
    assert data == {"euicc": "modem", "eid": "…0017", "iccid": "…0017", "change": 7}


def test_a_redacted_identifier_of_a_few_digits_is_hidden() -> None:
    """An identifier of up to four digits is hidden completely, because its last four would show it whole."""
    body = msgspec.structs.replace(
        event().body, data={"iccid": "8944", "previous": "898600B5", "enabled": "898600B51"}
    )
    shown = msgspec.structs.replace(event(), body=body).data(Identifiers.REDACTED)
    assert shown == {"iccid": "…", "previous": "…", "enabled": "…0B51"}


def test_a_time_of_an_unset_clock_is_marked() -> None:
    """Under an unset clock an event has an attribute that marks its time; with a set clock it has none."""
    told = json.loads(event(at=60.0).structured())
    assert (told["time"], told["clockunset"]) == ("1970-01-01T00:01:00.000Z", True)
    assert "clockunset" not in json.loads(event().structured())


def test_each_happening_has_its_own_id() -> None:
    """Two events with the same content have different IDs."""
    assert event().body.id != event().body.id
