"""Tables on a terminal: identifiers stay whole, and columns are dropped in a fixed order."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from contextlib import suppress

import pytest

EID = "89049032000000000000000000000017"
ICCID = "89000000000000000018"
SCRIPT = f"""
from lpad.cli.terminal.output import Output
Output(wide={{wide}}).table(
    ("CARD", "EID", "ICCID", "NAME", "WAY", "BY"),
    [("modem", "{EID}", "{ICCID}", "A customer's profile with a long name",
     "AT modem on /dev/ttyUSB2", "user 0")],
    empty="",
    droppable=("WAY", "BY", "CARD"),
)
"""


def shown(*, wide: bool, columns: int = 80) -> str:
    """Print the table at a terminal with the given number of columns; return the output."""
    return at_a_terminal(SCRIPT.format(wide=wide), columns)


def at_a_terminal(script: str, columns: int = 80, environment: dict[str, str] | None = None) -> str:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    told = b""
    try:
        with subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm"}
            | (environment or {}),
        ):
            os.close(theirs)
            with suppress(OSError):  # EIO: the command has ended
                while piece := os.read(ours, 4096):
                    told += piece
    finally:
        os.close(ours)
    return told.decode()


def test_identifiers_are_whole_at_80_columns() -> None:
    """At 80 columns, table columns are dropped in order, and names are broken instead of identifiers."""
    text = shown(wide=False)
    assert EID in text
    assert ICCID in text
    assert "WAY" not in text
    assert "BY" not in text


def test_columns_are_dropped_in_a_fixed_order() -> None:
    """A column is dropped only after those before it in the order; EID, ICCID and name always stay."""
    order = ("WAY", "BY", "CARD")
    dropped = set()
    for columns in range(160, 60, -4):
        headings = shown(wide=False, columns=columns).splitlines()[0]
        missing = tuple(each for each in order if each not in headings)
        assert missing == order[: len(missing)]
        dropped.add(missing)
        assert all(each in headings for each in ("EID", "ICCID", "NAME"))
    assert len(dropped) == len(order) + 1


def test_plain_output_without_a_terminal() -> None:
    """In a pipe, nothing is dropped, broken or coloured, whatever the width of the terminal."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(wide=False)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "40"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "\x1b" not in done.stdout
    headings, row = done.stdout.splitlines()
    assert headings.split() == ["CARD", "EID", "ICCID", "NAME", "WAY", "BY"]
    assert row.endswith("user 0")


def test_everything_fits_a_wide_terminal() -> None:
    """A wide terminal shows all columns of a table."""
    text = shown(wide=False, columns=200)
    assert "AT modem on /dev/ttyUSB2" in text
    assert "user 0" in text


def test_wide_drops_nothing() -> None:
    """`--wide` keeps every column, and the identifiers whole."""
    text = shown(wide=True, columns=110)
    for heading in ("WAY", "BY", "CARD", EID, ICCID):
        assert heading in text


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_no_color_removes_the_colours(variables: dict[str, str], *, coloured: bool) -> None:
    """NO_COLOR removes the colours; the heading may still be bold."""
    script = (
        "from lpad.cli.terminal.output import Output; Output().table(('STATE',), [('enabled',)], empty='')"
    )
    text = at_a_terminal(script, environment=variables)
    assert ("\x1b[32m" in text) is coloured
