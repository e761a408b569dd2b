"""The delivery of answers: 61xx, 6Cxx, or immediately (ISO/IEC 7816-3, 10.3 and 7816-4, 5.3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lpad.simulator.euicc.chip.behaviour import Answers
from lpad.simulator.euicc.chip.status_word import Refusal, StatusWord

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.simulator.euicc.os.apdu import Command

_MORE, _WRONG_LE = 0x6100, 0x6C00


@dataclass(slots=True)
class _Rest:
    channel: int
    data: bytes
    repeated: bytes | None = None
    """The command (without Le) whose repetition fetches the answer; None: GET RESPONSE fetches it."""


class Answering:
    """Holds the answer that the terminal has not fetched yet; any other command discards it."""

    def __init__(self, answers: Answers, portion: int, closing_status: Callable[[], int]) -> None:
        """Create a delivery that holds no answer.

        Args:
            answers: how answers with data are delivered.
            portion: the maximum number of data bytes in one answer.
            closing_status: a function that returns the status word after the last byte, 9000 or 91xx.
        """
        self._answers = answers
        self._portion = portion
        self._closing_status = closing_status
        self._rest: _Rest | None = None

    def answer(self, command: Command, data: bytes) -> bytes:
        """Return the first answer to a command whose result is `data`."""
        if not data:
            return self._status(self._closing_status())
        if command.data and self._answers is Answers.FETCHED:
            self._rest = _Rest(command.channel, data)
            return self._more(data)
        first = min(len(data), self._portion)
        asked = command.le
        wrong = asked is not None and asked > first and asked != 256
        if wrong or (self._answers is Answers.CORRECTED and asked != first):
            self._rest = _Rest(command.channel, data, command.without_le)
            return self._status(_WRONG_LE | first & 0xFF)
        return self._portion_of(command.channel, data, asked)

    def repeated(self, command: Command) -> bytes | None:
        """Return the answer to a command that is repeated after 6Cxx; None: the command differs."""
        rest = self._rest
        if rest is None or rest.repeated != command.without_le or command.le is None:
            return None
        first = min(len(rest.data), self._portion)
        if command.le != first:
            return self._status(_WRONG_LE | first & 0xFF)
        return self._portion_of(rest.channel, rest.data, command.le)

    def get_response(self, command: Command) -> bytes:
        """Return the next portion.

        Raises:
            Refusal: nothing waits on this channel.
        """
        rest = self._rest
        if rest is None or rest.repeated is not None or rest.channel != command.channel:
            raise Refusal(StatusWord.CONDITIONS_NOT_SATISFIED, "no answer waits to be fetched")
        available = min(len(rest.data), self._portion)
        if command.le is not None and command.le > available and command.le != 256:
            return self._status(_WRONG_LE | available & 0xFF)
        return self._portion_of(rest.channel, rest.data, command.le)

    def forget(self) -> None:
        """Discard data that has not been fetched."""
        self._rest = None

    def _portion_of(self, channel: int, data: bytes, asked: int | None) -> bytes:
        """Return the largest possible portion of the data, and keep the remaining data."""
        length = min(asked or 256, self._portion, len(data))
        piece, left = data[:length], data[length:]
        if left:
            self._rest = _Rest(channel, left)
            return piece + self._more(left)
        self._rest = None
        return piece + self._status(self._closing_status())

    def _more(self, data: bytes) -> bytes:
        return self._status(_MORE | min(len(data), self._portion) & 0xFF)

    @staticmethod
    def _status(status: int) -> bytes:
        return status.to_bytes(2, "big")
