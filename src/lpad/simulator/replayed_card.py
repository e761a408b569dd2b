"""A card that answers like a recorded one, to test a vendor's bug without the card.

The card replays an APDU record (`log: {apdus: FILE}`). Equal commands in the same order get equal answers. A
command with other content, such as a new session's signatures, gets the next recorded answer to a command
with the same instruction, parameters and first tag. Commands that only concern the link (channels, SELECT,
TERMINAL CAPABILITY) succeed if the record lacks them, because a modem may have handled or refused them
itself. Any other recorded command that was never answered gets no answer, and a command unlike all recorded
ones gets 6985. A command that was answered at least once always gets an answer, because the modem may have
been restarting.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lpad.base.errors import CardUnreachable, InvalidValue
from lpad.protocol.apdu import channel_of
from lpad.simulator.euicc.chip.answer_to_reset import ANSWER_TO_RESET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_log = logging.getLogger(__name__)

_OK = bytes.fromhex("9000")
_NOT_NOW = bytes.fromhex("6985")
_MANAGE_CHANNEL, _SELECT, _STORE_DATA, _TERMINAL_CAPABILITY, _STATUS = 0x70, 0xA4, 0xE2, 0xAA, 0xF2


@dataclass(frozen=True, slots=True)
class Exchange:
    """A command and its answer; None: no answer, as when a card loses its power."""

    command: bytes
    answer: bytes | None
    at: float = 0.0
    """The time at which the command was sent, in seconds since 1970."""


class ReplayedCard:
    """A card for a simulated modem or reader."""

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        """Create a card that replays `exchanges`, oldest first."""
        self._exchanges = tuple(exchanges)
        self._next = 0
        self.unheard = 0
        """The number of commands that got 6985, because the record has nothing like them."""

    @classmethod
    def read(cls, path: Path, *, euicc: str | None = None) -> ReplayedCard:
        """Return a card that replays an APDU record.

        Args:
            path: the file.
            euicc: the card's name in the daemon's settings; needed if the record has several cards.

        Raises:
            InvalidValue: the file is not a readable APDU record, or `euicc` does not select one of its cards.
        """
        found = read_record(path)
        names = ", ".join(found) or "none"
        if euicc is None and len(found) != 1:
            raise InvalidValue(f"{path} contains several cards: {names}; select one by its name")
        if euicc is not None and euicc not in found:
            raise InvalidValue(f"{path} has no record of '{euicc}'; it contains the cards: {names}")
        return cls(found[euicc] if euicc is not None else next(iter(found.values())))

    def reset(self) -> bytes:
        """Return a standard answer to reset; the replay continues at its position in the record."""
        return ANSWER_TO_RESET

    def transmit(self, apdu: bytes) -> bytes:
        """Return the recorded card's answer.

        Raises:
            CardUnreachable: the recorded card did not answer.
        """
        index = self._find(lambda one: one.answer is not None and _same(one.command, apdu))
        if index is None and not _of_the_way(apdu):
            index = self._find(lambda one: _same(one.command, apdu))
        if index is None and not _of_the_way(apdu):
            index = self._find(lambda one: _alike(one.command, apdu))
        if index is None:
            return self._unrecorded(apdu)
        self._next = index + 1
        answer = self._exchanges[index].answer
        if answer is None:
            raise CardUnreachable("the recorded card did not answer here")
        return answer

    def _find(self, fits: Callable[[Exchange], bool]) -> int | None:
        """Return the index of the next matching exchange, or else of the first one; None if none matches."""
        count = len(self._exchanges)
        order = (*range(self._next, count), *range(self._next))
        return next((index for index in order if fits(self._exchanges[index])), None)

    def _unrecorded(self, apdu: bytes) -> bytes:
        if apdu[1] == _MANAGE_CHANNEL:
            return (b"\x01" if apdu[2] == 0 and apdu[3] == 0 else b"") + _OK
        if _of_the_way(apdu):
            return _OK
        self.unheard += 1
        _log.warning("nothing like %s was recorded", apdu[:7].hex().upper())
        return _NOT_NOW


def read_record(path: Path) -> dict[str, list[Exchange]]:
    """Return the exchanges of an APDU record, by the cards' names.

    Raises:
        InvalidValue: the file cannot be read, or is not an APDU record.
    """
    found: dict[str, list[Exchange]] = {}
    try:
        with path.open(encoding="utf-8") as lines:
            entries = [json.loads(line) for line in lines if line.strip()]
        for name, exchange in _by_card(entries):
            found.setdefault(name, []).append(exchange)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        told = error.strerror if isinstance(error, OSError) else f"it is not an APDU record ({error})"
        raise InvalidValue(f"cannot read the APDUs in {path}: {told}") from error
    return found


def _by_card(entries: list[dict[str, Any]]) -> Iterator[tuple[str, Exchange]]:
    """Yield the exchanges by card; those before a card's first name are assigned by their port."""
    names: dict[str, str] = {}
    for entry in entries:
        if entry.get("euicc") is not None:
            names.setdefault(entry["where"], entry["euicc"])
    for entry in entries:
        yield entry.get("euicc") or names.get(entry["where"]) or str(entry["where"]), _exchange(entry)


def _exchange(entry: dict[str, Any]) -> Exchange:
    command, answer = entry["command"], entry["answer"]
    if not isinstance(command, str) or len(command) < 8:
        raise ValueError("a command must have at least 4 bytes")
    at = float(entry.get("at", 0))
    return Exchange(bytes.fromhex(command), None if answer is None else bytes.fromhex(answer), at)


def _same(one: bytes, other: bytes) -> bool:
    """Return whether two commands differ at most in their channel."""
    return one[1:] == other[1:] and _class(one) == _class(other)


def _alike(one: bytes, other: bytes) -> bool:
    return one[1:4] == other[1:4] and _tag(one) == _tag(other)


def _class(apdu: bytes) -> int:
    channel = channel_of(apdu[0])
    return apdu[0] & (0xB0 if channel >= 4 else 0xFC)


def _tag(apdu: bytes) -> bytes:
    """Return the tag at the beginning of a STORE DATA; empty for any other command."""
    return apdu[5:7] if apdu[1] == _STORE_DATA and apdu[3] == 0 else b""


def _of_the_way(apdu: bytes) -> bool:
    return apdu[1] in (_MANAGE_CHANNEL, _SELECT, _TERMINAL_CAPABILITY, _STATUS)
