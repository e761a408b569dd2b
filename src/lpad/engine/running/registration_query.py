"""A query from outside the worker for the modem's registration, sent while the worker is idle."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError
from lpad.card.modem.registration import registrations
from lpad.network.applier import Connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.running.open_card import Card
    from lpad.protocol.registration_answer import Registration

log = logging.getLogger(__name__)

_PATIENCE = 15.0


class RegistrationQuery:
    """The query of one worker; its lock is the worker's condition, which wakes the worker."""

    def __init__(
        self,
        card: Card,
        lock: threading.Condition,
        *,
        refused: Callable[[], None],
        look: Callable[[], Connection] = Connection,
    ) -> None:
        self._look = look
        self._what: Callable[[], object] = self._registrations
        self._card = card
        self._lock = lock
        self._refused = refused
        self._asked_at: float | None = None
        self._busy = False
        self._answered = threading.Event()
        self._answer: object = None

    def ask(self, *, deadline: Deadline) -> tuple[Registration, ...] | None:
        """Return the modem's status in each kind of network, from any thread.

        Returns:
            The status; empty if the modem has no command for it; None if it could not be asked because the
            card is busy or absent, there is no modem, or it belongs to ModemManager.
        """
        answer = self._put(self._registrations, deadline)
        return answer if isinstance(answer, tuple) else None

    def connection(self, *, deadline: Deadline) -> Connection | None:
        """Return what the applier sees of the connection, from any thread; None if the card is busy."""
        answer = self._put(self._look, deadline)
        return answer if isinstance(answer, Connection) else None

    def _put(self, what: Callable[[], object], deadline: Deadline) -> object:
        """Have the worker's thread answer a question between two changes."""
        with self._lock:
            if self._busy:
                self._refused()
                return None
            self._what = what
            self._answered.clear()
            self._answer = None
            self._asked_at = time.monotonic()
            self._lock.notify_all()
        self._answered.wait(deadline.remaining())
        with self._lock:
            self._asked_at = None
            return self._answer

    def refuse(self) -> None:
        """Refuse queries until `accept`, because a change begins. Call it with the lock held."""
        self._busy = True
        self._asked_at = None
        self._answered.set()

    def accept(self) -> None:
        """Accept queries again. Call it with the lock held."""
        self._busy = False

    @property
    def due_at(self) -> float | None:
        """The time of the query; None if there is none."""
        return self._asked_at

    def run(self) -> None:
        """Ask the modem, in the worker's thread."""
        with self._lock:
            self._asked_at = None  # ask only once, whatever the result
        answer: object = None
        try:
            answer = self._what()
        except CardError as error:
            log.info("%s: %s", self._card.port.name, error)
            self._card.drop()
        finally:
            with self._lock:
                self._answer = answer
                self._answered.set()

    def _registrations(self) -> tuple[Registration, ...] | None:
        if self._card.port.loan.was_lent:
            # Borrowing the modem would end the observed connection.
            log.warning(
                "%s: ModemManager uses its modem, so lpad cannot ask it without ending the connection; use a"
                " probe instead of 'registered'",
                self._card.port.name,
            )
            return None
        deadline = Deadline.after(_PATIENCE)
        with self._card.open(deadline=deadline).lend_modem(deadline=deadline) as lent:
            return None if lent is None else registrations(lent.modem, deadline=deadline)
