"""Whether the modem is registered with the network: asked once, then watched.

While lpad waits, the modem announces changes. Some modems announce changes on another port, so lpad also asks
again from time to time.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.base.errors import CardBusy, CardError, CardMalformed, CardUnreachable, MalformedError
from lpad.card.modem.at_modem import AtModem
from lpad.card.modem.sim_lock import read_lock
from lpad.card.port.link_refused import LinkRefused
from lpad.protocol.registration_answer import (
    DENIED,
    NETWORKS,
    NOT_REGISTERED,
    Registration,
    announcing_command,
    registration_announced,
    registration_command,
    registration_told,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lpad.base.deadline import Deadline
    from lpad.card.modem.control_modem import ControlModem

_log = logging.getLogger(__name__)

_ASKING = 5.0
ASKED_AGAIN = 20.0
"""Seconds until a modem that announces nothing is asked again."""


def unreported(modem: AtModem | ControlModem) -> str:
    """Return the sentence about a modem that does not report its registration."""
    if isinstance(modem, AtModem):
        return "the modem supports none of AT+CEREG, AT+C5GREG and AT+CGREG"
    return f"the modem does not report its registration over {modem.protocol}"


def registrations(
    modem: AtModem | ControlModem,
    *,
    networks: Iterable[str] = NETWORKS,
    first: bool = False,
    deadline: Deadline,
) -> tuple[Registration, ...]:
    """Return the registration in each kind of network; empty if the modem does not report it.

    A modem that answers with a reason, such as a missing SIM, knows the command and is not registered.

    Args:
        modem: the modem.
        networks: the kinds of networks, by the command's name.
        first: whether to ask for no further kind once the modem is registered in one.
        deadline: for all commands together.

    Raises:
        CardUnreachable: the port is gone or does not answer.
    """
    if not isinstance(modem, AtModem):
        return modem.registrations(deadline=deadline)
    found: list[Registration] = []
    for network in networks:
        command = registration_command(network)
        try:
            answer = modem.ask(command, patience=modem.patience.information, deadline=deadline)
            found.append(registration_told(network, answer))
        except (LinkRefused, CardMalformed, MalformedError) as error:
            _log.debug("%s: %s", network, error)
        except (CardUnreachable, CardBusy) as error:
            if "modem_error" in error.details:
                found.append(Registration(network, NOT_REGISTERED))
            elif not found:
                raise
            else:  # this modem does not answer commands that it does not know
                _log.info("%s: %s", network, error)
                break
        if first and found and found[-1].registered:
            break
    return tuple(found)


class RegistrationWatch:
    """Watches the registration of a modem while its port stays open."""

    def __init__(self, modem: AtModem | ControlModem, *, deadline: Deadline) -> None:
        """Ask the modem for its registration, and switch the announcements on.

        Raises:
            CardUnreachable: the port is gone or does not answer.
        """
        self._modem = modem
        self._levels: dict[str, int] = {}
        modem.forget_unsolicited()
        self.status = registrations(modem, deadline=deadline)
        """The last registration in each kind of network; empty: the modem does not report it."""
        self.lock = None if self.registered else read_lock(modem, deadline=deadline)
        """The lock that prevents the registration, such as SIM PIN; None if the modem reports none."""
        for each in self.status:
            if each.level == 0:
                self._announce(each.network, 1, deadline=deadline)
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
        if line is not None and not isinstance(self._modem, AtModem):
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
        self.status = registrations(self._modem, networks=known, deadline=deadline) or self.status

    def end(self, *, deadline: Deadline) -> None:
        """Restore the modem's earlier announcement levels; failures are only logged."""
        for network, level in self._levels.items():
            try:
                self._announce(network, level, deadline=deadline)
            except CardError as error:
                _log.info("%s: %s", network, error)
                return

    def _announce(self, network: str, level: int, *, deadline: Deadline) -> None:
        if not isinstance(self._modem, AtModem):
            return  # such a modem announces changes without a command
        command = announcing_command(network, level)
        try:
            self._modem.ask(command, patience=self._modem.patience.information, deadline=deadline)
        except (LinkRefused, CardMalformed, CardBusy) as error:
            _log.debug("%s: %s", network, error)
