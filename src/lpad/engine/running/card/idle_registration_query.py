"""A query from outside the worker for the modem's registration, sent while the worker is idle."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError
from lpad.network.applier_interface import Connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.running.card.card_with_open_link import Card
    from lpad.protocol.registration_answer import Registration

log = logging.getLogger(__name__)

_PATIENCE = 15.0


class RegistrationQuery:
    """The query of one worker; its lock is the worker's condition variable, which wakes the worker."""

    def __init__(
        self,
        card: Card,
        lock: threading.Condition,
        *,
        refused: Callable[[], None],
        make_way: Callable[[], None],
        look: Callable[[], Connection] = Connection,
        seen: Callable[[tuple[Registration, ...]], None] = lambda _: None,
    ) -> None:
        """Create the query.

        Args:
            card: the worker's card.
            lock: the worker's lock.
            refused: called with the lock held, if a change runs during a query.
            make_way: called with the lock held if the query is urgent, so that the change gives way if it
                can.
            look: returns the connection as the applier sees it.
            seen: gets the modem's answer.
        """
        self._look = look
        self._seen = seen
        self._what: Callable[[], object] = self._registrations
        self._card = card
        self._lock = lock
        self._refused = refused
        self._make_way = make_way
        self._urgent = False
        self._tells = True
        self._asked_at: float | None = None
        self._busy = False
        self._answered = threading.Event()
        self._answer: object = None

    def ask(self, *, deadline: Deadline, urgent: bool = False) -> tuple[Registration, ...] | None:
        """Return the modem's registration in each kind of network, from any thread.

        Args:
            deadline: for the wait.
            urgent: whether a running change that only waits for a server makes way, as for a switch.

        Returns:
            The registrations; empty if the modem has no command for them; None if lpad could not ask because
            the card is busy or absent, there is no modem, or ModemManager uses the modem.
        """
        answer = self._put(self._registrations, deadline, urgent=urgent)
        return answer if isinstance(answer, tuple) else None

    def connection(self, *, deadline: Deadline, urgent: bool = False) -> Connection | None:
        """Return the connection as the applier sees it, from any thread; None if the card is busy or lost."""
        answer = self._put(self._look, deadline, urgent=urgent)
        return answer if isinstance(answer, Connection) else None

    def _put(self, what: Callable[[], object], deadline: Deadline, *, urgent: bool) -> object:
        """Have the worker's thread answer a query between two changes; None: it did not answer."""
        with self._lock:
            # A query that was not answered while the card was idle would fail now, too.
            urgent = urgent and self._tells
            if self._busy:
                self._refused()
                if not urgent:
                    return None
                self._make_way()
            self._urgent = urgent
            self._what = what
            self._answered.clear()
            self._answer = None
            self._asked_at = time.monotonic()
            self._lock.notify_all()
        self._answered.wait(deadline.remaining())
        with self._lock:
            self._asked_at = None
            return self._answer

    def refuse(self, *, urgent: bool = False) -> None:
        """Refuse queries until `accept`, because a change begins. Call it with the lock held.

        Args:
            urgent: whether to refuse urgent queries, too, because the worker ends.
        """
        self._busy = True
        if urgent or not self._urgent:
            self._asked_at = None
            self._answered.set()

    def accept(self) -> None:
        """Accept queries again. Call it with the lock held."""
        self._busy = False

    @property
    def goes_first(self) -> bool:
        """Whether an urgent query waits, which precedes the next change. Call it with the lock held."""
        return self._urgent and self._asked_at is not None

    @property
    def due_at(self) -> float | None:
        """When the open query was made, in monotonic time; None if there is none."""
        return self._asked_at

    def run(self) -> None:
        """Answer the open query in the worker's thread."""
        with self._lock:
            self._asked_at = None  # ask only once, whatever the result
        answer: object = None
        try:
            answer = self._what()
            self._tells = answer is not None
        except CardError as error:
            log.info("%s: %s", self._card.port.name, error)
            self._card.drop(error)
        finally:
            with self._lock:
                self._answer = answer
                self._answered.set()

    def _registrations(self) -> tuple[Registration, ...] | None:
        if self._card.port.loan.was_lent:
            # Borrowing the modem would end the observed connection.
            log.warning(
                "%s: ModemManager uses its modem, so lpad cannot ask it without ending the connection; use a"
                " reachability check instead of 'registered'",
                self._card.port.name,
            )
            return None
        deadline = Deadline.after(_PATIENCE)
        with self._card.open(deadline=deadline).lend_modem(deadline=deadline) as lent:
            if lent is None:
                return None
            told = lent.modem.registrations(deadline=deadline)
        self._seen(told)
        return told
