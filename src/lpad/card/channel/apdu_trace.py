"""The APDU trace: every command and answer at a separate log level, below DEBUG.

Payloads contain EIDs, ICCIDs, matching IDs and signatures, so by default the trace shows only headers, tags,
lengths and status words.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from lpad.base.log.trace_level import TRACE, payloads_shown
from lpad.base.log.unmasked_apdu_record import record, recording

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.card.link.link import RawCard
    from lpad.protocol.apdu import Apdu

_SELECT = 0xA4
_ES10 = 0xBF
"""The first byte of nearly all tags in SGP.22."""

_log = logging.getLogger("lpad.card.apdu")


class TracedCard:
    """A raw card that logs its commands and answers."""

    def __init__(self, card: RawCard, *, name: str, unredacted: bool = False) -> None:
        """Wrap a card.

        Args:
            name: prefix of each line, such as the port.
            unredacted: whether payloads are shown regardless of the log's settings; they identify the
                subscriber.
        """
        self._card = card
        self._name = name
        self._always_whole = unredacted

    def transmit(self, apdu: Apdu, *, deadline: Deadline) -> bytes:
        """Pass a command on (see `RawCard`)."""
        traced = _log.isEnabledFor(TRACE)
        if not traced and not recording():
            return self._card.transmit(apdu, deadline=deadline)
        if traced:
            _log.log(TRACE, "%s > %s", self._name, self._command(apdu))
        started = time.monotonic()
        answer: bytes | None = None
        try:
            answer = self._card.transmit(apdu, deadline=deadline)
        except Exception as error:
            if traced:
                _log.log(TRACE, "%s ! %s", self._name, type(error).__name__)
            raise
        finally:
            took = time.monotonic() - started
            record(self._name, apdu, answer, seconds=took)
        if traced:
            _log.log(TRACE, "%s < %s (%.0f ms)", self._name, self._answer(answer), took * 1000)
        return answer

    @property
    def _unredacted(self) -> bool:
        return self._always_whole or payloads_shown()

    def _command(self, apdu: bytes) -> str:
        # SELECT contains the name of an application, which is not a secret.
        if self._unredacted or len(apdu) <= 5 or apdu[1] == _SELECT:
            return apdu.hex().upper()
        return f"{apdu[:5].hex().upper()} {_outline(apdu[5:])}"

    def _answer(self, answer: bytes) -> str:
        if self._unredacted or len(answer) <= 3:  # at most a channel number
            return answer.hex().upper()
        return f"{_outline(answer[:-2])} {answer[-2:].hex().upper()}"


def _outline(data: bytes) -> str:
    """Return the leading tag and the length of a payload, never its content.

    Later blocks begin in the middle of a command, so a tag is shown only if it looks like a tag of ES10.
    """
    tag = f"{data[:2].hex().upper()}… " if data[0] == _ES10 else ""
    return f"[{tag}{len(data)} bytes]"
