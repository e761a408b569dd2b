"""The network's reason for refusing a data session, which counts only for the profile of that session."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lpad.protocol.iccid_answer import IccidReport


_MOST = 255


def known_cause(number: int | None) -> int | None:
    """Return the network's cause, from 1 to 255; None for any other number."""
    return number if number is not None and 0 < number <= _MOST else None


class SessionCause:
    """Keeps the network's cause until the modem reads another profile."""

    def __init__(self) -> None:
        """Create an object without a cause."""
        self.value: int | None = None
        """The cause for which the network refused the last session, from 1 to 255; None: not reported."""
        self._profile: IccidReport | None = None

    def modem_reads(self, profile: IccidReport) -> None:
        """Note the profile that the modem reads; forget a cause that belongs to another profile."""
        if self._profile is not None and profile != self._profile:
            self.value = None
        self._profile = profile
