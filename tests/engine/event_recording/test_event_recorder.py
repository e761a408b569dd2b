"""The hub's events are recorded: each state once, across restarts, and without delay for the publisher."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from engine.test_full_disk import no_space
from lpad.base.deadline import Deadline
from lpad.engine.change.event_subscriptions import Hub
from lpad.engine.event_recording.event_recorder import Recorder
from lpad.engine.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.engine.change.change import Json

EID, OTHER = "89049032000000000000000000000017", "89049032000000000000000000000025"
ICCID = "8900101000000000017"


@contextmanager
def recording(folder: Path) -> Iterator[tuple[Hub, Journal]]:
    """Run a recorder on a journal; at the end the recorder has written all events."""
    hub, journal = Hub(), Journal(folder / "journal.db")
    recorder = Recorder(journal, hub)
    recorder.start()
    try:
        yield hub, journal
    finally:
        recorder.stop()
        recorder.join(deadline=Deadline.after(60))
        assert not recorder.alive
        journal.close()


def told(folder: Path) -> list[tuple[str, dict[str, Json]]]:
    journal = Journal(folder / "journal.db")
    found = journal.events.after(0, limit=99)
    journal.close()
    return [(each.type.removeprefix("org.lpad."), each.body.data) for each in found]


def card(hub: Hub, state: str, *, eid: str | None = EID, error: dict[str, Json] | None = None) -> None:
    hub.publish("euicc", {"name": "modem", "state": state, "eid": eid, "error": error}, euicc="modem")


def test_a_card_that_goes_comes_and_is_exchanged(tmp_path: Path) -> None:
    """Each state is reported once, even across a restart; a card exchanged during a restart is noticed."""
    with recording(tmp_path) as (hub, _):
        card(hub, "starting", eid=None)
        card(hub, "ready")
        card(hub, "ready")
        error: dict[str, Json] = {"kind": "card-unreachable", "sentence": "it is gone"}
        card(hub, "absent", error=error)
    with recording(tmp_path) as (hub, _):
        card(hub, "absent", error={"kind": "card-busy", "sentence": "it is busy"})
        card(hub, "ready", eid=OTHER)
        card(hub, "faulty", eid=OTHER, error={"kind": "card-malformed", "sentence": "what?"})
        card(hub, "removed", eid=OTHER)
    assert told(tmp_path) == [
        ("card.ready.v1", {"euicc": "modem", "eid": EID}),
        ("card.absent.v1", {"euicc": "modem", "eid": EID, "cause": "card-unreachable"}),
        ("card.ready.v1", {"euicc": "modem", "eid": OTHER}),
        ("card.changed.v1", {"euicc": "modem", "eid": OTHER, "previous": EID}),
        ("card.faulty.v1", {"euicc": "modem", "eid": OTHER, "cause": "card-malformed"}),
        ("card.removed.v1", {"euicc": "modem", "eid": OTHER}),
    ]


@pytest.mark.parametrize(
    ("type_", "data", "becomes"),
    [
        (
            "failover",
            {"euicc": "modem", "standing": "ailing", "profile": ICCID, "seen": "registered: not registered"},
            ("failover.changed.v1", {"euicc": "modem", "stage": "ailing", "iccid": ICCID}),
        ),
        (
            "line",
            {"platform": "desk", "line": "live", "iccid": ICCID, "euicc": "modem"},
            ("line.changed.v1", {"platform": "desk", "line": "live", "iccid": ICCID, "euicc": "modem"}),
        ),
        (
            "imei",
            {"euicc": "modem", "imei": "490154203237518", "previous": "356938035643809", "cause": "locked"},
            (
                "imei.changed.v1",
                {
                    "euicc": "modem",
                    "imei": "490154203237518",
                    "previous": "356938035643809",
                    "cause": "locked",
                },
            ),
        ),
        (
            "layer",
            {"euicc": "modem", "layer": "bearer", "up": True, "iccid": ICCID},
            ("network.layer-up.v1", {"euicc": "modem", "layer": "bearer", "iccid": ICCID}),
        ),
        (
            "layer",
            {
                "euicc": "modem",
                "layer": "bearer",
                "up": False,
                "cause": "ESM cause 27, missing or unknown APN",
            },
            (
                "network.layer-down.v1",
                {"euicc": "modem", "layer": "bearer", "cause": "ESM cause 27, missing or unknown APN"},
            ),
        ),
    ],
)
def test_each_of_the_other_states_is_reported_once(
    tmp_path: Path, type_: str, data: dict[str, Json], becomes: tuple[str, dict[str, Json]]
) -> None:
    """States of lines, layers and the like are each reported once, without the hub event's sentences."""
    with recording(tmp_path) as (hub, _):
        hub.publish(type_, data)
        hub.publish(type_, data)
    assert told(tmp_path) == [becomes]


def test_progress_is_not_recorded(tmp_path: Path) -> None:
    """Events of progress are not recorded; an incomplete event is ignored, and no event ends the recorder."""
    with recording(tmp_path) as (hub, _):
        hub.publish("progress", {"id": 1, "sent": 1, "total": 2})
        hub.publish("line", {"platform": "desk"})
        hub.publish("imei", {"imei": 7})
        hub.publish("layer", {})
        hub.publish("euicc", {})
        card(hub, "ready")
    assert [type_ for type_, _ in told(tmp_path)] == ["card.ready.v1"]


def test_a_repair_is_reported_after_the_restart_that_made_it(tmp_path: Path) -> None:
    """A repair is reported once: the next restart records nothing."""
    with recording(tmp_path) as (hub, _):
        card(hub, "ready")
    path = tmp_path / "journal.db"
    content = path.read_bytes()
    at = content.index(b"card.ready")
    path.write_bytes(content[:at] + b"C" + content[at + 1 :])
    for _ in range(2):
        with recording(tmp_path):
            pass
    ((type_, data),) = told(tmp_path)
    assert (type_, data["lost"]) == ("journal.repaired.v1", {"events": 1})


def test_a_full_disk_delays_events_only(tmp_path: Path) -> None:
    """Events that waited for a full disk are written with the first write once there is room."""
    with recording(tmp_path) as (hub, journal):
        with no_space(tmp_path / "journal.db-wal"):
            card(hub, "ready")
            while not journal.events.unwritten:
                pass
        journal.memos.put("anything", 1)
        assert [each.type for each in journal.events.after(0, limit=9)] == ["org.lpad.card.ready.v1"]
