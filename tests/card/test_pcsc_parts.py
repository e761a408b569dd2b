"""Parts of PC/SC links, without pcscd: the choice of a reader, errors, the call thread, other programs."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from lpad.base.deadline import Deadline
from lpad.base.errors import CardBusy, CardError, CardUnreachable
from lpad.card.pcsc.call_thread import CallThread, OverdueError
from lpad.card.pcsc.error_codes import failure, is_lost
from lpad.card.pcsc.other_programs import programs_using_pcsc
from lpad.card.pcsc.reader_choice import choose_reader
from lpad.card.port.link_refused import LinkRefused

if TYPE_CHECKING:
    from pathlib import Path

READERS = (
    "Gemalto PC Twin Reader (5A3B) 00 00",
    "Gemalto PC Twin Reader (77C0) 01 00",
    "HID Global OMNIKEY 3x21 [OMNIKEY 3x21 Smart Card Reader] 02 00",
)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (READERS[1], 1),
        (0, 0),
        ("2", 2),
        ("Gemalto PC Twin Reader (77C0)*", 1),
        ("*omnikey*", 2),
        ("*[OMNIKEY 3x21 Smart Card Reader] 0? 00", 2),
    ],
    ids=["name", "position", "digits", "serial-number", "any-case", "brackets"],
)
def test_a_reader_is_chosen(wanted: str | int, found: int) -> None:
    """A reader is chosen by name, by a pattern that fits one name, or by position; brackets are literal."""
    assert choose_reader(wanted, READERS) == READERS[found]


def test_a_name_is_not_a_pattern_when_it_is_there() -> None:
    """A full name takes precedence over other names that it matches as a pattern."""
    assert choose_reader("A*", ["AB", "A*"]) == "A*"


def test_a_pattern_that_fits_several_readers_is_refused() -> None:
    """A pattern that several names fit is an error that names them; waiting does not help."""
    with pytest.raises(CardUnreachable, match=r"matches several.*5A3B.*77C0.*longer") as caught:
        choose_reader("Gemalto*", READERS)
    assert not caught.value.retryable


@pytest.mark.parametrize("wanted", [3, "3", "Alcor", "gemalto"])
def test_a_missing_reader_may_come_later(wanted: str | int) -> None:
    """A missing reader may appear later, so the error allows a retry and lists the existing readers."""
    with pytest.raises(CardUnreachable, match=r"there are only 'Gemalto.*OMNIKEY") as caught:
        choose_reader(wanted, READERS)
    assert caught.value.retryable


def test_without_any_reader_the_error_states_this() -> None:
    """If there is no reader, the error states this."""
    with pytest.raises(CardUnreachable, match="no reader is plugged in"):
        choose_reader("*", [])


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (0x8010000B, CardBusy, "stop that program"),
        (0x80100068, CardBusy, "another program has reset the card"),
        (0x8010000C, CardUnreachable, "no card is in the reader"),
        (0x8010001D, CardUnreachable, "systemctl start pcscd.socket"),
        (0x8010001E, CardUnreachable, "pcscd is not running"),
        (0x80100004, LinkRefused, "too long"),
        (0x80100008, LinkRefused, "smaller block"),
        (0x80100009, CardUnreachable, "the reader has disappeared"),
        (0x80100017, CardUnreachable, "plug the reader in again"),
        (0x80100066, CardUnreachable, "the card does not answer its reset"),
        (0x80100069, CardUnreachable, "the card was taken out"),
        (0x8010002E, CardUnreachable, "scdaemon"),
        (0x8010006A, CardUnreachable, "polkit"),
        (0x80100099, CardUnreachable, "80100099"),
    ],
)
def test_codes_become_errors(code: int, kind: type[CardError], words: str) -> None:
    """Each PC/SC code becomes an error with its meaning and a remedy, and with the code in its details."""
    error = failure(code, "connecting")
    assert type(error) is kind
    assert str(error).startswith("connecting: ")
    assert words in str(error)
    assert error.details == {"pcsc": f"{code:08X}"}


def test_which_errors_end_a_connection() -> None:
    """A connection survives an error about a reader in use, but not the removal of the card."""
    assert not is_lost(failure(0x8010000B, ""))
    assert not is_lost(failure(0x80100004, ""))
    assert is_lost(failure(0x80100069, ""))
    assert not is_lost(CardUnreachable("not PC/SC's"))


def test_programs_that_use_pcsc() -> None:
    """Another process that has loaded the library is named; the calling process is not."""
    ctypes.CDLL("libpcsclite.so.1")
    script = "import ctypes, sys; ctypes.CDLL('libpcsclite.so.1'); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        named = programs_using_pcsc()
        process.terminate()
    assert any(name.endswith(f"(pid {process.pid})") for name in named)
    assert not any(name.endswith(f"(pid {threading.get_native_id()})") for name in named)


def test_programs_of_other_users(tmp_path: Path) -> None:
    """If /proc shows only a process's name, as for another user's, lpad suspects GnuPG but never pcscd."""
    for pid, name, maps in [(12, "scdaemon", None), (7, "bash", None), (9, "pcscd", "/lib/libpcsclite.so.1")]:
        process = tmp_path / str(pid)
        process.mkdir()
        (process / "comm").write_text(f"{name}\n")
        if maps:
            (process / "maps").write_text(maps)
    (tmp_path / "13").mkdir()
    assert programs_using_pcsc(tmp_path) == ["scdaemon (pid 12)"]


def test_results_and_exceptions_return_to_the_caller() -> None:
    """The PC/SC call thread passes a call's result or exception back to its caller."""
    thread = CallThread("calls", farewell=lambda: None)
    assert thread.call(lambda: 6 * 7, deadline=Deadline.after(30)) == 42
    with pytest.raises(ZeroDivisionError):
        thread.call(lambda: 1 // 0, deadline=Deadline.after(30))
    assert thread.call(threading.get_ident, deadline=Deadline.after(30)) != threading.get_ident()
    thread.end()
    assert thread.wait(deadline=Deadline.after(30))


def test_an_overdue_call_is_abandoned() -> None:
    """The caller of an overdue call continues; the thread cleans up and ends when the call returns."""
    returns, left = threading.Event(), threading.Event()
    thread = CallThread("calls", farewell=left.set)
    with pytest.raises(OverdueError):
        thread.call(returns.wait, deadline=Deadline.after(0.01))
    assert not thread.wait(deadline=Deadline.after(0.01))
    assert not left.is_set()
    returns.set()
    assert thread.wait(deadline=Deadline.after(30))
    assert left.is_set()


KILLED_WITH_A_QUESTION_UNREAD = """
import os, socket, struct, sys, threading, time
os.environ["PCSCLITE_CSOCK_NAME"] = path = sys.argv[1]
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen()

def pcscd():
    connection, _ = listener.accept()
    answers = {0x11: lambda body: body, 0x01: lambda body: struct.pack("<III", 0, 77, 0)}
    while True:
        size, command = struct.unpack("<II", connection.recv(8, socket.MSG_WAITALL))
        if command not in answers:
            break
        connection.sendall(answers[command](connection.recv(size, socket.MSG_WAITALL)))
    time.sleep(0.2)
    os.unlink(path)
    listener.close()
    connection.close()

threading.Thread(target=pcscd, daemon=True).start()
from lpad.base.errors import CardUnreachable
from lpad.card.pcsc.calls import Context
context = Context()
try:
    context.connect("a reader", shared=True)
except CardUnreachable as error:
    print(error.retryable, error.details["pcsc"], error)
"""


def test_a_killed_pcscd_is_a_broken_connection(tmp_path: Path) -> None:
    """If pcscd ends with an unread request, the error reports a broken connection, and allows a retry."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED_WITH_A_QUESTION_UNREAD, str(tmp_path / "pcscd.comm")],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stdout.startswith("True 80100013 "), done.stdout
    assert "the connection to pcscd broke" in done.stdout
