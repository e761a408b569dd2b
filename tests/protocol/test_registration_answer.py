"""Modems' answers and announcements about the registration with the network."""

from __future__ import annotations

import pytest

from lpad.base.errors import MalformedError
from lpad.protocol.at_dialogue import AtAnswer
from lpad.protocol.registration_answer import registration_announced, registration_told


def told(*lines: str) -> AtAnswer:
    return AtAnswer(lines, "OK")


@pytest.mark.parametrize(
    ("line", "status", "level"),
    [
        ("0,1", 1, 0),
        ("1, 5", 5, 1),
        ('2,1,"1A2B","01A2B3C4",7', 1, 2),
        ("2,1,1A2B,01A2B3C4,7", 1, 2),
        ("0,11", 11, 0),
    ],
)
def test_an_answer_holds_level_and_status(line: str, status: int, level: int) -> None:
    """An answer has the level, the status and possibly a cell, with or without quotes."""
    found = registration_told("+CEREG", told(line))
    assert (found.status, found.level) == (status, level)


@pytest.mark.parametrize("announced", ["2", '1,"1A2B","01A2B3C4",7'])
@pytest.mark.parametrize("first", [True, False])
def test_a_change_announced_in_the_midst_of_an_answer_is_not_the_answer(
    announced: str, *, first: bool
) -> None:
    """An announcement within an answer, which has no `<n>` before `<stat>`, is not taken for the answer."""
    lines = (announced, "1,5") if first else ("1,5", announced)
    assert registration_told("+CEREG", told(*lines)).status == 5


@pytest.mark.parametrize("line", ["", "1", "home", '1,"1A2B","01A2B3C4",7'])
def test_an_answer_without_status_is_malformed(line: str) -> None:
    """An answer without both `<n>` and `<stat>` is malformed."""
    with pytest.raises(MalformedError, match="contains no status"):
        registration_told("+CGREG", told(line))


@pytest.mark.parametrize(
    ("line", "network", "status"),
    [
        ("+CEREG: 1", "+CEREG", 1),
        ('+CEREG:5,"1A2B","01A2B3C4",7', "+CEREG", 5),
        ("+c5greg: 2", "+C5GREG", 2),
        ("+CGREG: 0", "+CGREG", 0),
    ],
)
def test_a_change_that_is_announced_begins_with_the_status(line: str, network: str, status: int) -> None:
    """An announced change is read by its network and its status."""
    found = registration_announced(line)
    assert found is not None
    assert (found.network, found.status) == (network, status)


@pytest.mark.parametrize("line", ["+CREG: 1", "+CEREG: ", "+CPIN: READY", "RDY"])
def test_other_lines_announce_nothing(line: str) -> None:
    """Other lines, such as +CREG, are not announcements of a registration for data."""
    assert registration_announced(line) is None


@pytest.mark.parametrize(
    ("status", "registered"),
    [
        (0, False),
        (1, True),
        (2, False),
        (3, False),
        (4, False),
        (5, True),
        (6, False),
        (7, False),
        (8, False),
    ],
)
def test_registered_is_home_or_roaming(status: int, *, registered: bool) -> None:
    """Only the status 1 (home) or 5 (roaming) counts as registered."""
    found = registration_announced(f"+CEREG: {status}")
    assert found is not None
    assert found.registered is registered
    assert str(found).startswith(f"CEREG {status} (")
