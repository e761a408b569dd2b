"""Links whose modem reports on the connection without a request, over the port that lpad has open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline


@runtime_checkable
class Listening(Protocol):
    """A link with a port of its own, on which unsolicited lines arrive between two commands."""

    @property
    def reported(self) -> bool:
        """Whether a line among the answers has reported on the connection; `hear` then returns True."""
        ...

    def fileno(self) -> int:
        """Return the port's descriptor, to wait until there is something to read.

        Raises:
            CardUnreachable: the port is closed.
        """
        ...

    def hear(self, *, deadline: Deadline) -> bool:
        """Read the unsolicited lines, and return whether one reported on the connection since the last call.

        Raises:
            CardUnreachable: the port is gone.
        """
        ...
