"""Steps that power a modem, its radio or its SIM down and up; afterwards, everything is powered up."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Protocol, TypeVar

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError
from lpad.card.modem.modem_answer_types import Power
from lpad.card.modem.powered_down_note import bring_up

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lpad.card.link.link import Link
    from lpad.card.modem.modem_lent_by_link import LentModem
    from lpad.card.quirks.quirks import RefreshStep

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 4.0
LOOKING = 5.0
"""The minimum number of seconds for one check, even if a step's time has nearly passed."""
_GOING = 10.0
"""Seconds that a port may take to disappear after the modem has accepted the command that causes this."""
_BRINGING_UP = 120.0
_REBOOTED = ("RDY", "^SYSSTART", "+CFUN")
"""The beginnings of lines that modems send when they have started."""


class Access(Protocol):
    """Access to the card and its modem, for `take_step` and `Refresh`."""

    def open(self, *, deadline: Deadline) -> Link:
        """Return the open link.

        Raises:
            CardError: the port cannot be opened.
        """
        ...

    def ask_modem(self, ask: Callable[[LentModem | None], _T], *, deadline: Deadline) -> _T:
        """Call `ask` with the modem, or None if there is none; repeat once if its port is gone or silent.

        Raises:
            CardError: the port is gone or does not answer.
        """
        ...

    def end_session(self) -> bool:
        """Close a card session that was kept open for later commands; return whether there was one."""
        ...

    def drop(self) -> None:
        """Close the link; the next use opens it again."""
        ...


def take_step(access: Access, rung: RefreshStep, *, announcements: Sequence[str]) -> None:
    """Take a step of the ladder; all parts that it powers down are powered up again, even after a failure.

    Failures are only logged, because reading the card shows whether the step has helped.

    Args:
        announcements: the beginnings of lines with which this modem announces that it has read the SIM again.
    """
    refused = False
    access.end_session()
    try:
        with access.open(deadline=soon()).lend_modem(deadline=Deadline.after(_GOING)) as lent:
            if lent is None:
                return
            within = Deadline.after(_BRINGING_UP)
            lent.modem.forget_unsolicited()
            if rung.down:
                lent.powered_down.going_down(rung.up)
            taken = [lent.modem.take(text, deadline=within) for text in rung.down or rung.up]
            refused = not any(taken)
            if not all(taken[:1]):
                for text in rung.instead:
                    lent.modem.take(text, deadline=within)
            if rung.port_goes:
                # Send no query until the port has disappeared, because the answer would describe the state
                # before the restart.
                lent.modem.wait_for((*_REBOOTED, *announcements), deadline=Deadline.after(_GOING))
    except CardError as error:
        _log.info("%s: %s", rung.step.value, error)
        access.drop()
    finally:
        if rung.down:
            _bring_up(access, rung, refused=refused)
    if rung.port_goes:
        access.drop()


def _bring_up(access: Access, rung: RefreshStep, *, refused: bool) -> None:
    """Power up, over a reopened port if necessary; if this fails, lpad tries again at the next opening."""
    until = Deadline.after(_BRINGING_UP)
    pause = FIRST_PAUSE
    while True:
        why: object = "the modem refuses, and its radio is still off"
        try:
            with access.open(deadline=until).lend_modem(deadline=until) as lent:
                if lent is None:
                    return
                power = bring_up(lent.modem, lent.powered_down, deadline=until)
                if power is Power.UNKNOWN and refused:
                    lent.powered_down.is_up()
                if power is not Power.DOWN:
                    return
        except CardError as error:
            access.drop()
            why = error
        if until.remaining() <= pause:
            _log.error(
                "%s: the modem could not be powered up again: %s; lpad keeps trying", rung.step.value, why
            )
            return
        threading.Event().wait(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def soon() -> Deadline:
    """Return a deadline for a check or another short action."""
    return Deadline(time.monotonic() + LOOKING)
