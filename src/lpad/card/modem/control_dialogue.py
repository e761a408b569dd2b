"""The parts that the dialogues over MBIM and QMI share: the port, and the indications that arrive on it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lpad.base.deadline import Deadline
from lpad.base.errors import CardUnreachable

if TYPE_CHECKING:
    from lpad.card.port.control_port import ControlPort

_M = TypeVar("_M")

NOW = Deadline(0.0)
_KEPT = 64


class Indications(Generic[_M]):
    """The indications that a modem sends to one program, kept until lpad waits for one."""

    def __init__(self) -> None:
        """Create an object without indications."""
        self.heard: deque[_M] = deque(maxlen=_KEPT)
        """The latest indications, oldest first."""
        self.reported = False
        """Whether one has reported on the connection; `ControlDialogue.hear` clears this."""


class ControlDialogue(ABC):
    """The dialogue with a modem, on a port that only this object uses."""

    def __init__(self, port: ControlPort, indications: Indications[Any]) -> None:
        self._port = port
        self._indications = indications

    @property
    def name(self) -> str:
        """The port's name in errors."""
        return self._port.name

    @property
    def reported(self) -> bool:
        """Whether an indication has reported on the connection since the last call of `hear`."""
        return self._indications.reported

    def fileno(self) -> int:
        """Return the port's descriptor (see `Listening`)."""
        return self._port.fileno()

    def hear(self) -> bool:
        """Read received messages; return whether one has reported on the connection since the last call.

        Raises:
            CardUnreachable: the port is gone.
        """
        self._read(NOW)
        reported, self._indications.reported = self._indications.reported, False
        return reported

    def forget_indications(self) -> None:
        """Forget the indications received so far."""
        self._read(NOW)
        self._indications.heard.clear()

    def close(self) -> None:
        """Release the port; never raises, and a second call does nothing."""
        self._port.close()

    def _check_time(self, attempted: str, deadline: Deadline) -> None:
        if deadline.passed:
            raise CardUnreachable(f"{attempted} at {self.name}: no time was left; try again")

    def _read(self, deadline: Deadline) -> bool:
        """Read once, waiting until the deadline, and keep the indications; return whether anything came."""
        data = self._port.read(deadline=deadline)
        self._take(data)
        return bool(data)

    @abstractmethod
    def _take(self, data: bytes) -> object:
        """Keep the indications in received data for later."""
