"""The open wishes in the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import msgspec

from lpad.engine.journal import Journal
from lpad.engine.provisioning import wish_store
from lpad.engine.provisioning.wish_record import KeptReservation, WishRecord
from lpad.engine.provisioning.wish_store import WishStore
from lpad.provisioning.platform_interface import Line, Reservation, Stage

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

EID = "89049032123451234512345678901235"


def test_a_wish_outlives_a_restart(tmp_path: Path) -> None:
    """A stored wish is there after a restart, without the activation code, until it is closed."""
    seen = Reservation(platform="mine", id="7", profile=Stage.AVAILABLE, line=Line.LIVE, iccid="8988")
    record = WishRecord(
        platform="mine", options={"a": "b"}, reservation=KeptReservation.of(seen), ordered_at=(1.5,)
    )
    for _ in range(2):
        journal = Journal(tmp_path / "journal.db")
        journal.start()
        store = WishStore(journal.memos)
        store.put(EID, record)
        journal.close()
    journal = Journal(tmp_path / "journal.db")
    journal.start()
    store = WishStore(journal.memos)
    kept = store.get(EID)
    assert kept == record
    assert kept is not None
    assert kept.reservation is not None
    assert kept.reservation.reservation("mine") == seen
    store.close(EID)
    assert WishStore(journal.memos).get(EID) is None
    journal.close()


def test_an_unfinished_step_of_an_earlier_version_is_read() -> None:
    """The unfinished step is stored as `intent`, so that each version of lpad reads the other's records."""
    stored = b'{"platform": "mine", "intent": "order"}'
    assert msgspec.json.decode(stored, type=WishRecord).unfinished_step == "order"
    written = msgspec.json.encode(WishRecord(platform="mine", unfinished_step="confirm"))
    assert msgspec.json.decode(written)["intent"] == "confirm"


def test_a_mistake_over_its_events_costs_the_events_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If its event cannot be made, a wish's record, which prevents a second order, is still written."""

    def fails(*_: object) -> NoReturn:
        raise ValueError("a mistake in lpad")

    monkeypatch.setattr(wish_store, "happenings", fails)
    journal = Journal(tmp_path / "journal.db")
    journal.start()
    record = WishRecord(platform="mine", ordered_at=(1.5,))
    WishStore(journal.memos).put(EID, record)
    assert WishStore(journal.memos).get(EID) == record
    WishStore(journal.memos).close(EID)
    assert WishStore(journal.memos).get(EID) is None
    journal.close()


def test_a_damaged_state_is_unknown() -> None:
    """A wish's state that a damaged disk has made invalid is unknown, and is queried again."""
    kept = KeptReservation(id="7", profile="shiny", line="wet")
    assert (kept.reservation("mine").profile, kept.reservation("mine").line) == (Stage.UNKNOWN, Line.UNKNOWN)


def test_a_reference_reveals_neither_card_nor_platform() -> None:
    """A reference is derived from card, platform and number of the order, and reveals none of them."""
    first = WishRecord(platform="mine")
    assert first.reference(EID) == WishRecord(platform="mine", looks=9).reference(EID)
    others = {first.reference("1"), WishRecord(platform="x").reference(EID)}
    others.add(WishRecord(platform="mine", allowed=2).reference(EID))
    assert len(others | {first.reference(EID)}) == 4
    assert EID not in first.reference(EID)
    assert len(first.reference(EID)) <= 64
