"""Few places of lpad read or compare the wall clock, which users and time servers can change."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = Path(__file__).parents[1] / "src" / "lpad"
ROOMS = ("engine", "lpa", "remote", "settings")

PEOPLE = "a date for people"
CERTIFICATE = "a date in a certificate or a revocation list"
STEADY = "the steady clock, which knows what it may believe"
OLDER = "an earlier lpad noted nothing else"
BOOTS = "over a reboot, if both readings are of a clock that was set"
ANSWER = "a date in a server's answer"
UNSET = "whether the clock is set at all"
READING = {
    ("engine/change/change.py", "now", "datetime.now"): PEOPLE,
    ("engine/change/steady_clock.py", "now", "time.time"): STEADY,
    ("engine/environment/wall_clock_validity.py", "check", "time.gmtime"): PEOPLE,
    ("engine/environment/wall_clock_validity.py", "is_set", "time.time"): UNSET,
    (
        "engine/environment/wall_clock_validity.py",
        "_timer",
        "time.CLOCK_REALTIME",
    ): "a timer that goes off when it is set",
    (
        "engine/journal/file/damaged_file_replacement.py",
        "set_aside",
        "datetime.now",
    ): "a file's name, which has a number, too",
    ("engine/journal/file/row_salvage.py", "new_report", "datetime.now"): PEOPLE,
    ("engine/events/happening.py", "", "time.time"): PEOPLE,
    (
        "engine/webhooks/delivery_attempt.py",
        "attempt",
        "time.time",
    ): "a signature's time, which receivers compare",
    ("remote/https/retry_after.py", "retry_after", "time.time"): ANSWER,
    ("remote/trust/trust_files.py", "read_trust_file", "time.time"): CERTIFICATE,
    ("remote/trust/tls_failure.py", "untrusted", "time.time"): UNSET,
}
"""The reason for each place that reads the wall clock, by file, function and expression."""
COMPARING = {
    ("engine/change/steady_clock.py", "_gap", "present.wall - last.wall"): BOOTS,
    ("engine/change/time_limit.py", "left", "at.wall - self.began.wall"): BOOTS,
    (
        "engine/change/time_limit.py",
        "_clocks_agree",
        "CLOCK_UNSET_BEFORE <= self.began.wall <= at.wall",
    ): BOOTS,
    ("engine/environment/wall_clock_validity.py", "is_set", "time.time() >= self._unset_before"): UNSET,
    ("engine/policy/switching.py", "_age", "present.wall - step.at.timestamp()"): OLDER,
    ("engine/recovery/interrupted_changes.py", "_seconds_to_answer", "change.question.until - now()"): OLDER,
    (
        "remote/https/retry_after.py",
        "retry_after",
        "parsedate_to_datetime(header).timestamp() - time.time()",
    ): ANSWER,
    (
        "remote/trust/trust_files.py",
        "read_trust_file",
        "each.next_update.timestamp() < time.time()",
    ): CERTIFICATE,
    ("remote/trust/tls_failure.py", "untrusted", "time.time() < CLOCK_UNSET_BEFORE"): UNSET,
}
"""The reason for each place that compares or subtracts the wall clock's readings."""

CLOCKS = {
    "time.time", "time.time_ns", "time.ctime", "time.gmtime", "time.localtime", "time.CLOCK_REALTIME",
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today",
}  # fmt: skip


def test_the_wall_clock_is_read_in_few_places() -> None:
    """In engine, lpa, remote and settings, each place that reads the wall clock is in READING."""
    found = {place for file, tree in _trees() for place in _readings(file, tree)}
    assert found == READING.keys(), "ask the steady clock, or give the reason in READING"


def test_the_wall_clock_gives_no_age() -> None:
    """Each place that compares or subtracts readings, such as `now()` or `.wall`, is in COMPARING."""
    found = {place for file, tree in _trees() for place in _comparisons(file, tree)}
    assert found == COMPARING.keys(), "ask `Moment.since`, or give the reason in COMPARING"


@pytest.mark.parametrize(
    "text",
    [
        "def f(self):\n return time.time() - self.began",
        "def f():\n return datetime.datetime.now(UTC)",
        "def f():\n return datetime.utcnow()",
        "clock = field(default_factory=time.time)",
        "from time import time",
        "from time import monotonic, time_ns as ns",
        "def f():\n return time.clock_gettime(time.CLOCK_REALTIME)",
    ],
)
def test_readings_of_the_wall_clock_are_found(text: str) -> None:
    """The check finds calls of wall clocks, references to them, and imports of them by name."""
    assert list(_readings("a.py", ast.parse(text)))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def f(a):\n return now() - a.at", 1),
        ("def f(a):\n present = now()\n return present > a.at", 1),
        ("def f(a, m):\n return m.wall - a.at.timestamp()", 1),
        ("def f(a):\n return now() + timedelta(seconds=a)", 0),
        ("def f(a, m):\n return m.steady - a", 0),
    ],
)
def test_comparisons_of_its_readings_are_found(text: str, found: int) -> None:
    """The check finds differences and comparisons of readings, also of a name's, but not additions."""
    assert len(list(_comparisons("a.py", ast.parse(text)))) == found


def _trees() -> Iterator[tuple[str, ast.Module]]:
    for room in ROOMS:
        for path in sorted((SOURCES / room).rglob("*.py")):
            yield str(path.relative_to(SOURCES)), ast.parse(path.read_text(encoding="utf-8"))


def _within(tree: ast.AST, function: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Yield each node of a tree with the name of the function around the node."""
    for node in ast.iter_child_nodes(tree):
        yield function, node
        inner = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else function
        yield from _within(node, inner)


def _readings(file: str, tree: ast.Module) -> Iterator[tuple[str, str, str]]:
    for function, node in _within(tree):
        if isinstance(node, ast.Attribute):
            name = ".".join(ast.unparse(node).split(".")[-2:])
            if name in CLOCKS:
                yield file, function, name
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            for each in node.names:
                if f"time.{each.name}" in CLOCKS:
                    yield file, function, f"time.{each.name}"


def _comparisons(file: str, tree: ast.Module) -> Iterator[tuple[str, str, str]]:
    readings = {
        (function, target.id)
        for function, node in _within(tree)
        if isinstance(node, ast.Assign) and _is_reading(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for function, node in _within(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            sides = [node.left, node.right]
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        else:
            continue
        if any(
            _is_reading(side) or (isinstance(side, ast.Name) and (function, side.id) in readings)
            for side in sides
        ):
            yield file, function, ast.unparse(node)


def _is_reading(node: ast.expr) -> bool:
    """Return whether an expression reads the wall clock, or a stored reading."""
    if isinstance(node, ast.Attribute):
        return node.attr == "wall"
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("now", "time.time", "datetime.now")
