"""The reason of a failed case in a bench run's report."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LISTENER = """
from hil.evidence.place_record import reason_of

def pytest_runtest_logreport(report):
    if report.failed:
        print("\\nseen:", report.nodeid.partition("::")[2], "|", reason_of(report))
"""

FAILING = """
import pytest

def kinds():
    return ["a", "b"]

def test_equal():
    assert kinds() == ["a", "c", "d"]

def test_sentence():
    assert kinds() == [], "the card said no"

def test_exception():
    raise OSError("no such device\\nlook at the cable")

def test_chained():
    try:
        {}["x"]
    except KeyError as cause:
        raise ValueError("the second one counts") from cause

def test_told():
    pytest.fail("the modem is away")

def test_no_fixture(nobodys):
    pass
"""


def test_the_reason_of_a_failure(tmp_path: Path) -> None:
    """A failed case's reason is the first line of its assertion or exception, without details."""
    (tmp_path / "conftest.py").write_text(LISTENER)
    (tmp_path / "test_it.py").write_text(FAILING)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", "-c", "/dev/null", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    seen = dict(line[6:].split(" | ", 1) for line in done.stdout.splitlines() if line.startswith("seen: "))
    assert seen == {
        "test_equal": "AssertionError: assert ['a', 'b'] == ['a', 'c', 'd']",
        "test_sentence": "AssertionError: the card said no",
        "test_exception": "OSError: no such device",
        "test_chained": "ValueError: the second one counts",
        "test_told": "Failed: the modem is away",
        "test_no_fixture": "fixture 'nobodys' not found",
    }
