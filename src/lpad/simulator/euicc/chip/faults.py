"""Faults of the card, added by tests: answers, status words, loss of power."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lpad.base.errors import CardUnreachable
from lpad.codec.asn1 import tlv

if TYPE_CHECKING:
    from collections.abc import Callable


class PowerLost(CardUnreachable):
    """The card has no power; nothing answers until it is reset."""


@dataclass(slots=True)
class _Fault:
    act: Callable[[bytes], bytes | int]
    times: int


@dataclass(slots=True)
class CardFaults:
    """Faults by the tag of the request (0xBF31 for EnableProfile), and by number of APDUs.

    As often as a fault requires, the card answers with the fault's answer or status word instead of carrying
    the function out; `corrupt` alters the answer of a function that is carried out.
    """

    _by_tag: dict[int, _Fault] = field(default_factory=dict)
    _corrupt: dict[int, _Fault] = field(default_factory=dict)
    _apdus_left: int | None = None
    _executed: bool = False
    cat_busy: int = 0
    """The number of further switches and memory resets that are answered with catBusy."""

    def answer(self, tag: int, response: bytes, *, times: int = 1) -> None:
        """Make a function only answer `response`, a whole element, without carrying anything out."""
        self._by_tag[tag] = _Fault(lambda _request: response, times)

    def refuse(self, tag: int, code: int, *, times: int = 1) -> None:
        """Make a function that returns only a result (enable, disable, delete, …) answer with this code."""
        self.answer(tag, tlv.encode(tag, tlv.encode(0x80, bytes([code]))), times=times)

    def status(self, tag: int, status: int, *, times: int = 1) -> None:
        """Make a function do nothing, and answer with only this status word."""
        self._by_tag[tag] = _Fault(lambda _request: status, times)

    def corrupt(self, tag: int, change: Callable[[bytes], bytes | int], *, times: int = 1) -> None:
        """Let a function be carried out, but alter its answer with `change`."""
        self._corrupt[tag] = _Fault(change, times)

    def lose_power_after(self, apdus: int, *, executed: bool = False) -> None:
        """Lose power at the first APDU after `apdus` answered ones.

        Args:
            apdus: the number of APDUs that are still answered.
            executed: whether the unanswered APDU is carried out, so that only its answer is lost.
        """
        self._apdus_left = apdus
        self._executed = executed

    def before(self, tag: int, request: bytes) -> bytes | int | None:
        """Return the answer that replaces the function; None if no fault applies."""
        return _use(self._by_tag, tag, request)

    def after(self, tag: int, response: bytes) -> bytes | int:
        """Return the function's answer, altered if `corrupt` requires it."""
        changed = _use(self._corrupt, tag, response)
        return response if changed is None else changed

    def forget(self) -> None:
        """Remove the faults by tag; a loss of power and `cat_busy` remain."""
        self._by_tag.clear()
        self._corrupt.clear()

    def use_cat_busy(self) -> bool:
        """Count a switch or a memory reset; return whether it is answered with catBusy."""
        if self.cat_busy == 0:
            return False
        self.cat_busy -= 1
        return True

    def count_apdu(self) -> tuple[bool, bool]:
        """Count an APDU; return whether it is carried out, and whether it is answered."""
        if self._apdus_left is None:
            return True, True
        if self._apdus_left > 0:
            self._apdus_left -= 1
            return True, True
        self._apdus_left = None
        return self._executed, False


def _use(faults: dict[int, _Fault], tag: int, data: bytes) -> bytes | int | None:
    fault = faults.get(tag)
    if fault is None:
        return None
    fault.times -= 1
    if fault.times <= 0:
        del faults[tag]
    return fault.act(data)
