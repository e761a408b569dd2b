"""The outbox at the terminal: pending notifications with age and reason, and the actions on them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from engine.lab import CARD, FIRST, SECOND
from lpad.cli.terminal import exit_codes

if TYPE_CHECKING:
    from cli.conftest import Terminal


def test_pending_notifications_are_shown_retried_and_dropped(terminal: Terminal) -> None:
    """The list has age, attempts, next attempt and last error; a number selects one to retry or drop."""
    lab = terminal.lab
    lab.install()
    lab.until_true(lambda: lab.card.notifications == ())
    lab.server.stop()
    terminal.lpactl("enable", FIRST).ok()
    lab.until_true(lambda: any(each.attempts for each in lab.engine.card(CARD).notifications()))
    header, line = terminal.lpactl("notifications").ok().out.splitlines()
    assert [word for word in ("AGE", "TRIES", "NEXT TRY", "LAST ERROR") if word not in header] == []
    number = line.split()[0]
    assert "server-unreachable" in line
    assert " in " in line
    retried = terminal.lpactl("notifications", "retry", number)
    assert retried.code == exit_codes.SERVER
    assert "stay in the outbox" in retried.err
    assert terminal.lpactl("notifications", "drop", number).code == exit_codes.USAGE
    dropped = terminal.lpactl("notifications", "drop", number, "--yes").ok()
    assert dropped.out == f"notification {number} is dropped\n"
    assert terminal.lpactl("notifications").ok().err == "no notification is pending\n"


def test_numbers_belong_to_some_actions_only(terminal: Terminal) -> None:
    """A missing, unknown or superfluous number is reported immediately."""
    assert terminal.lpactl("notifications", "retry").code == exit_codes.USAGE
    assert terminal.lpactl("notifications", "deliver", "1").code == exit_codes.USAGE
    assert terminal.lpactl("notifications", "retry", "99").code == exit_codes.STATE
    assert terminal.lpactl("notifications", "retry", "--no-such-option").code == exit_codes.USAGE


def test_a_negative_number_is_a_number(terminal: Terminal) -> None:
    """A copy whose number the card has reused is listed under a negative number, and dropped by it."""
    lab = terminal.lab
    lab.install()
    lab.until_true(lambda: lab.card.notifications == ())
    lab.server.stop()
    terminal.lpactl("enable", FIRST).ok()
    lab.until_true(lambda: not lab.copying())
    lab.card._chip.state.notifications = []
    lab.card._chip.state.next_notification -= 1
    terminal.lpactl("disable", FIRST).ok()
    lab.until_true(lambda: len(lab.engine.card(CARD).notifications()) == 2)
    number = terminal.lpactl("notifications").ok().out.splitlines()[1].split()[0]
    assert number.startswith("-")
    dropped = terminal.lpactl("notifications", "drop", number, "--yes").ok()
    assert dropped.out == f"notification {number} is dropped\n"
    assert len(lab.engine.card(CARD).notifications()) == 1


def shown(terminal: Terminal, words: str) -> bool:
    """Return whether a line of the status about a waiting download has these words."""
    lines = terminal.lpactl("status").ok().err.splitlines()
    waits = "(download) waits for a connection to the server; next attempt at"
    return any(waits in line and words in line for line in lines)


def test_status_tells_what_waits(terminal: Terminal) -> None:
    """The status reports downloads that wait, and how many notifications could not be delivered yet."""
    lab = terminal.lab
    lab.install()
    lab.until_true(lambda: lab.card.notifications == ())
    code = lab.code(lab.order(iccid=SECOND))
    lab.server.stop()
    terminal.lpactl("enable", FIRST).ok()
    terminal.lpactl("download", code, "--when-online").ok()
    terminal.lpactl("download", code, "--no-wait", "--retry-for", "7200").ok()
    lab.until_true(lambda: any(each.attempts for each in lab.engine.card(CARD).notifications()))
    # Between two pauses, the change runs, and the status does not report that it waits.
    for line in ("until it succeeds; 'lpactl cancel 3' ends it", "for up to 2 h; 'lpactl cancel 4' ends it"):
        lab.until_true(partial(shown, terminal, f"; lpad keeps trying {line}"))
    told = terminal.lpactl("status").ok().err
    assert "notifications: 1 could not be delivered yet" in told


def test_a_list_that_cannot_be_read_is_not_empty(terminal: Terminal) -> None:
    """If the card's list cannot be read, `notifications` and `status` report that there may be more."""
    terminal.lab.install()
    terminal.lab.until_true(lambda: terminal.lab.card.notifications == ())
    terminal.lab.card.faults.corrupt(0xBF28, lambda _: 0x6F00, times=1000)
    terminal.lpactl("enable", FIRST).ok()
    terminal.lab.until_true(lambda: not terminal.lab.copying())
    told = terminal.lpactl("notifications").ok()
    assert "no notification is pending" not in told.err
    assert "the card's list cannot be read, and may contain more notifications (card-status" in told.err
    assert "the card's list cannot be read" in terminal.lpactl("status").ok().err
