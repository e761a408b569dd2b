"""A note on disk while something in the modem is powered down, so that lpad powers it up even after a crash.

A process that dies between AT+CFUN=0 and AT+CFUN=1 would leave a gateway without its connection.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.errors import CardError
from lpad.base.expendable_file import ExpendableFile
from lpad.card.modem.modem_answer_types import Power

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lpad.base.deadline import Deadline
    from lpad.card.modem.modem import Modem

_log = logging.getLogger(__name__)


class PoweredDown:
    """The note for one modem: the commands that power its parts up again."""

    def __init__(self, path: Path | None) -> None:
        """Keep the note at `path`; None: only in memory."""
        self._file: ExpendableFile[tuple[str, ...]] = ExpendableFile(path, tuple[str, ...])
        self._up: tuple[str, ...] | None = None

    @property
    def up(self) -> tuple[str, ...]:
        """The commands or actions that power everything up again; empty if nothing is powered down."""
        if self._up is None:
            self._up = self._file.read() or ()
        return self._up

    def going_down(self, up: Sequence[str]) -> None:
        """Note on disk that something is about to be powered down, and which commands power it up."""
        self._up = tuple(up)
        self._file.write(self._up, synced=True)

    def is_up(self) -> None:
        """Note that everything is powered up."""
        self._up = ()
        self._file.remove()


def bring_up(modem: Modem, note: PoweredDown, *, deadline: Deadline) -> Power:
    """Power up everything that the note lists as down; without a note, send nothing.

    A refusal alone proves nothing: some modems refuse while they start, and some refuse a level that they
    already have. So lpad then asks the modem for its functionality level (3GPP TS 27.007, 8.2: +CFUN?).

    Returns:
        Whether everything is powered up; if not, or if this is unknown, the note stays.

    Raises:
        CardUnreachable: the modem does not answer; the note stays.
    """
    if not note.up:
        return Power.UP
    refused = [text for text in note.up if not _taken(modem, text, deadline=deadline)]
    power = modem.power(refused=refused, deadline=deadline) if refused else Power.UP
    if power is Power.UP:
        note.is_up()
    else:
        _log.warning(
            "the modem refused %s, and %s; lpad repeats the command",
            ", ".join(refused),
            "its radio is off" if power is Power.DOWN else "does not report whether its radio is on",
        )
    return power


def _taken(modem: Modem, text: str, *, deadline: Deadline) -> bool:
    """Send a power-up command; return whether the modem accepted it. A SIM error counts as a refusal."""
    try:
        return modem.take(text, deadline=deadline)
    except CardError as error:
        if "modem_error" not in error.details:
            raise
        _log.warning("%s", error)
        return False
