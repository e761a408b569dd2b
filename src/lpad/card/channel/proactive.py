"""The terminal's role on links without another terminal: lpad fetches and answers proactive commands.

A modem answers the commands of its card; behind a PC/SC reader, lpad is the card's only terminal. A card
whose REFRESH is not answered keeps its old profile, or refuses further commands with 6985.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError, CardMalformed, blamed_on
from lpad.card.channel.exchange import exchange
from lpad.card.channel.status_words import status_error
from lpad.protocol import proactive
from lpad.protocol.apdu import Response
from lpad.protocol.proactive import ProactiveCommand

if TYPE_CHECKING:
    from lpad.card.link.link import RawCard
    from lpad.protocol.apdu import Apdu, Command

_log = logging.getLogger(__name__)

_SERVING = 30.0
"""Seconds for all steps after a 91xx. These steps do not count against the deadline of the command with the
status 91xx, because that command is done, and an unfinished REFRESH is worse than a late answer."""
_MOST_COMMANDS = 16


class Resettable(Protocol):
    """A device that can restart the card."""

    def reset(self, *, deadline: Deadline) -> None:
        """Switch the card's power off and on; channels and selections are lost.

        Raises:
            CardUnreachable: the card or the reader does not respond after the reset.
        """
        ...


class ProactiveCard:
    """A raw card whose proactive commands are carried out as soon as a status word announces them."""

    def __init__(self, card: RawCard, *, power: Resettable) -> None:
        self._card = card
        self._power = power
        self._reset_due = False

    def transmit(self, apdu: Apdu, *, deadline: Deadline) -> bytes:
        """Pass an APDU on (see `RawCard`), and serve the card's proactive commands.

        A failure to serve a proactive command is only logged, because the answer to the APDU has arrived and
        remains valid. Inside a chain of STORE DATA nothing is served; the card will answer 91xx again.
        """
        answer = self._card.transmit(apdu, deadline=deadline)
        if len(answer) >= 2 and not apdu.command.unfinished:
            pending = Response.parse(answer).pending
            if pending is not None:
                self._serve(pending)
        return answer

    def _serve(self, pending: int | None) -> None:
        deadline = Deadline.after(_SERVING)
        self._reset_due = False
        try:
            for _ in range(_MOST_COMMANDS):
                if pending is None:
                    break
                pending = self._serve_one(pending, deadline=deadline)
            else:
                _log.warning(
                    "the card has sent %d proactive commands in a row; lpad ignores further ones for now",
                    _MOST_COMMANDS,
                )
        except CardError as error:
            _log.warning("lpad could not carry out a proactive command of the card: %s", error)
        if self._reset_due:
            self._reset(deadline)

    def _serve_one(self, pending: int, *, deadline: Deadline) -> int | None:
        """Serve one command; return the length of the card's next command, or None if none follows."""
        fetched = self._ask(proactive.fetch(pending), "FETCH", deadline=deadline)
        with blamed_on(CardMalformed, "FETCH"):
            command = ProactiveCommand.parse(fetched.data)
        reaction = proactive.reaction_to(command)
        _log.info(
            "the card sent the proactive command %02X, qualifier %02X: %s%s",
            command.kind,
            command.qualifier,
            "no response" if reaction.result is None else reaction.result.name.lower().replace("_", " "),
            ", then reset" if reaction.reset else "",
        )
        self._reset_due = self._reset_due or reaction.reset
        if reaction.result is None:
            return None
        response = proactive.terminal_response(command, reaction.result)
        return self._ask(response, "TERMINAL RESPONSE", deadline=deadline).pending

    def _ask(self, command: Command, attempted: str, *, deadline: Deadline) -> Response:
        answer = exchange(self._card, command, deadline=deadline, attempted=attempted)
        if not answer.ok:
            raise status_error(attempted, answer.sw)
        return answer

    def _reset(self, deadline: Deadline) -> None:
        try:
            self._power.reset(deadline=deadline)
        except CardError as error:
            _log.warning("the card was not reset after its REFRESH: %s", error)
