"""A card that answers as a recorded one did: a vendor's bug as a test, without the card.

What it replays is an APDU record (`log: {apdus: FILE}`). Equal commands in the same order get equal
answers. A command with other content, as each session's signatures are, gets the answer of the next of
its kind: same instruction and parameters, same first tag. Commands that concern only the way to the card
(channels, SELECT, TERMINAL CAPABILITY) are answered well where the record has none: a modem may have done
them itself, or refused them. Any other command that was never answered gets no answer again; one that was
answered once is not left without: a modem may have been on its way out.
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
    """A command and what came of it; None: nothing, as when a card loses its power."""

    command: bytes
    answer: bytes | None
    at: float = 0.0
    """Seconds since 1970 when the command was sent."""


class ReplayedCard:
    """A card for a simulated modem or reader."""

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        """Take what is to be replayed, oldest first."""
        self._exchanges = tuple(exchanges)
        self._next = 0
        self.unheard = 0
        """How many commands the record had no answer for."""

    @classmethod
    def read(cls, path: Path, *, euicc: str | None = None) -> ReplayedCard:
        """Read an APDU record.

        Args:
            path: the file.
            euicc: the card's name in the daemon's settings; needed where there are several.

        Raises:
            InvalidValue: it can't be read, is no APDU record, or holds several cards, or none such.
        """
        found = read_record(path)
        names = ", ".join(found) or "none"
        if euicc is None and len(found) != 1:
            raise InvalidValue(f"{path} holds the cards: {names}; say which one is to be replayed")
        if euicc is not None and euicc not in found:
            raise InvalidValue(f"{path} has nothing of '{euicc}'; it holds the cards: {names}")
        return cls(found[euicc] if euicc is not None else next(iter(found.values())))

    def reset(self) -> bytes:
        """Return an answer to reset; the record goes on where it was."""
        return ANSWER_TO_RESET

    def transmit(self, apdu: bytes) -> bytes:
        """Return what the recorded card answered.

        Raises:
            CardUnreachable: it did not.
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
        """Return the next exchange that fits, from where the record stands, then from its beginning."""
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
    """Return what an APDU record holds, by the cards' names.

    Raises:
        InvalidValue: it can't be read, or is no APDU record.
    """
    found: dict[str, list[Exchange]] = {}
    try:
        with path.open(encoding="utf-8") as lines:
            entries = [json.loads(line) for line in lines if line.strip()]
        for name, exchange in _by_card(entries):
            found.setdefault(name, []).append(exchange)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        told = error.strerror if isinstance(error, OSError) else f"it is no APDU record ({error})"
        raise InvalidValue(f"can't read the APDUs in {path}: {told}") from error
    return found


def _by_card(entries: list[dict[str, Any]]) -> Iterator[tuple[str, Exchange]]:
    """Yield the exchanges; what was exchanged before a card had its turn is told by where it was."""
    names: dict[str, str] = {}
    for entry in entries:
        if entry.get("euicc") is not None:
            names.setdefault(entry["where"], entry["euicc"])
    for entry in entries:
        yield entry.get("euicc") or names.get(entry["where"]) or str(entry["where"]), _exchange(entry)


def _exchange(entry: dict[str, Any]) -> Exchange:
    command, answer = entry["command"], entry["answer"]
    if not isinstance(command, str) or len(command) < 8:
        raise ValueError("a command has 4 bytes at least")
    at = float(entry.get("at", 0))
    return Exchange(bytes.fromhex(command), None if answer is None else bytes.fromhex(answer), at)


def _same(one: bytes, other: bytes) -> bool:
    """Whether two commands differ in their channel at most, or in a length that is expected."""
    return one[1:] == other[1:] and _class(one) == _class(other)


def _alike(one: bytes, other: bytes) -> bool:
    return one[1:4] == other[1:4] and _tag(one) == _tag(other)


def _class(apdu: bytes) -> int:
    channel = channel_of(apdu[0])
    return apdu[0] & (0xB0 if channel >= 4 else 0xFC)


def _tag(apdu: bytes) -> bytes:
    """The tag that a STORE DATA begins with; nothing where it goes on with one."""
    return apdu[5:7] if apdu[1] == _STORE_DATA and apdu[3] == 0 else b""


def _of_the_way(apdu: bytes) -> bool:
    return apdu[1] in (_MANAGE_CHANNEL, _SELECT, _TERMINAL_CAPABILITY, _STATUS)
