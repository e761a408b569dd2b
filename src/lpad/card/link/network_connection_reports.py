"""Links whose modem reports on the data connection without a request, over the port that lpad has open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline


@runtime_checkable
class Listening(Protocol):
    """A link with a port of its own, on which unsolicited messages arrive between two commands."""

    @property
    def reported(self) -> bool:
        """Whether a message among the answers reported on the data connection; `hear` then returns True."""
        ...

    def fileno(self) -> int:
        """Return the port's descriptor, to wait until there is something to read.

        Raises:
            CardUnreachable: the port is closed.
        """
        ...

    def hear(self, *, deadline: Deadline) -> bool:
        """Read the messages; return whether one has reported on the data connection since the last call.

        Raises:
            CardUnreachable: the port is gone.
        """
        ...
