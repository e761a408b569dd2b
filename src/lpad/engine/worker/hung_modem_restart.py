"""Restarting a modem that refuses all commands for its card, as some do after a SIM hot swap.

A Quectel EC20 then answers +CME ERROR: 0 to MANAGE CHANNEL and SELECT, until its radio is switched off and
on. lpad first tries again a few times, because a modem that is starting may give any answer. Then lpad takes
the steps of the modem's refresh ladder one by one, within the limits of `ModemRestartLimit`.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError
from lpad.card.modem.cme_errors import is_phone_failure
from lpad.card.modem_power import take_step
from lpad.card.quirks.quirks import RefreshStep, Step

if TYPE_CHECKING:
    from lpad.base.errors import LpadError
    from lpad.engine.running.card.card_with_open_link import Card
    from lpad.engine.running.card.modem_restart_limit import ModemRestartLimit

log = logging.getLogger(__name__)

LOOKS = 3
"""The number of consecutive refusals before lpad restarts the modem."""
STEADY = 600.0
"""Seconds after which a readable card proves that a step has helped."""
_OPENING = 30.0


class HungModem:
    """The refusals and restarts of one card's modem; used by the worker's thread."""

    def __init__(self, card: Card, resets: ModemRestartLimit) -> None:
        self._card = card
        self._resets = resets
        self._refused = 0
        self._steps = 0
        self._rests_until = 0.0
        self._taken_at: float | None = None
        self._due_at: float | None = None

    @property
    def due_at(self) -> float | None:
        """When to take a step, in monotonic time; None: no step is planned."""
        return self._due_at

    def missed(self, error: LpadError) -> None:
        """Record why the card could not be read; after several refusals of the modem, plan a step."""
        self._due_at = None
        if not (isinstance(error, CardError) and is_phone_failure(error)):
            return
        self._refused += 1
        left = self._resets.seconds_left
        if self._refused >= LOOKS and left is not None:
            self._due_at = max(time.monotonic() + left, self._rests_until)

    def found(self) -> None:
        """Record that the card was read."""
        self._refused = self._steps = 0
        self._due_at = None
        if self._taken_at is not None and time.monotonic() - self._taken_at >= STEADY:
            self._taken_at = None
            self._resets.helped()

    def help(self) -> bool:
        """Take the next step of the modem's ladder; return whether lpad took a step."""
        self._due_at = None
        self._refused = 0
        try:
            rungs, announcements = self._ladder()
        except CardError as error:
            log.info("%s: %s", self._card.port.name, error)
            self._card.drop(error)
            return False
        if not rungs or not self._resets.ascend(unwritten=False):
            return False
        rung = rungs[min(self._steps, len(rungs) - 1)]
        log.warning(
            "%s: the modem answers 'phone failure' to every command for its card: %s",
            self._card.port.name,
            rung.step.value,
        )
        self._steps += 1
        self._resets.taken(rung.step.value)
        take_step(self._card, rung, announcements=announcements)
        self._card.drop()
        self._taken_at = time.monotonic()
        self._rests_until = self._taken_at + rung.seconds
        return True

    def _ladder(self) -> tuple[list[RefreshStep], tuple[str, ...]]:
        deadline = Deadline.after(_OPENING)
        with self._card.open(deadline=deadline).lend_modem(deadline=deadline) as lent:
            if lent is None:
                return [], ()
            quirks = lent.quirks
        return [rung for rung in quirks.refresh_ladder if rung.step is not Step.WAIT], quirks.announcements
