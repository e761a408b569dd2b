"""The document of event types, docs/events.md: `python -m lpad.engine.events.events_document` prints it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from lpad.engine.events.event_data import IDENTIFIERS
from lpad.engine.events.event_types import EVENT_TYPES

if TYPE_CHECKING:
    from lpad.engine.events.event_types import EventType

_HEAD = """# Events

lpad reports changes on the device as events. `python -m lpad.engine.events.events_document` generates
this page from the table in `src/lpad/engine/events/event_types.py`; `GET /v1/event-types` returns the same
table, each type with the JSON schema of its data.

## One event

An event is a [CloudEvent 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md):

```json
{
  "specversion": "1.0",
  "id": "6f1c1a0e-7d0c-4b8f-9c55-0a4f6d1f2b7e",
  "source": "urn:uuid:0b6e3b9a-3a41-4a6b-9d4b-5d0c6a1e8f11",
  "type": "org.lpad.profile.enabled.v1",
  "time": "2026-11-29T12:00:00.000Z",
  "datacontenttype": "application/json",
  "sequence": "000000000042",
  "subject": "modem",
  "data": {
    "euicc": "modem",
    "eid": "89049032000000000000000000000017",
    "iccid": "8900101000000000017",
    "change": 7,
    "previous": "8900101000000000025"
  }
}
```

| attribute | meaning |
|---|---|
| `id` | unique; a repeated delivery has the same `source` and `id` |
| `source` | the device: `events.device` in the settings, or a UUID that lpad creates once |
| `type` | one of the table below; a new version of a type has another number at its end |
| `time` | when the event happened, by the device's clock |
| `clockunset` | true if the clock was not set; then `time` is meaningless, and `sequence` gives the order |
| `sequence` | counts the events of the device, with 12 digits; events in a gap are no longer in the outbox |
| `subject` | the card's name in the settings, if the event is about a card |

The data of an event consists of identifiers, a stage and a cause in one word, and never contains a
code, a key, a subscriber's name or a sentence. A program that needs more asks the API, for example for the
change with the number `change`. Identifiers are IDENTIFIERS. An `iccid` is a profile's AID if the profile has
no ICCID of its own.

A released type never changes its meaning. Later versions of lpad may add fields to its data, so ignore
unknown fields.

## The outbox

lpad writes an event to its journal in one transaction with the change that the event reports, so that after a
power cut the journal contains both or none of them. The outbox keeps the latest 2000 events
(`events.keep`). When the outbox is full, lpad first drops events that no endpoint of a webhook and no named
listener waits for, then droppable ones, then the others, always the oldest first. lpad counts the dropped
events that an endpoint or a named listener waits for, and reports them as `org.lpad.events.dropped.v1`. A
full outbox or a full disk never delays or refuses a change: while the disk is full, up to 500 events wait
in memory, and listeners get them once there is room again.

## Listening on the device

```sh
curl --no-buffer --unix-socket /run/lpad/lpad.sock 'http://lpad/v1/events?form=cloudevents'
```

```
id: 41
event: listening
data: {}

id: 42
event: org.lpad.profile.enabled.v1
data: {"specversion":"1.0","id":"6f1c1a0e-7d0c-4b8f-9c55-0a4f6d1f2b7e",...}
```

The ID is the event's `sequence`. After a lost connection or a restart of lpad or of the device, a listener
sends the ID of its last event as the header `Last-Event-ID` (or `?after=`), and gets all later events from
the outbox. `lost` has the `count` of events that the outbox no longer has. If a listener's ID is later than
all events, the journal is new: the listener gets `lost`, and then all events in the outbox. `?change=ID` and
`?euicc=NAME` select events.

A listener may have a name:

```sh
curl --no-buffer --unix-socket /run/lpad/lpad.sock \\
    'http://lpad/v1/events?form=cloudevents&listener=my-program'
curl --unix-socket /run/lpad/lpad.sock -X PUT --json '{"position": 42}' http://lpad/v1/listeners/my-program
```

In this example, 42 is the number of an event that the program has received. lpad remembers which event the
program has acknowledged; the program waits for all later events. A program acknowledges an event and all
previous ones with `Last-Event-ID` (or `?after=`) when it connects, and with PUT while it listens. Without an
ID, a known listener continues after the last acknowledged event, and a new listener gets only new events. A
named listener gets the events of all cards and changes: `?change=` and `?euicc=` are refused.

A name has 1 to 32 lower-case letters, digits, dots, hyphens and underscores, and belongs to the user that
first uses it; only that user and those with the role `admin` can use it. There are at most 16 listeners, and
at most 4 for each user. `DELETE /v1/listeners/NAME` (`lpactl listeners forget NAME`) makes lpad forget a
listener that is not connected. lpad also forgets a listener after 30 days of absence, not counting time in
which lpad does not run. A listener never makes the outbox larger, and no change waits for a listener: lpad
writes a listener's position at most every 10 seconds. `GET /v1/listeners`, `lpactl listeners`, `lpactl
status` and the [metrics](metrics.md) show the named listeners, such as `lpad-mqtt`.

## Types

"""


def events_document() -> str:
    """Return the page as Markdown."""
    names = [f"`{each}`" for each in sorted(IDENTIFIERS)]
    named = f"{', '.join(names[:-1])} and {names[-1]}"
    table = ["| type | when | droppable |", "|---|---|---|"]
    table += [f"| `{each.name}` | {each.means} | {'yes' if each.droppable else ''} |" for each in EVENT_TYPES]
    parts = [_HEAD.replace("IDENTIFIERS", named) + "\n".join(table), "", "## Data", ""]
    seen: list[type] = []
    for each in EVENT_TYPES:
        if each.data not in seen:
            seen.append(each.data)
            parts += _form(each)
    return "\n".join(parts).rstrip() + "\n"


def _form(event_type: EventType) -> list[str]:
    schema = event_type.schema()
    of = ", ".join(f"`{each.name}`" for each in EVENT_TYPES if each.data is event_type.data)
    lines = [f"### {event_type.data.__name__}", "", f"The data of {of}.", "", schema["description"], ""]
    lines += ["| field | type | always |", "|---|---|---|"]
    required = schema.get("required", ())
    lines += [
        f"| `{name}` | {_type(each)} | {'yes' if name in required else ''} |"
        for name, each in schema["properties"].items()
    ]
    return [*lines, ""]


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"] if each.get("type") != "null")
    if schema["type"] == "array":
        return f"list of {_type(schema['items'])}"
    if schema["type"] == "object":
        return f"object of {_type(schema['additionalProperties'])}"
    return str(schema["type"])


if __name__ == "__main__":
    sys.stdout.write(events_document())
