"""The events of a wish: one for each stage, in the transaction of its record."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.engine.journal import Journal
from lpad.engine.provisioning.wish_record import KeptReservation, WishRecord
from lpad.engine.provisioning.wish_store import WishStore

if TYPE_CHECKING:
    from pathlib import Path

EID = "89049032123451234512345678901235"
ICCID = "8900101000000000017"


def test_each_stage_is_an_event(tmp_path: Path) -> None:
    """Each stage of a wish is one event; platform's words and options are not part of the event."""
    ordered = WishRecord(platform="desk", product="secret-product", change=7, ordered_at=(1.5,))
    reserved = replace(ordered, reservation=KeptReservation(id="r-1", profile="pending", line="idle"))
    ready = replace(
        reserved,
        reservation=KeptReservation(
            id="r-1", profile="available", line="live", iccid=ICCID, why="Dear Mr Miller"
        ),
    )
    steps = (
        WishRecord(platform="desk", change=7),
        ordered,
        reserved,
        replace(reserved, looks=3),
        ready,
        replace(ready, spent="the code was used"),
    )
    with closing(Journal(tmp_path / "journal.db")) as journal:
        store = WishStore(journal.memos)
        for each in steps:
            store.put(EID, each)
        store.close(EID)
        store.close(EID)
        found = journal.events.after(0, limit=99)
    assert {each.type for each in found} == {"org.lpad.provisioning.changed.v1"}
    about = {"eid": EID, "platform": "desk", "change": 7}
    last = {**about, "iccid": ICCID, "profile": "available", "line": "live"}
    assert [each.body.data for each in found] == [
        {**about, "stage": "opened"},
        {**about, "stage": "ordered"},
        {**about, "stage": "reserved", "profile": "pending", "line": "idle"},
        {**last, "stage": "changed"},
        {**last, "stage": "spent"},
        {**last, "stage": "closed"},
    ]
