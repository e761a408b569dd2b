"""Reports of a modem that its card may have changed; while the worker is idle, each leads to one check.

lpad checks a present card with the ICCID that the modem reads. If this is not the enabled profile's ICCID, or
the slot was empty meanwhile, lpad reads the card. lpad tries an absent card, unless the modem only repeats
that the slot is empty. As long as neither the reported state nor the error is new, the pauses between the
attempts grow, because some modems report something each time their port is opened.
"""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError
from lpad.base.identifiers import Iccid
from lpad.card.link.card_change_reports import NO_CARD_REPORT, CardReport

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from lpad.card.modem.modem_answer_types import ModemIccid
    from lpad.card.modem.modem_lent_by_link import LentModem
    from lpad.engine.change.change import Failure
    from lpad.engine.running.card.card_with_open_link import Card
    from lpad.engine.snapshot.snapshot import Snapshot
    from lpad.engine.worker.card_observer import Observer
    from lpad.engine.worker.presence import Presence

log = logging.getLogger(__name__)

SETTLING = 1.0
"""Seconds from a report to the check, because reports come in groups while a card starts."""
PAUSES: tuple[float, ...] = (5, 10, 30, 60)
"""The minimum number of seconds between two checks of a present card: first after a check that found
something new, then after each consecutive check that did not; the last value repeats.
"""
ABSENT_PAUSES: tuple[float, ...] = (5, 10, 30, 60, 120, 300, 900)
"""The minimum number of seconds between two attempts with an absent card. The last value equals that of
`presence.REOPENING`, so that reports cause no additional attempts.
"""
_ASKING = 10.0
"""Seconds to ask the modem for the ICCID."""


class CardReports:
    """The reports on one card. The worker's thread owns this object; `waking` holds the worker's lock."""

    def __init__(
        self,
        card: Card,
        *,
        observer: Observer,
        presence: Presence,
        waking: Callable[[], AbstractContextManager[None]],
        look: Callable[[], None],
    ) -> None:
        """Create the object without reports.

        Args:
            card: the worker's card.
            observer: knows the card's last state.
            presence: knows when the card was read last, and when an absent card is tried again.
            waking: returns a context manager that holds the worker's lock, and wakes the worker at its end.
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
        self._settled_at: float | None = None
        self._reports_tried = NO_CARD_REPORT
        self._errors_seen: set[str] = set()

    @property
    def due_at(self) -> float | None:
        """When to check the card; None: nothing was reported. The caller must hold the lock."""
        if self._settled_at is None:
            return None
        pauses = self._pauses
        step = 0 if self._is_new(self._report) else min(self._vain, len(pauses) - 1)
        return max(self._settled_at, self._last_check + pauses[step])

    @property
    def _pauses(self) -> tuple[float, ...]:
        return PAUSES if self._observer.ready else ABSENT_PAUSES

    @property
    def _last_check(self) -> float:
        """When the last check or, if the card is absent, the last attempt of any origin began."""
        return self._checked_at if self._observer.ready else max(self._checked_at, self._presence.tried_at)

    def _is_new(self, report: CardReport) -> bool:
        """Return whether the card is absent and the report contains a state that led to no attempt yet."""
        return not self._observer.ready and bool(report & ~self._reports_tried)

    def take(self, report: CardReport) -> None:
        """Receive a report from the modem."""
        if not self._observer.ready:
            report &= ~CardReport.GONE
        if not report:
            return
        now = time.monotonic()
        with self._waking():
            self._report |= report
            self._reported_at = now
            if self._settled_at is None:
                self._settled_at = now + SETTLING

    def check(self) -> None:
        """Check whether the reported card is still the known card."""
        now = time.monotonic()
        with self._waking():
            report, self._report = self._report, NO_CARD_REPORT
            self._settled_at = None
            if not self._observer.ready:
                report &= ~CardReport.GONE
            if not report or max(self._presence.found_at, self._presence.tried_at) > self._reported_at:
                return
            if now - self._last_check > 2 * self._pauses[-1]:
                self._begin_again()
            self._checked_at = now
        before = self._observer.snapshot
        ready = self._observer.ready
        if not ready or CardReport.GONE in report or not self._reads_enabled_profile(before):
            self._look()
        with self._waking():
            if not ready and not self._observer.ready:
                self._tried_in_vain(report, before.error)
            elif _known(before) == _known(self._observer.snapshot):
                self._vain += 1
            else:
                self._begin_again()

    def _tried_in_vain(self, report: CardReport, before: Failure | None) -> None:
        """Count an attempt with a card that is still absent, unless the report or the error is new."""
        after = self._observer.snapshot.error
        if before is not None:
            self._errors_seen.add(before.kind)
        is_new = self._is_new(report) or (after is not None and after.kind not in self._errors_seen)
        self._reports_tried |= report
        if after is not None:
            self._errors_seen.add(after.kind)
        if is_new:
            self._vain = 0
            self._presence.begin_again()
        else:
            self._vain += 1

    def _begin_again(self) -> None:
        self._vain = 0
        self._reports_tried = NO_CARD_REPORT
        self._errors_seen.clear()

    def _reads_enabled_profile(self, card: Snapshot) -> bool:
        """Return whether the modem reads the profile that lpad knows as enabled; False if that is unclear."""
        enabled = card.listed.enabled
        if enabled is None or enabled.iccid is None:
            return False
        deadline = Deadline.after(_ASKING)

        def ask(lent: LentModem | None) -> ModemIccid | None:
            return None if lent is None else lent.modem.iccid(deadline=deadline)

        try:
            told = self._card.ask_modem(ask, deadline=deadline)
        except CardError as error:
            log.info("%s: %s", self._card.port.name, error)
            return False
        return told is not None and told.report is not None and told.report.names(Iccid.parse(enabled.iccid))


def _known(card: Snapshot) -> tuple[object, ...]:
    return card.state, card.eid, card.profiles
