"""The terminal's part on links where nobody else plays it: proactive commands fetched, done, answered.

In a modem the modem does it; behind a PC/SC reader lpad is all the terminal that the card has. A card
whose REFRESH nobody answers keeps its old profile, or refuses what comes next with 6985.
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
"""Seconds for all that follows a 91xx. They don't count against the command that got it: that one is
done, and a card left in the middle of a REFRESH is worse than a late answer."""
_MOST_COMMANDS = 16


class Resettable(Protocol):
    """What can start the card anew."""

    def reset(self, *, deadline: Deadline) -> None:
        """Take the card's power away and give it back; channels and selections are gone.

        Raises:
            CardUnreachable: the card, or the reader, did not come back.
        """
        ...


class ProactiveCard:
    """A raw card whose proactive commands are served as soon as a status word tells of them."""

    def __init__(self, card: RawCard, *, power: Resettable) -> None:
        """Wrap a card.

        Args:
            card: what transmits.
            power: what resets the card when a REFRESH asks for that.
        """
        self._card = card
        self._power = power
        self._reset_due = False

    def transmit(self, apdu: Apdu, *, deadline: Deadline) -> bytes:
        """Pass an APDU on, as `RawCard` says, and serve what the card wants then.

        What goes wrong while serving is logged and not raised: the answer to the command is there, and
        it stands. Inside a chain of STORE DATA nothing is served; the card will say 91xx again.
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
        """Serve one command; return the length of the next one."""
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
