"""A port that delivers an answer and the modem's next message in one read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.deadline import Deadline


class OneRead:
    """Passes calls to a port; appends `extra` to the first read with a message for which `after` is true."""

    def __init__(self, port: Any, receiver: Any, *, after: Callable[[Any], bool], extra: bytes) -> None:
        self._port = port
        self._receiver = receiver
        self._after = after
        self._extra = extra

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def read(self, *, deadline: Deadline) -> bytes:
        data: bytes = self._port.read(deadline=deadline)
        if self._extra and any(map(self._after, self._receiver.receive(data))):
            data, self._extra = data + self._extra, b""
        return data
