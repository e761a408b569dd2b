"""The channels that are open at the end of a log, found from the log without card and modem."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lpad.simulator.modem.commands import Card

_FINAL = re.compile(r"OK|ERROR|\+CM[ES] ERROR.*")
_POWER = re.compile(r"AT(\+CFUN=([04]|1,1)|#SIMDET=\d)")
_CARD_STARTED = "+QUSIM"
_MANAGE_CHANNEL = 0x70
_CLOSE = 0x80


def left_open_at(log: Iterable[str]) -> set[str]:
    """Return the channels that are open at the end of an AT log: handles of +CCHO, and channels of +CSIM."""
    opened: set[str] = set()
    for command, answer, final in _exchanges(log):
        if _CARD_STARTED in command or (_POWER.fullmatch(command) and final == "OK"):
            opened.clear()
        elif final != "OK":
            continue
        elif command.startswith("AT+CCHO="):
            opened.add("handle " + answer.removeprefix("+CCHO:").strip().strip('"'))
        elif command.startswith("AT+CCHC="):
            opened.discard("handle " + command.partition("=")[2].strip('"'))
        elif command.startswith("AT+CSIM="):
            sent, got = (bytes.fromhex(text.rpartition(",")[2].strip('" ')) for text in (command, answer))
            _manage(opened, sent, got)
    return opened


class ApduLog:
    """A card that logs its commands, its answers and its resets."""

    def __init__(self, card: Card) -> None:
        self._card = card
        self.log: list[tuple[bytes, bytes] | None] = []
        """Pairs of command and answer; None for a reset of the card."""

    def transmit(self, apdu: bytes) -> bytes:
        answer = self._card.transmit(apdu)
        self.log.append((apdu, answer))
        return answer

    def reset(self) -> bytes:
        self.log.append(None)
        return self._card.reset()

    def left_open(self) -> set[str]:
        """Return the channels that are open at the end of the log."""
        opened: set[str] = set()
        for entry in list(self.log):
            if entry is None:
                opened.clear()
            else:
                _manage(opened, *entry)
        return opened


def _manage(opened: set[str], sent: bytes, got: bytes) -> None:
    """Update the open channels if the command is MANAGE CHANNEL (ETSI TS 102 221, 11.1.17)."""
    if sent[1] != _MANAGE_CHANNEL or got[-2:] != b"\x90\x00":
        return
    if sent[2] == _CLOSE:
        opened.discard(f"channel {sent[3] or sent[0] & 3}")
    else:
        opened.add(f"channel {got[0]}")


def _exchanges(log: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield each AT command with the first line of its answer and its final result.

    A line that reports the card's start is yielded as a command without answer and result.
    """
    command, answer = "", ""
    for line in list(log):
        text = line[2:]
        if line.startswith("> "):
            command, answer = text, ""
        elif text.startswith(_CARD_STARTED):
            yield text, "", ""
        elif _FINAL.fullmatch(text):
            yield command, answer, text
            command = ""
        elif command and not answer:
            answer = text
