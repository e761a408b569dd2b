"""A modem's AT port: one command at a time, each with its time limit, and refusals as errors."""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError, CardMalformed, CardUnreachable
from lpad.card.modem.cme_errors import refusal_of
from lpad.card.quirks.quirks import AtTimeouts
from lpad.protocol.at_dialogue import AtCommand, AtDialogue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpad.card.modem.serial_line_speed import LineSpeed
    from lpad.card.port.serial_line import Line
    from lpad.protocol.at_dialogue import AtAnswer

_log = logging.getLogger(__name__)

_NOW = Deadline(0.0)
_UNSOLICITED_KEPT = 64
_REPORTS = ("+CREG:", "+CGREG:", "+CEREG:", "+C5GREG:", "+CGEV:", "NO CARRIER")
"""The beginnings of unsolicited lines about the registration and the contexts (3GPP TS 27.007, 10.1)."""


class AtPort:
    """The AT port behind a serial line that only this object uses."""

    def __init__(
        self, line: Line, *, patience: AtTimeouts | None = None, speed: LineSpeed | None = None
    ) -> None:
        """Use a serial line; nothing is sent before the first command.

        Args:
            patience: the time limits; None: the defaults.
            speed: raises and restores the line's speed; None: the speed stays as it is.
        """
        self._line = line
        self._speed = speed
        self._dialogue = AtDialogue()
        self._introduced = False
        self._heard: deque[str] = deque(maxlen=_UNSOLICITED_KEPT)
        self._reported = False
        self.patience = patience or AtTimeouts()

    @property
    def name(self) -> str:
        """The port's name in errors."""
        return self._line.name

    def ask(self, command: AtCommand, *, patience: float, deadline: Deadline) -> AtAnswer:
        """Send a command once and return its answer; raise an error unless the result is OK.

        Args:
            patience: the maximum number of seconds to wait for the answer after the command was sent.
            deadline: for the whole call, even if `patience` seconds have not passed.

        Raises:
            CardUnreachable: no answer in time, the port is gone, or the modem refuses (LinkRefused).
            CardBusy: the SIM is busy.
            CardMalformed: OK without the requested information.
        """
        answer = self.converse(command, patience=patience, deadline=deadline)
        if not answer.ok:
            raise refusal_of(answer, attempted=f"{_name(command)} at {self._line.name}")
        return answer

    def converse(self, command: AtCommand, *, patience: float, deadline: Deadline) -> AtAnswer:
        """Send a command once and return its answer, whatever the final result.

        Raises:
            CardUnreachable: no answer in time, or the port is gone.
            CardMalformed: OK without the requested information.
        """
        self._introduce(deadline=deadline)
        return self._converse(command, patience=patience, deadline=deadline)

    def forget_unsolicited(self) -> None:
        """Forget the unsolicited lines so far; `wait_for` considers only later ones."""
        self._heard.clear()

    def wait_for(self, beginnings: Sequence[str], *, deadline: Deadline) -> str | None:
        """Wait for an unsolicited line, or return one received since `forget_unsolicited`.

        Args:
            beginnings: the possible beginnings of the line, such as "+QUSIM".

        Returns:
            The line; None if none came in time.

        Raises:
            CardUnreachable: the port is gone.
        """
        awaited = tuple(each.upper() for each in beginnings)
        while True:
            while self._heard:
                line = self._heard.popleft()
                if line.upper().startswith(awaited):
                    return line
            data = self._line.read(deadline=deadline)
            if not data:
                return None
            self._dialogue.receive(data)
            self._set_unsolicited_aside()

    def fileno(self) -> int:
        """Return the port's descriptor, to wait for unsolicited lines.

        Raises:
            CardUnreachable: the port is closed.
        """
        return self._line.fileno()

    @property
    def reported(self) -> bool:
        """Whether a line among the answers reported on the data connection; `hear` then returns True."""
        return self._reported

    def hear(self, *, deadline: Deadline) -> bool:
        """Read unsolicited lines; return whether one reported on the data connection since the last call.

        Raises:
            CardUnreachable: the port is gone.
        """
        self._drain(deadline=deadline)
        reported, self._reported = self._reported, False
        return reported

    def close(self) -> None:
        """Release the port; a faster speed stays until `PortReturn` restores it."""
        self._line.close()

    def _introduce(self, *, deadline: Deadline) -> None:
        """Switch echo off and +CMEE on, once per opened port; the modem may refuse either.

        Echo would double the characters on the serial line. Without +CMEE a modem answers ERROR without a
        reason, and a busy SIM would look like a missing one.
        """
        speed = self._speed
        if self._introduced:
            if speed is not None and speed.doubted:
                self._drain(deadline=deadline)
                self._get_in_step(deadline=deadline)
                self._settle(speed, deadline=deadline)
            return
        if speed is not None:
            speed.begin(self._line)
            if len(speed.candidates(self._line)) > 1:
                self._dialogue.distrust()  # so that the next command tries all speeds
        for text in ("ATE0", "AT+CMEE=1"):
            answer = self._converse(AtCommand(text), patience=self.patience.information, deadline=deadline)
            if not answer.ok:
                _log.debug("%s: %s refused", self._line.name, text)
        if speed is not None:
            self._settle(speed, deadline=deadline)
        self._introduced = True

    def _settle(self, speed: LineSpeed, *, deadline: Deadline) -> None:
        def ask(command: AtCommand) -> AtAnswer | None:
            return self._tried(command, deadline=deadline)

        speed.settle(self._line, ask)

    def _tried(self, command: AtCommand, *, deadline: Deadline) -> AtAnswer | None:
        """Send a command to a modem that may be at a different speed; return None if no answer came.

        Raises:
            CardUnreachable: no time is left.
        """
        try:
            return self._converse(command, patience=self.patience.information, deadline=deadline)
        except (CardUnreachable, CardMalformed) as error:
            if deadline.passed:
                raise
            _log.debug("%s", error)
            return None

    def _converse(self, command: AtCommand, *, patience: float, deadline: Deadline) -> AtAnswer:
        """Send a command and return its answer, whatever the final result."""
        self._drain(deadline=deadline)
        self._get_in_step(deadline=deadline)
        if deadline.passed:
            raise CardUnreachable(
                f"cannot send {_name(command)} to {self._line.name}: no time was left; try again"
            )
        dialogue = self._dialogue
        asked = time.monotonic()
        until = deadline.within(patience)
        try:
            self._line.write(dialogue.ask(command), deadline=until)
            while dialogue.answer is None:
                data = self._line.read(deadline=until)
                if not data:
                    self._doubt(asked=asked, patience=patience)
                    raise self._mute(command)
                dialogue.receive(data)
                if dialogue.lone_ok:
                    # The input is either a leftover of an earlier answer or the whole answer, so do not wait
                    # without limit.
                    until = until.within(self.patience.information)
        finally:
            if dialogue.answer is None:
                dialogue.give_up()
        self._set_unsolicited_aside()
        return dialogue.answer

    def _doubt(self, *, asked: float, patience: float) -> None:
        """Doubt the speed if a command was not answered, unless the caller left the modem no time."""
        enough = min(patience, self.patience.information)
        if self._speed is not None and self._introduced and time.monotonic() - asked >= enough:
            self._speed.doubt(self._line)

    def _drain(self, *, deadline: Deadline) -> None:
        """Read the input since the last command: unsolicited lines, or a late answer to discard."""
        while not deadline.passed and (data := self._line.read(deadline=_NOW)):
            self._dialogue.receive(data)
        self._set_unsolicited_aside()

    def _get_in_step(self, *, deadline: Deadline) -> None:
        """Make sure that the next answer does not belong to an abandoned command."""
        dialogue = self._dialogue
        if dialogue.in_step:
            return
        _log.debug("%s: resynchronizing after a command without an answer", self._line.name)
        present = self._line.speed
        speeds: dict[int, float | None] = {present: None}
        if self._speed is not None:
            speeds = self._speed.candidates(self._line)
        for place, (speed, seconds) in enumerate(speeds.items()):
            if speed != self._line.speed and not self._line.change_speed(speed):
                continue
            limit = self.patience.information if seconds is None else seconds
            left = len(speeds) - place
            if left > 1:  # leave time for the other speeds
                remaining = deadline.remaining()
                limit = min(limit, max(remaining / left, remaining - (left - 1) * self.patience.information))
            if self._probe(deadline=deadline.within(limit), after_noise=speed != present):
                return
        if self._line.speed != present:
            self._line.change_speed(present)
        raise CardUnreachable(
            f"the modem at {self._line.name} still does not answer; it may be busy with an earlier"
            " command: try again later, or reset the modem"
        )

    def _probe(self, *, deadline: Deadline, after_noise: bool) -> bool:
        """Send the probe, and wait until it is answered or the deadline has passed.

        Args:
            after_noise: whether the modem may have received characters at a different speed; a line end
                separates them from the probe.

        Returns:
            Whether the dialogue is in step.
        """
        dialogue, until = self._dialogue, deadline
        try:
            self._line.write((b"\r" if after_noise else b"") + dialogue.probe(), deadline=until)
            while not dialogue.in_step:
                data = self._line.read(deadline=until)
                if not data:
                    break
                dialogue.receive(data)
        finally:
            if not dialogue.in_step:
                dialogue.give_up()
        self._set_unsolicited_aside()
        return dialogue.in_step

    def _set_unsolicited_aside(self) -> None:
        for line in self._dialogue.unsolicited():
            self._heard.append(line)
            self._reported = self._reported or line.upper().startswith(_REPORTS)
            # The log gets only the code's name, because the rest of the line may be a number, a text
            # message or an identifier.
            _log.debug("%s: unsolicited %s", self._line.name, line.partition(":")[0][:20])

    def _mute(self, command: AtCommand) -> CardError:
        name = _name(command)
        if self._dialogue.lone_ok:
            return CardMalformed(
                f"{name} at {self._line.name}: the modem answered OK, but without the result; reset the modem"
                " if this persists"
            )
        return CardUnreachable(
            f"{name} at {self._line.name}: the modem did not answer in time; try again, or reset the modem"
        )


def _name(command: AtCommand) -> str:
    """Return the command without its parameters, because an APDU may contain secrets."""
    return command.text.partition("=")[0]
