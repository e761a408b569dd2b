"""Entries in the journal, with a socket in journald's place."""

from __future__ import annotations

import array
import io
import logging
import os
import socket
import struct
import sys
from typing import TYPE_CHECKING

import pytest

from lpad.base.errors import CardBusy
from lpad.base.log.log_fields import logged_with
from lpad.base.log.trace_level import TRACE
from lpad.daemon.log.journald import JournalHandler, is_journal, priority
from lpad.daemon.log.logging_format import RedactingFormatter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def parsed(content: bytes) -> dict[str, str]:
    """Return the fields of a datagram (systemd.io/JOURNAL_NATIVE_PROTOCOL)."""
    fields: dict[str, str] = {}
    rest = content
    while rest:
        line, _, rest = rest.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack("<Q", rest[:8])
            value, rest = rest[8 : 8 + length], rest[8 + length :]
            assert rest[:1] == b"\n"
            rest = rest[1:]
        fields[name.decode()] = value.decode()
    return fields


class Journal:
    """A listener at the journal's socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(20)

    def entry(self) -> dict[str, str]:
        content, ancillary, _, _ = self.socket.recvmsg(1 << 20, socket.CMSG_SPACE(4))
        for level, type_, data in ancillary:
            assert (level, type_) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
            (file,) = array.array("i", data)
            with os.fdopen(file, "rb") as opened:
                opened.seek(0)
                content = opened.read()
        return parsed(content)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal")
    yield journal
    journal.socket.close()


@pytest.fixture
def log(journal: Journal) -> Iterator[logging.Logger]:
    handler = JournalHandler(journal.path)
    handler.setFormatter(RedactingFormatter("%(message)s"))
    log = logging.getLogger("lpad.tried")
    log.addHandler(handler)
    log.setLevel(TRACE)
    log.propagate = False
    yield log
    log.removeHandler(handler)
    handler.close()


def test_an_entry_has_fields(journal: Journal, log: logging.Logger) -> None:
    """An entry has text, priority, place, the thread's card and change, and the error's kind."""
    with logged_with(euicc="modem"), logged_with(change_id=7, change_kind="enable"):
        log.warning("not ready: %s", CardBusy("ModemManager holds it"))
    entry = journal.entry()
    assert entry["MESSAGE"] == "not ready: ModemManager holds it"
    assert entry["PRIORITY"] == "4"
    assert entry["SYSLOG_IDENTIFIER"] == "lpad"
    assert entry["LOGGER"] == "lpad.tried"
    assert entry["CODE_FILE"] == __file__
    assert entry["CODE_FUNC"] == "test_an_entry_has_fields"
    assert (entry["EUICC"], entry["CHANGE_ID"], entry["CHANGE_KIND"]) == ("modem", "7", "enable")
    assert entry["KIND"] == "card-busy"


def test_fields_end_with_their_place(journal: Journal, log: logging.Logger) -> None:
    """Fields end with their block: a line that is logged after a change has no field for the change."""
    with logged_with(change_id=7):
        pass
    log.info("idle")
    assert not journal.entry().keys() & {"EUICC", "CHANGE_ID", "KIND"}


def test_a_traceback_is_one_entry(journal: Journal, log: logging.Logger) -> None:
    """An internal error with its traceback is one entry of many lines, which is redacted."""
    try:
        int("about 8900101000000000017")
    except ValueError:
        log.exception("internal-error")
    entry = journal.entry()
    assert entry["MESSAGE"].startswith("internal-error\nTraceback")
    assert entry["MESSAGE"].endswith("'about …0017'")
    assert (entry["PRIORITY"], entry["KIND"]) == ("3", "internal-error")


def test_a_large_entry_is_sent_as_a_memory_file(journal: Journal, log: logging.Logger) -> None:
    """An entry of megabytes arrives whole, in a memory file."""
    text = "x" * (4 << 20)
    log.log(TRACE, text)
    assert journal.entry()["MESSAGE"] == text


def test_a_journal_that_is_away_loses_nothing(
    journal: Journal, log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    """While journald's socket is missing, entries go to standard error, which journald reads later."""
    journal.path.unlink()
    log.error("two\nlines")
    assert capsys.readouterr().err == "<3>two\n<3>lines\n"


def test_a_journal_that_does_not_read_delays_nothing_for_long(journal: Journal, log: logging.Logger) -> None:
    """If journald's queue is full, lpad drops and counts entries instead of delaying the card."""
    (handler,) = (each for each in log.handlers if isinstance(each, JournalHandler))
    number = 0
    while handler.lost < 10:
        log.info("%d", number := number + 1)
        assert number < 2000, "the queue took everything"
    while "lost" not in (message := journal.entry()["MESSAGE"]):
        log.info("more")
    assert "entries before this one were lost" in message


@pytest.mark.parametrize(
    ("level", "expected"),
    [(logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7),
     (TRACE, 7)],
)  # fmt: skip
def test_levels_become_priorities(level: int, expected: int) -> None:
    """Levels become syslog's priorities; a trace becomes a debug message."""
    assert priority(level) == expected


def test_the_journal_is_known_by_its_file(tmp_path: Path) -> None:
    """$JOURNAL_STREAM is used only if it names the file of standard error."""
    with (tmp_path / "stderr").open("w") as stream:
        there = os.fstat(stream.fileno())
        environment = {"JOURNAL_STREAM": f"{there.st_dev}:{there.st_ino}"}
        assert is_journal(stream, environment=environment)
        assert not is_journal(sys.__stdin__ or sys.stdin, environment=environment)
        assert not is_journal(stream, environment={"JOURNAL_STREAM": "1:2"})
        assert not is_journal(stream, environment={"JOURNAL_STREAM": "junk"})
        assert not is_journal(stream, environment={})
    assert not is_journal(io.StringIO(), environment=environment)
