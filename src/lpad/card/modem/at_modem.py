"""A modem on an AT port: one command at a time, each with its patience, and refusals as sentences."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError, CardMalformed, CardUnreachable, InvalidValue
from lpad.base.identifiers import Imei
from lpad.card.modem.refusals import refusal_of
from lpad.card.port.link_refused import LinkRefused
from lpad.card.quirks.quirks import AtTimeouts
from lpad.protocol import at_commands
from lpad.protocol.at_dialogue import AtCommand, AtDialogue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpad.card.port.serial_line import Line
    from lpad.protocol.at_dialogue import AtAnswer

_log = logging.getLogger(__name__)

_NOW = Deadline(0.0)
_UNSOLICITED_KEPT = 64


class AtModem:
    """A modem in dialogue over a line that nobody else uses."""

    def __init__(self, line: Line, *, patience: AtTimeouts | None = None) -> None:
        """Take a line; nothing is sent before the first command.

        Args:
            line: an open port.
            patience: how long to wait for answers.
        """
        self._line = line
        self._dialogue = AtDialogue()
        self._introduced = False
        self._heard: deque[str] = deque(maxlen=_UNSOLICITED_KEPT)
        self.patience = patience or AtTimeouts()

    def ask(self, command: AtCommand, *, patience: float, deadline: Deadline) -> AtAnswer:
        """Send a command once and return its answer, which is OK.

        Args:
            command: what to ask.
            patience: seconds to wait for the answer at most, once the command is sent.
            deadline: of the whole; the earlier of the two holds.

        Raises:
            CardUnreachable: no answer in time, the port is gone, or the modem refuses (LinkRefused).
            CardBusy: the SIM is busy.
            CardMalformed: OK without the information that it should bring.
        """
        answer = self.converse(command, patience=patience, deadline=deadline)
        if not answer.ok:
            raise refusal_of(answer, attempted=f"{_name(command)} at {self._line.name}")
        return answer

    def converse(self, command: AtCommand, *, patience: float, deadline: Deadline) -> AtAnswer:
        """Send a command once and return its answer, whatever its final result is.

        Raises:
            CardUnreachable: no answer in time, or the port is gone.
            CardMalformed: OK without the information that it should bring.
        """
        self._introduce(deadline=deadline)
        return self._converse(command, patience=patience, deadline=deadline)

    def imei(self, *, deadline: Deadline) -> Imei | None:
        """Return the modem's IMEI, or None where it tells none that is valid.

        Raises:
            CardUnreachable: no answer in time, or the port is gone.
        """
        try:
            answer = self.ask(at_commands.cgsn(), patience=self.patience.information, deadline=deadline)
            return Imei.parse(answer.lines[0].strip('"'))
        except (LinkRefused, CardMalformed, InvalidValue) as error:
            _log.warning(
                "%s: the modem's IMEI is unknown: %s; you can give it in the settings", self._line.name, error
            )
            return None

    def forget_unsolicited(self) -> None:
        """Forget what the modem has said of its own accord so far; `wait_for` counts from here."""
        self._heard.clear()

    def wait_for(self, beginnings: Sequence[str], *, deadline: Deadline) -> str | None:
        """Return what the modem says of its own accord, or has said since `forget_unsolicited`.

        Args:
            beginnings: how the line begins that is waited for, such as "+QUSIM".
            deadline: when to give up.

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

    def close(self) -> None:
        """Release the port."""
        self._line.close()

    def _introduce(self, *, deadline: Deadline) -> None:
        """Set the modem up, once per opened port; each of the two may be refused.

        Echo would double the characters on the line. Without +CMEE a modem says ERROR and not why, and a
        SIM that is busy could not be told from one that is gone.
        """
        if self._introduced:
            return
        for text in ("ATE0", "AT+CMEE=1"):
            answer = self._converse(AtCommand(text), patience=self.patience.information, deadline=deadline)
            if not answer.ok:
                _log.debug("%s: %s refused", self._line.name, text)
        self._introduced = True

    def _converse(self, command: AtCommand, *, patience: float, deadline: Deadline) -> AtAnswer:
        """Send a command and wait for its final result, whatever it is."""
        self._drain(deadline=deadline)
        self._get_in_step(deadline=deadline)
        if deadline.passed:
            raise CardUnreachable(
                f"cannot send {_name(command)} to {self._line.name}: no time was left; try again"
            )
        dialogue = self._dialogue
        until = deadline.within(patience)
        try:
            self._line.write(dialogue.ask(command), deadline=until)
            while dialogue.answer is None:
                data = self._line.read(deadline=until)
                if not data:
                    raise self._mute(command)
                dialogue.receive(data)
                if dialogue.lone_ok:
                    # A leftover, with the answer still to come; or all that comes: no need to wait for ever.
                    until = until.within(self.patience.information)
        finally:
            if dialogue.answer is None:
                dialogue.give_up()
        self._set_unsolicited_aside()
        return dialogue.answer

    def _drain(self, *, deadline: Deadline) -> None:
        """Take what has come since the last command: unsolicited lines, or a late answer to drop."""
        while not deadline.passed and (data := self._line.read(deadline=_NOW)):
            self._dialogue.receive(data)
        self._set_unsolicited_aside()

    def _get_in_step(self, *, deadline: Deadline) -> None:
        """Make sure that what comes next is not the answer to a command given up before."""
        dialogue = self._dialogue
        if dialogue.in_step:
            return
        _log.debug("%s: resynchronizing after a command without an answer", self._line.name)
        until = deadline.within(self.patience.information)
        try:
            self._line.write(dialogue.probe(), deadline=until)
            while not dialogue.in_step:
                data = self._line.read(deadline=until)
                if not data:
                    break
                dialogue.receive(data)
        finally:
            if not dialogue.in_step:
                dialogue.give_up()
        self._set_unsolicited_aside()
        if not dialogue.in_step:
            raise CardUnreachable(
                f"the modem at {self._line.name} still does not answer; it may be busy with an earlier"
                " command: try again later, or reset the modem"
            )

    def _set_unsolicited_aside(self) -> None:
        for line in self._dialogue.unsolicited():
            self._heard.append(line)
            # The name of the code only: what follows may be a number, a text message or an identifier.
            _log.debug("%s: unsolicited %s", self._line.name, line.partition(":")[0][:20])

    def _mute(self, command: AtCommand) -> CardError:
        name = _name(command)
        if self._dialogue.lone_ok:
            return CardMalformed(
                f"{name} at {self._line.name}: the modem answered OK, but without the result; reset the"
                " modem if this stays so"
            )
        return CardUnreachable(
            f"{name} at {self._line.name}: the modem did not answer in time; try again, or reset the modem"
        )


def _name(command: AtCommand) -> str:
    """Return the command without its parameters: an APDU may hold secrets."""
    return command.text.partition("=")[0]
