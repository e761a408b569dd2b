"""An ISD-R that gives prepared answers, in place of the channel that Euicc uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.deadline import Deadline
    from lpad.codec.es10_intents import Intent


class ScriptedIsdr:
    """Gives the prepared answers in order, raises those that are exceptions, and records commands."""

    def __init__(self, *answers: str | bytes | Exception, block_size: int = 120) -> None:
        self.sent: list[bytes] = []
        self.intents: list[Intent] = []
        self._answers = list(answers)
        self._block_size = block_size

    def command(
        self,
        data: bytes,
        *,
        intent: Intent,
        deadline: Deadline,
        on_block: Callable[[int], None] | None = None,
    ) -> bytes:
        self.sent.append(data)
        self.intents.append(intent)
        for start in range(0, len(data), self._block_size):
            if on_block is not None:
                on_block(min(start + self._block_size, len(data)))
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return bytes.fromhex(answer) if isinstance(answer, str) else answer
