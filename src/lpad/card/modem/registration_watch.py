"""Whether the modem is registered with the network: asked once, then watched.

While lpad waits, the modem announces changes. Some modems announce changes on another port, so lpad also asks
again from time to time.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.base.errors import CardError
from lpad.protocol.registration_answer import DENIED, NETWORKS, registration_announced

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.card.modem.modem import Modem

_log = logging.getLogger(__name__)

_ASKING = 5.0
ASKED_AGAIN = 20.0
"""Seconds until a modem that announces nothing is asked again."""


class RegistrationWatch:
    """Watches the registration of a modem while its port stays open."""

    def __init__(self, modem: Modem, *, deadline: Deadline) -> None:
        """Ask the modem for its registration, and switch the announcements on.

        Raises:
            CardUnreachable: the port is gone or does not answer.
        """
        self._modem = modem
        self._levels: dict[str, int] = {}
        modem.forget_unsolicited()
        self.status = modem.registrations(deadline=deadline)
        """The last registration in each kind of network; empty: the modem does not report it."""
        self.lock = None if self.registered else modem.lock(deadline=deadline)
        """The lock that the modem reports, such as SIM PIN; None if it is registered or reports no lock."""
        for each in self.status:
            if each.level == 0:
                modem.announce(each.network, 1, deadline=deadline)
                self._levels[each.network] = 0

    @property
    def registered(self) -> bool:
        """Whether the modem is registered in a network of any kind."""
        return any(each.registered for each in self.status)

    @property
    def denied(self) -> bool:
        """Whether a network denies the modem, and none accepts it."""
        return not self.registered and any(each.status == DENIED for each in self.status)

    def listen(self, *, deadline: Deadline) -> bool:
        """Wait for an announcement until the deadline; return whether the modem announced anything.

        Raises:
            CardUnreachable: the port is gone.
        """
        line = self._modem.wait_for(NETWORKS, deadline=deadline)
        if line is not None and not self._modem.announces_status:
            self.ask(deadline=deadline.later(_ASKING))
            return True
        told = registration_announced(line) if line is not None else None
        if told is None:
            return False
        self.status = tuple(
            replace(told, level=each.level) if each.network == told.network else each for each in self.status
        )
        return True

    def ask(self, *, deadline: Deadline) -> None:
        """Ask the modem for its registration again.

        Raises:
            CardUnreachable: the port is gone or does not answer.
        """
        known = [each.network for each in self.status] or NETWORKS
        self.status = self._modem.registrations(networks=known, deadline=deadline) or self.status

    def end(self, *, deadline: Deadline) -> None:
        """Restore the modem's earlier announcement levels; failures are only logged."""
        for network, level in self._levels.items():
            try:
                self._modem.announce(network, level, deadline=deadline)
            except CardError as error:
                _log.info("%s: %s", network, error)
                return
