"""The network's reason for refusing a data session, which counts only for the profile of that session."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.errors import CardError

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.card.modem.control_modem import ControlModem
    from lpad.protocol.iccid_answer import IccidReport

_log = logging.getLogger(__name__)


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

    def note_profile(self, modem: ControlModem, *, deadline: Deadline) -> None:
        """Note the profile to which the next cause will belong, if the modem reports it."""
        try:
            modem.iccid(deadline=deadline)
        except CardError as error:
            _log.debug("%s", error)

    def forget_if_stale(self, modem: ControlModem, *, deadline: Deadline) -> None:
        """Forget a cause that belongs to a profile that the modem no longer reads.

        Raises:
            CardUnreachable: the port is gone or does not answer.
        """
        if self.value is not None:
            modem.iccid(deadline=deadline)
