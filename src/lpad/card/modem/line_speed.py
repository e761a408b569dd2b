"""The speed of a modem's serial line, which the settings may raise while lpad has the port (AT+IPR).

A modem keeps its speed when lpad is killed, and some keep it without power. A note on disk therefore precedes
each change, and as long as it is there, both speeds are tried.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated, Protocol

import msgspec
from msgspec import Struct

from lpad.base.expendable_file import ExpendableFile
from lpad.protocol.at_dialogue import AtCommand
from lpad.protocol.line_rate_commands import (
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

ANSWER = 1.0
"""Seconds that a modem may take to answer at a speed that is not certain."""
RESTORING = 5.0
"""Seconds for restoring the speed when the port is released."""
_HARMLESS = AtCommand("AT")
_Rate = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_RATE)]


class _Raised(Struct, frozen=True):
    """A change of the speed that has begun."""

    fast: _Rate
    former: _Rate
    """The speed to restore; `AUTOMATIC` if the modem finds it out itself."""


class Ask(Protocol):
    """Sends a command, and returns the answer, or None if the modem is silent or the port is gone."""

    def __call__(self, command: AtCommand, /) -> AtAnswer | None: ...  # noqa: D102 - see above


class LineSpeed:
    """The usual and the fast speed of one port; the object outlasts the open port."""

    def __init__(self, *, usual: int, fast: int | None = None, note: Path | None = None) -> None:
        """Prepare; nothing is sent.

        Args:
            usual: the speed at which the port is opened, in bits per second.
            fast: the speed to use while lpad has the port; None: the usual one.
            note: the file that names a speed that has to be restored; None: the speed is never raised.
        """
        self._usual = usual
        self._fast = None if note is None else fast
        self._file = ExpendableFile(note, _Raised)
        self._raised: _Raised | None = None
        self._read = False
        self._heard = False
        self._is_refused = False

    def begin(self, line: Line) -> None:
        """Begin with a newly opened port, at the noted speed if there is one.

        Raises:
            CardUnreachable: the port is gone.
        """
        self._heard = False
        raised = self._noted()
        if raised is not None:
            _log.info("%s: the modem may still be at %d baud", line.name, raised.fast)
            line.change_speed(raised.fast)

    def candidates(self, line: Line) -> tuple[int, ...]:
        """Return the speeds at which a silent modem may be, in bits per second, the present one first."""
        raised = self._noted()
        speeds = [line.speed]
        if raised is not None or not self._heard:
            speeds += [self._usual, self._fast or 0, 0 if raised is None else raised.fast]
        return tuple(speed for speed in dict.fromkeys(speeds) if speed)

    def settle(self, line: Line, ask: Ask) -> None:
        """Use the speed of the settings, once the modem has answered; a modem without it keeps the usual one.

        Raises:
            CardUnreachable: the port is gone.
        """
        self._heard = True
        if self._noted() is None and line.speed != self._usual:  # the note is lost, or in another folder
            self._keep(_Raised(line.speed, self._usual), line)
        raised = self._noted()
        if raised is not None and (raised.fast, line.speed) != (self._fast, self._fast):
            self.restore(line, ask)
        if self._noted() is None and self._fast is not None and not self._is_refused:
            self._raise(line, ask, self._fast)

    def restore(self, line: Line, ask: Ask) -> None:
        """Restore the former speed; if the modem does not confirm it, the note stays.

        Raises:
            CardUnreachable: the port is gone.
        """
        raised = self._noted()
        if raised is None:
            return
        if line.speed != self._usual:
            ask(set_line_rate(raised.former))
            line.change_speed(self._usual)
        if _proven(ask) and line.speed == self._usual:
            self._forget()
        else:
            _log.warning(
                "%s: the modem has not confirmed that its line is at %d baud again; lpad tries both speeds"
                " when it next opens the port",
                line.name,
                self._usual,
            )

    def _raise(self, line: Line, ask: Ask, fast: int) -> None:
        former = self._former(line, ask, fast)
        if former is None or not self._keep(_Raised(fast, former), line):
            return
        answer = ask(set_line_rate(fast))
        if answer is not None and not answer.ok:
            self._refused(line, f"it refuses {fast} baud")
            self._forget()
            return
        line.change_speed(fast)
        if not _proven(ask):
            return  # the next command fails, and the note stays
        if line.speed == fast:
            _log.info("%s: the line is at %d baud", line.name, fast)
            return
        self._refused(line, f"it does not answer at {fast} baud")
        if line.speed == self._usual:
            self._forget()

    def _former(self, line: Line, ask: Ask, fast: int) -> int | None:
        """Return the speed to restore later; None if the modem does not offer the fast one."""
        offered = ask(line_rates())
        if offered is None or not offered.ok or not offers_line_rate(offered, fast):
            self._refused(line, f"it does not offer {fast} baud")
            return None
        present = ask(line_rate())
        former = None if present is None or not present.ok else line_rate_told(present)
        if former not in (AUTOMATIC, self._usual):
            self._refused(line, f"its AT+IPR? does not report the {self._usual} baud of this port")
            return None
        return former

    def _refused(self, line: Line, why: str) -> None:
        self._is_refused = True
        _log.warning("%s: the modem stays at %d baud, because %s", line.name, self._usual, why)

    def _noted(self) -> _Raised | None:
        if not self._read:
            self._raised, self._read = self._file.read(), True
        return self._raised

    def _keep(self, raised: _Raised, line: Line) -> bool:
        """Note a speed on disk; return whether it is there."""
        self._file.write(raised, synced=True)
        if self._file.read() != raised:
            _log.warning("%s: stays at %d baud, because no other one can be noted", line.name, self._usual)
            return False
        self._raised = raised
        return True

    def _forget(self) -> None:
        self._raised = None
        self._file.remove()


def _proven(ask: Ask) -> bool:
    """Return whether the modem answers; the second try comes at each speed that is possible."""
    return any((answer := ask(_HARMLESS)) is not None and answer.ok for _ in range(2))
