"""Owed cancellations: sessions that are cancelled on the card, and whose server must still be informed.

A switch does not wait until the server of an overtaken download has received its cancellation, and neither
does a user who cancels a download. The card's signed answer is stored in the journal, and a temporary thread
sends it later, because an order can be locked as long as its session is open. Even without a
cancellation, a server discards the session after a while, so lpad stops after a few attempts.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.base.backoff import Backoff
from lpad.base.cancellation import Cancellation
from lpad.base.deadline import Deadline
from lpad.base.errors import Cancelled, LpadError, ServerUnreachable, ServerUntrusted
from lpad.base.frozen import Frozen
from lpad.base.liveness import resting, watched
from lpad.base.server_address import ServerAddress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.engine.journal import Journal
    from lpad.engine.outbox.delivery import Connect
    from lpad.remote.es9plus import Es9Plus

log = logging.getLogger(__name__)

BACKOFF = Backoff((5, 30, 120))
"""Seconds between two attempts; the network may have to come up under another profile first."""

TRIES = 4

MOST = 20
"""The maximum number of owed cancellations; lpad drops the oldest ones above this number."""

_ON_SERVER = 30.0
_MEMO = "owed cancellations"


class OwedCancellation(Frozen, kw_only=True):
    """A cancellation that a server has not received yet: ES9+.CancelSession for one session.

    `eid` belongs to the card that signed `response` (BF41); `transaction_id` is as the server wrote it.
    """

    server: str
    eid: str
    transaction_id: str
    response: bytes
    tries: int = 0


class OwedCancellations:
    """Stores owed cancellations, and sends them from a temporary thread; thread-safe."""

    def __init__(self, journal: Journal, connect: Connect) -> None:
        """Create the store; nothing is sent before `send`."""
        self._journal = journal
        self._connect = connect
        self._condition = threading.Condition()
        self._owed: list[OwedCancellation] | None = None
        self._claims: set[str] = set()
        self._thread: threading.Thread | None = None
        self._due_at = 0.0
        self._stop = Cancellation()

    def owe(self, server: ServerAddress, eid: str, *, transaction_id: str, response: bytes) -> None:
        """Store a cancellation, which `send` sends later."""
        one = OwedCancellation(server=str(server), eid=eid, transaction_id=transaction_id, response=response)
        with self._condition:
            self._keep([*self._known(), one][-MOST:])

    def send(self) -> None:
        """Begin to inform the servers in a thread, and return immediately."""
        with self._condition:
            self._due_at = 0.0
            if self._thread is None and self._known() and not self._stop.cancelled:
                self._thread = threading.Thread(target=self._run, name="owed cancellations", daemon=True)
                self._thread.start()
            self._condition.notify_all()

    def send_over(self, server: Es9Plus, *, deadline: Deadline) -> None:
        """Send one server its owed cancellations over an open connection, before another session begins.

        Raises:
            Cancelled: the wait was cancelled; the cancellations stay owed.
        """
        with self._condition:
            mine = [each for each in self._known() if each.server == str(server.address)]
        for each in mine:
            with self._claimed(each, deadline=deadline) as still_owed:
                if still_owed:
                    self._tell(each, server, deadline=deadline.within(_ON_SERVER))
                    self._forget(each)

    @contextmanager
    def _claimed(self, owed: OwedCancellation, *, deadline: Deadline) -> Iterator[bool]:
        """Reserve a cancellation for this thread; yield whether the server must still be informed.

        Raises:
            Cancelled: the deadline was cancelled, also while another thread informs the server.
        """
        deadline.check()
        with ExitStack() as stack:
            if deadline.cancellation is not None:
                stack.enter_context(deadline.cancellation.waking(self._notify))
            with self._condition:
                while owed.transaction_id in self._claims and not deadline.passed:
                    self._condition.wait(deadline.remaining())
                    deadline.check()
                self._claims.add(owed.transaction_id)
                still_owed = any(each.transaction_id == owed.transaction_id for each in self._known())
        try:
            yield still_owed
        finally:
            with self._condition:
                self._claims.discard(owed.transaction_id)
                self._condition.notify_all()

    def _notify(self) -> None:
        with self._condition:
            self._condition.notify_all()

    def stop(self) -> None:
        """Have the sending thread end; owed cancellations stay in the journal."""
        self._stop.cancel("lpad was stopped")
        with self._condition:
            self._condition.notify_all()

    def join(self, *, deadline: Deadline) -> None:
        """Wait until the sending thread has ended, or the deadline has passed."""
        thread = self._thread
        if thread is not None and thread.is_alive():
            thread.join(deadline.remaining())

    @property
    def alive(self) -> bool:
        """Whether the sending thread runs."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def _run(self) -> None:
        with watched("the owed cancellations"):
            while self._await_turn():
                for each in list(self._known()):
                    if self._stop.cancelled:
                        return
                    try:
                        self._attempt(each)
                    except Cancelled:
                        return
                    except Exception:  # the failure of one cancellation must not block the others
                        log.exception("cannot inform a server that a session is cancelled: internal-error")
                        self._forget(each)

    def _await_turn(self) -> bool:
        """Wait until the next round is due, and return True; False: nothing is owed, or lpad stops."""
        with self._condition:
            while not self._stop.cancelled and self._known():
                seconds = self._due_at - time.monotonic()
                if seconds <= 0:
                    tries = max(each.tries for each in self._known())
                    self._due_at = time.monotonic() + BACKOFF.after(tries + 1)
                    return True
                with resting():
                    self._condition.wait(seconds)
            self._thread = None
            return False

    def _attempt(self, owed: OwedCancellation) -> None:
        deadline = Deadline.after(_ON_SERVER, cancellation=self._stop)
        with self._claimed(owed, deadline=deadline) as still_owed:
            if not still_owed:
                return
            try:
                with self._connect(ServerAddress.parse(owed.server), owed.eid) as server:
                    over = self._tell(owed, server, deadline=deadline)
            except Cancelled:
                return
            except LpadError as error:
                log.debug("cannot report a cancelled session to its server: %s", error)
                over = True
            if over or owed.tries + 1 >= TRIES:
                self._forget(owed)
            else:
                with self._condition:
                    self._keep([_tried(each) if each == owed else each for each in self._known()])

    def _tell(self, owed: OwedCancellation, server: Es9Plus, *, deadline: Deadline) -> bool:
        """Inform a server; return whether no further attempt is needed."""
        try:
            deadline.check()
            server.cancel_session(
                transaction_id=owed.transaction_id, cancel_session_response=owed.response, deadline=deadline
            )
        except Cancelled:
            raise
        except (ServerUnreachable, ServerUntrusted) as error:
            log.debug("could not inform %s that a session is cancelled: %s", owed.server, error)
            return False
        except LpadError as error:  # the server refuses: it may have forgotten the session
            log.debug(
                "%s did not accept the cancellation of a session; lpad does not repeat it: %s",
                owed.server,
                error,
            )
        else:
            log.info("informed %s that a session is cancelled", owed.server)
        return True

    def _forget(self, owed: OwedCancellation) -> None:
        with self._condition:
            self._keep([each for each in self._known() if each.transaction_id != owed.transaction_id])

    def _known(self) -> list[OwedCancellation]:
        if self._owed is None:
            try:
                self._owed = self._journal.memos.get(_MEMO, list[OwedCancellation]) or []
            except LpadError as error:
                log.debug(
                    "cannot read the cancellations that servers have not received: %s (%s)", error, error.kind
                )
                return []
        return self._owed

    def _keep(self, owed: list[OwedCancellation]) -> None:
        self._owed = owed
        try:
            if owed:
                self._journal.memos.put(_MEMO, owed)
            else:
                self._journal.memos.drop(_MEMO)
        except (
            LpadError
        ) as error:  # at worst, the server is informed twice or never, and then discards the session itself
            log.debug(
                "cannot store the cancellations that servers have not received: %s (%s)", error, error.kind
            )


def _tried(owed: OwedCancellation) -> OwedCancellation:
    return replace(owed, tries=owed.tries + 1)
