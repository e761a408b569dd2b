"""Answers of modems to AT+CFUN?."""

from __future__ import annotations

import pytest

from lpad.protocol.at_dialogue import AtAnswer
from lpad.protocol.radio_power_answer import functionality_told


@pytest.mark.parametrize(
    ("lines", "level"),
    [
        (("1",), 1),
        (("0",), 0),
        (("4,0",), 4),
        (('"1", 0',), 1),
        (("?", "1"), 1),
        ((), None),
        (("",), None),
        (("-1",), None),
        (("256",), None),
        (("9" * 5000,), None),
        (("\N{ARABIC-INDIC DIGIT ONE}",), None),
    ],
)
def test_the_level_is_read_from_the_answer(lines: tuple[str, ...], level: int | None) -> None:
    """The level is the first number of the first line that begins with one; otherwise it is None."""
    assert functionality_told(AtAnswer(lines, "OK")) == level
