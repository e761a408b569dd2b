"""Requests whose change is lost with a damaged journal are not carried out a second time."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from engine.lab import CARD, FIRST, SECOND, Lab
from lpad.base.errors import Conflict
from lpad.engine.change.change import State
from lpad.engine.change.idempotency import IdempotencyKey
from lpad.engine.change.params import DeleteParams, RefreshParams

if TYPE_CHECKING:
    from lpad.engine.change.idempotency import Submission

KEY = IdempotencyKey.of(1000, "a key of a caller", request=b"delete it")


def test_a_key_of_a_lost_change_asks_for_nothing(lab: Lab) -> None:
    """If a change is lost but its key is known, the caller has to check, and nothing is deleted again."""
    lab.install(iccid=FIRST)

    def delete() -> Submission:
        return lab.engine.submit(CARD, DeleteParams(iccid=FIRST), key=KEY)

    change = delete().change
    assert lab.ended(change.id).state is State.DONE
    lab.install(iccid=FIRST)
    lab.install(iccid=SECOND)
    lab.stop()
    with sqlite3.connect(lab.folder / "journal.db") as db:
        db.execute("UPDATE changes SET body = x'00' || body WHERE id = ?", (change.id,))
    db.close()
    lab.start()
    with pytest.raises(Conflict) as caught:
        delete()
    assert caught.value.details["change"] == change.id
    assert lab.engine.journal.repairs[-1].lost_changes == (change.id,)
    assert {str(each.iccid) for each in lab.card.profiles} == {FIRST, SECOND}
    new = IdempotencyKey.of(1000, "new", request=b"delete it")
    assert lab.engine.submit(CARD, RefreshParams(), key=new).change.id > change.id
