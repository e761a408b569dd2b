"""Reports of a modem that its card may have changed, while the worker is idle: each leads to one check.

A present card is checked with the ICCID that the modem reads. Only if that is not the enabled profile's, or
the slot was empty meanwhile, lpad reads the card. An absent card is tried immediately, unless the modem only
repeats that the slot is empty.
"""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING

from lpad.base.backoff import Backoff
from lpad.base.deadline import Deadline
from lpad.base.errors import CardError
from lpad.base.identifiers import Iccid
from lpad.card.link.card_report import NO_CARD_REPORT, CardReport
from lpad.card.modem.iccid import read_iccid

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from lpad.card.modem.modem_answers import ModemIccid
    from lpad.card.modem.modem_of_link import LentModem
    from lpad.engine.running.card.open_card import Card
    from lpad.engine.snapshot.snapshot import Snapshot
    from lpad.engine.worker.card_observer import Observer
    from lpad.engine.worker.presence import Presence

log = logging.getLogger(__name__)

SETTLING = 1.0
"""Seconds from a report to the check, because reports come in groups while a card starts."""
PAUSES = Backoff((5, 10, 30, 60))
"""The minimum number of seconds between two checks, for each check in a row that found nothing new."""
_ASKING = 10.0
"""Seconds for the ICCID."""


class CardReports:
    """The reports on one card. Its owner is the worker's thread; `waking` is the worker's lock."""

    def __init__(
        self,
        card: Card,
        *,
        observer: Observer,
        presence: Presence,
        waking: Callable[[], AbstractContextManager[None]],
        look: Callable[[], None],
    ) -> None:
        """Begin without reports.

        Args:
            card: the worker's card.
            observer: knows the card's last state.
            presence: knows when the card was read last, and when an absent card is tried again.
            waking: the worker's lock, which wakes it at the end.
            look: reads the card, or publishes why it cannot be read.
        """
        self._card = card
        self._observer = observer
        self._presence = presence
        self._waking = waking
        self._look = look
        self._report = NO_CARD_REPORT
        self._reported_at = -math.inf
        self._checked_at = -math.inf
        self._vain = 0
        self._due_at: float | None = None

    @property
    def due_at(self) -> float | None:
        """When to check the card; None: nothing was reported. Call it with the lock held."""
        return self._due_at

    def take(self, report: CardReport) -> None:
        """Receive what the modem has indicated."""
        if not self._observer.ready:
            report &= ~CardReport.GONE
        if not report:
            return
        now = time.monotonic()
        with self._waking():
            self._report |= report
            self._reported_at = now
            if self._due_at is None:
                self._due_at = max(now + SETTLING, self._checked_at + PAUSES.after(self._vain))

    def check(self) -> None:
        """Find out whether the reported card is the known one."""
        now = time.monotonic()
        with self._waking():
            report, self._report = self._report, NO_CARD_REPORT
            self._due_at = None
            if self._presence.found_at > self._reported_at:
                return
            if now - self._checked_at > 2 * PAUSES.longest:
                self._vain = 0
            self._checked_at = now
        before = self._observer.snapshot
        if not self._observer.ready:
            with self._waking():
                self._presence.look_now()
            self._look()
        elif CardReport.GONE in report or not self._reads_enabled_profile(before):
            self._look()
        self._vain = self._vain + 1 if _known(before) == _known(self._observer.snapshot) else 0

    def _reads_enabled_profile(self, card: Snapshot) -> bool:
        """Whether the modem reads the profile that lpad knows as enabled; False if that is unclear."""
        enabled = card.listed.enabled
        if enabled is None or enabled.iccid is None:
            return False
        deadline = Deadline.after(_ASKING)

        def ask(lent: LentModem | None) -> ModemIccid | None:
            return None if lent is None else read_iccid(lent, deadline=deadline)

        try:
            told = self._card.ask_modem(ask, deadline=deadline)
        except CardError as error:
            log.info("%s: %s", self._card.port.name, error)
            return False
        return told is not None and told.report is not None and told.report.names(Iccid.parse(enabled.iccid))


def _known(card: Snapshot) -> tuple[object, ...]:
    return card.state, card.eid, card.profiles
