r"""The dialogue with a modem over its AT port, as a state machine without I/O (ITU-T V.250, 3GPP TS 27.007).

The modem sends lines. The meaning of a line depends on the state of the dialogue; `_TRANSITIONS` is the
complete table.

When a deadline passes, the dialogue is out of step: the answer to the abandoned command may still arrive,
complete or in part, and must not be mistaken for the next command's answer. The final result of the abandoned
command brings the dialogue back into step, because a modem carries out one command at a time. If that result
is still missing when the next command is due, `probe()` sends a query with an unmistakable answer (+CMEE?),
and all results before that answer are discarded.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from lpad.base.errors import InternalError
from lpad.base.frozen import Frozen
from lpad.base.lazy_pattern import LazyPattern

if TYPE_CHECKING:
    from collections.abc import Callable

    _Action = Callable[["AtDialogue", str], None]

LONGEST_LINE = 8192
"""The maximum number of characters of a line, so that noise without line ends does not fill the memory."""
MOST_LINES = 512
"""The maximum number of lines that are kept of one answer, and of unread unsolicited lines."""

_LINE_END = LazyPattern(rb"[\r\n]")
_PROBE = "AT+CMEE?"


class AtCommand(Frozen):
    """A command line and the expected form of its answer."""

    text: str
    """The command without the line end."""
    prefix: str | None = None
    """The prefix of an information line, before the colon; None: no line with a prefix is expected."""
    bare: str | None = None
    """Pattern of a whole information line that some modems send without the prefix."""

    @property
    def informs(self) -> bool:
        """Whether the answer must contain an information line."""
        return self.prefix is not None or self.bare is not None


class AtAnswer(Struct, frozen=True):
    """A modem's answer: the information lines without prefix, and the final result."""

    lines: tuple[str, ...]
    final: str
    beside: tuple[str, ...] = ()
    """Complete lines that match the command's bare pattern, in an answer that also has lines with the
    prefix."""

    @property
    def ok(self) -> bool:
        """Whether the command succeeded."""
        return self.final.upper() == "OK"

    @property
    def error(self) -> str | None:
        """The number or text after +CME ERROR or +CMS ERROR; None for other results."""
        match = re.fullmatch(r"\+CM[ES] ERROR:?\s*(.*)", self.final, re.IGNORECASE)
        return None if match is None else match[1].strip().strip('"')


class State(Enum):
    """The state of the dialogue."""

    IDLE = auto()  # in step, no command is outstanding
    ASKED = auto()  # a command's final result is outstanding
    OUT_OF_STEP = auto()  # the final result of an abandoned command may be outstanding
    PROBING = auto()  # the probe's answer is outstanding, and perhaps the abandoned command's result
    PROBED = auto()  # the probe's information has arrived, the probe's final result is outstanding


class _Line(Enum):
    """The kinds of lines."""

    ECHO = auto()  # the command itself
    INFORMATION = auto()  # the requested information
    BARE = auto()  # the information without its prefix, or a line that looks like it
    OK = auto()
    REFUSED = auto()
    CALL_ENDED = auto()
    OTHER = auto()  # unsolicited, or the remains of an earlier answer


_RESULTS = tuple(
    (LazyPattern(pattern, re.IGNORECASE), kind)
    for pattern, kind in (
        (r"OK", _Line.OK),
        (r"ERROR|\+CM[ES] ERROR:?.*", _Line.REFUSED),
        (r"COMMAND NOT SUPPORT(?:ED)?|TOO MANY PARAMETERS|ABORTED", _Line.REFUSED),
        # These results of calls end a command, but a modem also sends them unsolicited when a data call ends.
        (r"NO CARRIER|NO DIAL ?TONE|NO ANSWER|BUSY", _Line.CALL_ENDED),
    )
)


class AtDialogue:
    """One modem's dialogue: call `ask` or `probe`, write the returned bytes, pass all input to `receive`."""

    def __init__(self) -> None:
        """Create a dialogue that is in step and has no command."""
        self.state = State.IDLE
        self.answer: AtAnswer | None = None
        """The complete answer to the last command; None until it has arrived."""
        self.lone_ok = False
        """Whether OK came without the expected information: a leftover, or the modem's whole answer."""
        self._command = AtCommand("")
        self._unfinished = bytearray()
        self._overlong = False
        self._begun_before = False
        self._lines: list[str] = []
        self._bare: list[str] = []
        self._unsolicited: list[str] = []
        self._finals = 0

    @property
    def in_step(self) -> bool:
        """Whether a command may be sent."""
        return self.state is State.IDLE

    def ask(self, command: AtCommand) -> bytes:
        """Return the bytes to write for a command.

        Raises:
            InternalError: another command is in progress, or the dialogue is out of step.
        """
        if self.state is not State.IDLE:
            raise InternalError(f"an AT command was sent in state {self.state.name}")
        self._begin(command)
        self.state = State.ASKED
        return command.text.encode("ascii") + b"\r"

    def distrust(self) -> None:
        """Treat the dialogue as out of step, so that a probe precedes the next command."""
        if self.state is State.IDLE:
            self.state = State.OUT_OF_STEP

    def give_up(self) -> None:
        """Abandon the current command or probe, because its deadline has passed."""
        if self.state is State.ASKED:
            self.state = State.OUT_OF_STEP
            return
        if self.state in (State.PROBING, State.PROBED):
            # A final result came after the probe was sent, and then nothing. If it was the old command's
            # result, the modem has lost the probe; if it was the probe's refusal, the old command's answer
            # will never come, because a modem carries out one command at a time. Either way, no answer is
            # outstanding.
            settled = self.state is State.PROBED or self._finals
            self.state = State.IDLE if settled else State.OUT_OF_STEP

    def probe(self) -> bytes:
        """Return the bytes to write to bring the dialogue back into step.

        Raises:
            InternalError: the dialogue is in step, or a command or probe is in progress.
        """
        if self.state is not State.OUT_OF_STEP:
            raise InternalError(f"an AT probe was sent in state {self.state.name}")
        self._begin(AtCommand(_PROBE, prefix="+CMEE"))
        self.state = State.PROBING
        return _PROBE.encode("ascii") + b"\r"

    def receive(self, data: bytes) -> None:
        """Process received bytes in portions of any size; never raises."""
        self._unfinished += data
        *whole, rest = _LINE_END.split(bytes(self._unfinished))
        for raw in whole:
            if self._overlong or self._begun_before or len(raw) > LONGEST_LINE:
                self._overlong = self._begun_before = False
                continue
            line = raw.decode("ascii", "replace").strip(" \t\0")
            if line:
                self._take(line)
        if len(rest) > LONGEST_LINE or (self._overlong and not whole):
            self._overlong = True
            rest = b""
        self._unfinished = bytearray(rest)

    def unsolicited(self) -> tuple[str, ...]:
        """Return the lines received since the previous call that belong to no answer."""
        taken = tuple(self._unsolicited)
        self._unsolicited.clear()
        return taken

    def _begin(self, command: AtCommand) -> None:
        self._command = command
        self.answer = None
        self._forget()
        self._finals = 0
        # A line that began before the command was sent cannot answer it.
        self._begun_before = bool(self._unfinished)

    def _forget(self) -> None:
        self._lines.clear()
        self._bare.clear()
        self.lone_ok = False

    def _take(self, line: str) -> None:
        action, state = self._TRANSITIONS[self.state, self._kind(line)]
        self.state = state
        if action is not None:
            action(self, line)

    def _kind(self, line: str) -> _Line:
        command = self._command
        for pattern, kind in _RESULTS:
            if pattern.fullmatch(line):
                return kind
        if line.upper() == command.text.upper():
            return _Line.ECHO
        if command.prefix is not None and line.upper().startswith(command.prefix.upper() + ":"):
            return _Line.INFORMATION
        if command.bare is not None and re.fullmatch(command.bare, line):
            return _Line.BARE
        return _Line.OTHER

    def _note(self, line: str) -> None:
        if len(self._unsolicited) < MOST_LINES:
            self._unsolicited.append(line)

    def _echoed(self, _: str) -> None:
        # The modem echoes a command when it reads it, so the lines before belong to an earlier command.
        self._forget()

    def _inform(self, line: str) -> None:
        if len(self._lines) < MOST_LINES:
            assert self._command.prefix is not None
            self._lines.append(line[len(self._command.prefix) + 1 :].strip())

    def _inform_bare(self, line: str) -> None:
        if len(self._bare) < MOST_LINES:
            self._bare.append(line)

    def _succeed(self, line: str) -> None:
        if self._command.informs and not (self._lines or self._bare):
            # This OK is most likely left over from an earlier command, so the real answer will follow.
            self.lone_ok = True
            self.state = State.ASKED
            return
        self._end(line)

    def _end(self, line: str) -> None:
        # A line with the prefix takes precedence over one that only looks like an answer, such as a torn
        # echo.
        beside = tuple(self._bare) if self._lines else ()
        self.answer = AtAnswer(tuple(self._lines or self._bare), line, beside)

    def _count(self, _: str) -> None:
        self._finals += 1
        if self._finals == 2:  # the results of the abandoned command and of the probe, in any form
            self.state = State.IDLE

    # (state, line) -> (action, next state); the action may correct the state if the table alone
    # cannot determine it.
    _TRANSITIONS: ClassVar[dict[tuple[State, _Line], tuple[_Action | None, State]]] = {
        (State.IDLE, _Line.ECHO): (None, State.IDLE),
        (State.IDLE, _Line.INFORMATION): (_note, State.IDLE),
        (State.IDLE, _Line.BARE): (_note, State.IDLE),
        (State.IDLE, _Line.OK): (None, State.IDLE),
        (State.IDLE, _Line.REFUSED): (None, State.IDLE),
        (State.IDLE, _Line.CALL_ENDED): (_note, State.IDLE),
        (State.IDLE, _Line.OTHER): (_note, State.IDLE),
        (State.ASKED, _Line.ECHO): (_echoed, State.ASKED),
        (State.ASKED, _Line.INFORMATION): (_inform, State.ASKED),
        (State.ASKED, _Line.BARE): (_inform_bare, State.ASKED),
        (State.ASKED, _Line.OK): (_succeed, State.IDLE),
        (State.ASKED, _Line.REFUSED): (_end, State.IDLE),
        # The end of a call is a final result, but the real answer may follow if the line was unsolicited.
        (State.ASKED, _Line.CALL_ENDED): (_end, State.OUT_OF_STEP),
        (State.ASKED, _Line.OTHER): (_note, State.ASKED),
        (State.OUT_OF_STEP, _Line.ECHO): (None, State.OUT_OF_STEP),
        (State.OUT_OF_STEP, _Line.INFORMATION): (None, State.OUT_OF_STEP),
        (State.OUT_OF_STEP, _Line.BARE): (None, State.OUT_OF_STEP),
        (State.OUT_OF_STEP, _Line.OK): (None, State.IDLE),
        (State.OUT_OF_STEP, _Line.REFUSED): (None, State.IDLE),
        (State.OUT_OF_STEP, _Line.CALL_ENDED): (_note, State.OUT_OF_STEP),
        (State.OUT_OF_STEP, _Line.OTHER): (_note, State.OUT_OF_STEP),
        (State.PROBING, _Line.ECHO): (None, State.PROBING),
        (State.PROBING, _Line.INFORMATION): (None, State.PROBED),
        (State.PROBING, _Line.BARE): (None, State.PROBING),
        (State.PROBING, _Line.OK): (_count, State.PROBING),
        (State.PROBING, _Line.REFUSED): (_count, State.PROBING),
        (State.PROBING, _Line.CALL_ENDED): (_note, State.PROBING),
        (State.PROBING, _Line.OTHER): (_note, State.PROBING),
        (State.PROBED, _Line.ECHO): (None, State.PROBED),
        (State.PROBED, _Line.INFORMATION): (None, State.PROBED),
        (State.PROBED, _Line.BARE): (None, State.PROBED),
        (State.PROBED, _Line.OK): (None, State.IDLE),
        (State.PROBED, _Line.REFUSED): (None, State.IDLE),
        (State.PROBED, _Line.CALL_ENDED): (_note, State.PROBED),
        (State.PROBED, _Line.OTHER): (_note, State.PROBED),
    }
