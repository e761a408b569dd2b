"""The speed of a modem's serial line, which the settings may raise while lpad has the port open (AT+IPR).

A modem keeps its speed when lpad is killed, and some keep it without power. A note on disk therefore precedes
each change, and while the note exists, lpad tries both the usual and the fast speed.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from lpad.base.expendable_file import ExpendableFile
from lpad.protocol.at_dialogue import AtCommand
from lpad.protocol.serial_rate_commands import (
    AUTOMATIC,
    LARGEST_RATE,
    line_rate,
    line_rate_told,
    line_rates,
    offers_line_rate,
    set_line_rate,
)

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.card.port.serial_line import Line
    from lpad.protocol.at_dialogue import AtAnswer

_log = logging.getLogger(__name__)

ANSWER = 2.0
"""Seconds that a modem may take to answer at a speed that it probably does not use."""
_HARMLESS = AtCommand("AT")
_LONG = AtCommand("AT" + ";".join(["+CMEE?"] * 36), prefix="+CMEE")
"""A command line of 253 characters with an even longer answer, more than the buffers of a UART can contain
(ITU-T V.250, 5.2.1: commands in one line)."""
_Rate = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_RATE)]


class _Note(Struct, frozen=True):
    """Facts that must remain known if lpad is killed."""

    fast: _Rate
    former: _Rate
    """The speed to restore; `AUTOMATIC` if the modem detects the speed."""
    raised: bool = True
    """Whether the modem may be at the fast speed."""
    failed: bool = False
    """Whether the fast speed has failed or is not proven yet, so that lpad does not try it again."""


class Ask(Protocol):
    """Sends a command, and returns the answer, or None if the modem is silent.

    Raises CardUnreachable if no time is left.
    """

    def __call__(self, command: AtCommand, /) -> AtAnswer | None: ...  # noqa: D102 - documented by the class


class LineSpeed:
    """The usual and the fast speed of one port; the object outlasts the open port."""

    def __init__(self, *, usual: int, fast: int | None = None, note: Path | None = None) -> None:
        """Create the object; nothing is sent.

        Args:
            usual: the speed at which the port is opened, in bits per second.
            fast: the speed to use while lpad has the port open; None: the usual speed.
            note: the file that names the speed to restore; None: the speed is never raised.
        """
        self._usual = usual
        self._fast = None if note is None else fast
        self._file = ExpendableFile(note, _Note)
        self._note = self._file.read()
        self._heard = False
        self._is_refused = False
        self._is_proven = False
        self.doubted = False
        """Whether a command was not answered at the fast speed."""

    @property
    def is_raised(self) -> bool:
        """Whether the modem may be at the fast speed, as the note says."""
        self._note = self._file.read()
        return self._raised is not None

    def ending(self) -> LineSpeed:
        """Return a copy without a fast speed: the next use of the port restores the usual speed."""
        ending = LineSpeed(usual=self._usual, note=self._file.path)
        ending.doubted, self.doubted = self.doubted, False
        return ending

    def begin(self, line: Line) -> None:
        """Prepare for a newly opened port; set the noted speed if there is one.

        Raises:
            CardUnreachable: the port is gone.
        """
        self._heard = False
        self._note = self._file.read()
        raised = self._raised
        if raised is not None:
            _log.info("%s: the modem may still be at %d baud", line.name, raised.fast)
            line.change_speed(raised.fast)

    def candidates(self, line: Line) -> dict[int, float | None]:
        """Return the speeds at which a silent modem may be, in bits per second, the present one first.

        Each speed has the maximum number of seconds to wait for an answer; None: as for any command.
        """
        raised = self._raised
        speeds: dict[int, float | None] = {line.speed: None}
        if raised is not None or not self._heard:
            speeds[self._usual] = None
            if raised is not None:
                speeds |= {speed: None for speed in (raised.fast, raised.former) if speed != AUTOMATIC}
            if self._fast is not None and self._may_raise(line, self._fast):
                speeds.setdefault(self._fast, ANSWER)
        return speeds

    def doubt(self, line: Line) -> None:
        """Remember a command without an answer at the fast speed, until the modem answers a later one."""
        self.doubted = self._raised is not None and line.speed == self._raised.fast

    def settle(self, line: Line, ask: Ask) -> None:
        """Use the speed in the settings, once the modem has answered; a modem may lack the fast speed.

        Raises:
            CardUnreachable: the port is gone, or no time is left.
        """
        self._heard = True
        doubted, self.doubted = self.doubted, False
        if self._raised is None and line.speed != self._usual:
            self._adopt(line, ask)
        raised = self._raised
        if raised is not None:
            if doubted and line.speed == raised.fast:
                self._failed(line, "a command was lost")
            if not (self._is_proven and raised.fast == line.speed == self._fast):
                self._restore(line, ask)
        fast, usual = self._fast, line.speed == self._usual
        if fast is not None and self._raised is None and usual and self._may_raise(line, fast):
            self._raise(line, ask, fast)

    def _adopt(self, line: Line, ask: Ask) -> None:
        """Note the speed at which the modem answered although there was no note, if the modem confirms it."""
        present = ask(line_rate())
        if present is not None and present.ok and line_rate_told(present) == line.speed:
            self._keep(_Note(line.speed, self._usual), line)
            return
        _log.info("%s: the modem answers at %d baud, too; lpad uses the usual speed", line.name, line.speed)
        self._heard = present is not None  # the modem may answer only at this speed
        line.change_speed(self._usual)

    def _restore(self, line: Line, ask: Ask) -> None:
        """Restore the former speed; if the modem does not confirm it, the note stays."""
        note = self._note
        assert note is not None
        self._is_proven = False
        former = self._usual if note.former == AUTOMATIC else note.former
        if line.speed not in (self._usual, former):
            ask(set_line_rate(note.former))
            line.change_speed(former)
        if not _proven(ask) or line.speed not in (self._usual, former):
            _log.warning(
                "%s: the modem has not confirmed that its line is at %d baud again; lpad tries all speeds"
                " when it next opens the port",
                line.name,
                former,
            )
        elif line.speed != self._usual:
            _log.warning(
                "%s: the modem is at %d baud, and 'baud' in the settings is %d; correct the settings, or set"
                " the modem to that speed",
                line.name,
                former,
                self._usual,
            )
        else:
            self._forget(line)

    def _raise(self, line: Line, ask: Ask, fast: int) -> None:
        former = self._former(line, ask, fast)
        if former is None:
            return
        expected = self._long_answer(line, ask)
        if expected is None or not self._port_can(line, fast):
            return
        # A modem that does not answer at this speed cannot be reached until it restarts; then the note
        # prevents a second try.
        note = _Note(fast, former, failed=True)
        if not self._keep(note, line):
            return
        answer = ask(set_line_rate(fast))
        if answer is not None and not answer.ok:
            self._refused(line, f"the modem refuses {fast} baud")
            self._remove()
            return
        line.change_speed(fast)
        if not _proven(ask):
            self._failed(line, "the modem does not answer")
            return  # the next command fails, and lpad then tries all possible speeds
        if line.speed != fast:
            self._failed(line, "the modem does not answer")
        elif any(ask(_LONG) != expected for _ in range(2)):
            self._failed(line, f"a line of {len(_LONG.text)} characters was lost")
        else:
            self._is_proven = True
            self._note = replace(note, failed=False)
            self._file.write(self._note, synced=True, name_synced=True)
            _log.info("%s: the line is at %d baud", line.name, fast)
            return
        self._restore(line, ask)

    def _long_answer(self, line: Line, ask: Ask) -> AtAnswer | None:
        """Return the answer to a long AT line at the usual speed; None if the modem does not answer."""
        answer = ask(_LONG)
        if answer is None and _proven(ask):
            self._refused(line, f"the modem does not answer a line of {len(_LONG.text)} characters")
        return answer

    def _port_can(self, line: Line, fast: int) -> bool:
        can = line.change_speed(fast)
        line.change_speed(self._usual)
        if not can:
            self._refused(line, f"this port does not support {fast} baud")
        return can

    def _former(self, line: Line, ask: Ask, fast: int) -> int | None:
        """Return the speed to restore later; None if it is unclear, or the fast speed is not offered."""
        offered = ask(line_rates())
        if offered is None:
            return None
        if not offered.ok or not offers_line_rate(offered, fast):
            self._refused(line, f"the modem does not offer {fast} baud")
            return None
        present = ask(line_rate())
        if present is None:
            return None
        former = line_rate_told(present) if present.ok else None
        if former not in (AUTOMATIC, self._usual):
            self._refused(line, f"the modem's AT+IPR? does not report the {self._usual} baud of this port")
            return None
        return former

    def _may_raise(self, line: Line, fast: int) -> bool:
        if self._is_refused or (self._note is not None and self._note.failed and self._note.fast == fast):
            return False
        if not line.is_serial:
            self._refused(line, "the port is not known to be a serial line, and other ports ignore the speed")
            return False
        return True

    def _refused(self, line: Line, why: str) -> None:
        self._is_refused = True
        _log.warning("%s: the modem stays at %d baud, because %s", line.name, self._usual, why)

    def _failed(self, line: Line, why: str) -> None:
        """Remember on disk that the fast speed does not work."""
        note = self._note
        assert note is not None
        self._is_proven = False
        _log.warning(
            "%s: %s at %d baud; lpad uses %d baud until 'fast_baud' has another value, or the file %s is"
            " removed",
            line.name,
            why,
            note.fast,
            self._usual,
            self._file.path,
        )
        self._keep(replace(note, failed=True), line)

    @property
    def _raised(self) -> _Note | None:
        return self._note if self._note is not None and self._note.raised else None

    def _keep(self, note: _Note, line: Line) -> bool:
        """Write the note about the speed to disk; return whether this succeeded."""
        if not self._file.write(note, synced=True, name_synced=True):
            _log.warning("%s: stays at %d baud, because the speed cannot be noted", line.name, self._usual)
            if self._raised is None:
                self._file.remove()
                return False
            self._note = note
            return False
        self._note = note
        return True

    def _forget(self, line: Line) -> None:
        """Note that the usual speed is restored."""
        note = self._note
        if note is not None and note.failed:
            self._keep(replace(note, raised=False), line)
        else:
            self._remove()

    def _remove(self) -> None:
        self._note = None
        self._file.remove()


def _proven(ask: Ask) -> bool:
    """Return whether the modem answers; the second try is made at every possible speed."""
    return any((answer := ask(_HARMLESS)) is not None and answer.ok for _ in range(2))
