"""The commands that a switch sends to the card: nothing is read twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.lab import CARD
from lpad.engine.change.change import Kind

if TYPE_CHECKING:
    from engine.lab import Lab


def test_a_switch_reads_each_part_of_the_card_once(lab: Lab) -> None:
    """A switch reads the profiles before and after, but not the card's information, which stays the same."""
    iccid = lab.install()
    lab.until_true(lambda: lab.card.notifications == ())
    before = lab.engine.snapshot(CARD).info
    assert before is not None
    lab.modem.received.clear()
    assert lab.carry_out(Kind.ENABLE, iccid=iccid).error is None
    lines = list(lab.modem.received)
    assert sum("BF2D" in line for line in lines) == 2
    assert sum("BF22" in line for line in lines) == 0
    assert lab.engine.snapshot(CARD).info == before
