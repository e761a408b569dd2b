"""Repeated log lines: once a minute, with a count."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, NoReturn

import pytest

from lpad.base.errors import CardBusy
from lpad.base.log.log_fields import fields_of, logged_with
from lpad.daemon.log import repeated_log_lines
from lpad.daemon.log.repeated_log_lines import MINUTE, MOST, RepeatedLogLines

if TYPE_CHECKING:
    from collections.abc import Iterator


class Log(logging.Handler):
    """A log with its own clock, which keeps lines and the fields for journald."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.lines: list[str] = []
        self.fields: list[dict[str, str]] = []
        self.repeats = RepeatedLogLines(self.emit, clock=lambda: self.now)
        self.addFilter(self.repeats)
        self.logger = logging.getLogger("lpad.tests.repeats")
        self.logger.propagate = False
        self.logger.setLevel(logging.DEBUG)
        self.logger.handlers = [self]

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - as every handler of the standard library
            self.handleError(record)
            return
        self.lines.append(line)
        self.fields.append(fields_of(record))


@pytest.fixture
def log() -> Iterator[Log]:
    made = Log()
    yield made
    made.repeats.flush()


def test_a_repeated_line_is_logged_once(log: Log) -> None:
    """The first line is logged immediately, its repetitions as a count, after a minute."""
    for _ in range(5):
        log.logger.warning("%s is absent", "modem")
    assert log.lines == ["modem is absent"]
    log.now += MINUTE
    log.repeats.due()
    assert log.lines == ["modem is absent", "modem is absent (4 times more within a minute)"]


def test_a_line_that_continues_is_reported_once_a_minute(log: Log) -> None:
    """A repeated line's count is logged each minute; after a minute without it, the line is logged again."""
    for _ in range(3 * 60):
        log.logger.info("again")
        log.now += 1
    assert log.lines == [
        "again",
        *["again (59 times more within a minute)"],
        *["again (60 times more within a minute)"],
    ]
    log.now += 2 * MINUTE
    log.repeats.due()
    log.now += 2 * MINUTE
    log.logger.info("again")
    assert log.lines[-2:] == ["again (60 times more within a minute)", "again"]


def test_other_lines_pass(log: Log) -> None:
    """A line with a different text, level or card is not a repetition."""
    log.logger.info("one")
    log.logger.warning("one")
    log.logger.info("two")
    with logged_with(euicc="a"):
        log.logger.info("one")
    with logged_with(euicc="b"):
        log.logger.info("one")
    assert log.lines == ["one", "one", "two", "one", "one"]


def test_a_count_says_whose_it_is(log: Log) -> None:
    """The fields of a count are those of the lines that it counts, whichever thread logs it."""
    with logged_with(euicc="a", change_id=7):
        for _ in range(2):
            log.logger.warning("%s", CardBusy("in use"))
    log.now += MINUTE
    thread = threading.Thread(target=log.repeats.due)
    thread.start()
    thread.join()
    assert log.lines[-1] == "in use (once more within a minute)"
    assert log.fields == [{"EUICC": "a", "CHANGE_ID": "7", "KIND": "card-busy"}] * 2


def test_each_line_of_a_trace_counts(log: Log) -> None:
    """Each line of a trace is logged, even if APDUs are equal."""
    for _ in range(3):
        log.logger.debug("> 00A4")
    assert log.lines == ["> 00A4"] * 3


def test_repetitions_are_reported_without_another_line(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A timer runs only while there is a count to report."""
    log.logger.info("first")
    assert log.repeats._timer is None
    monkeypatch.setattr(repeated_log_lines, "MINUTE", 0.05)
    log.logger.info("first")
    log.now += 1
    waiting(log).join(30)
    assert log.lines == ["first", "first (once more within a minute)"]
    assert log.repeats._timer is None


def waiting(log: Log) -> threading.Timer:
    """Return the running timer."""
    timer = log.repeats._timer
    assert timer is not None
    return timer


def test_an_end_reports_what_was_counted(log: Log) -> None:
    """When the process ends, the counts are logged."""
    log.logger.info("one")
    log.logger.info("one")
    log.repeats.flush()
    assert log.lines == ["one", "one (once more within a minute)"]


def test_a_flood_of_different_lines_fills_no_memory(log: Log) -> None:
    """If there are too many different lines, the oldest one is forgotten, and its count is logged."""
    log.logger.info("oldest")
    log.logger.info("oldest")
    for number in range(2 * MOST):
        log.logger.info("line %d", number)
    assert "oldest (once more within a minute)" in log.lines
    assert len(log.repeats._lines) == MOST


def test_a_traceback_is_reported_whole_the_first_time(log: Log) -> None:
    """The same error at the same place is only counted after the first time."""
    for _ in range(2):
        try:
            [].pop()
        except IndexError:
            log.logger.exception("internal-error")
    log.repeats.flush()
    assert "Traceback" in log.lines[0]
    assert log.lines[1:] == ["internal-error (once more within a minute)"]


def test_the_program_continues_after_an_unformattable_line(
    log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a line that cannot be formatted, the program continues; Python reports the mistake on stderr."""
    for _ in range(2):  # pytest's own handler would raise an exception.
        log.handle(log.logger.makeRecord("lpad", logging.INFO, "", 0, "%d needs a number", ("x",), None))
    assert log.lines == []
    assert "needs a number" in capsys.readouterr().err


def test_lines_are_counted_without_a_free_thread(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """If no thread can be started, the count of a repeated line is logged with the next other line."""

    def start(_: threading.Thread) -> NoReturn:
        raise RuntimeError("no more threads")

    monkeypatch.setattr(threading.Thread, "start", start)
    for _ in range(3):
        log.logger.info("again")
    log.now += MINUTE
    log.logger.info("other")
    assert log.lines == ["again", "again (2 times more within a minute)", "other"]
