"""All endpoints in the settings; other packages use webhooks only through this module."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import JournalUnavailable, NotFound
from lpad.base.frozen import Frozen
from lpad.engine.webhooks.endpoint_worker import PREFIX, EndpointWorker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpad.engine.environment.clock_and_network import Environment
    from lpad.engine.journal import Journal
    from lpad.engine.webhooks.delivery_attempt import Outcome
    from lpad.engine.webhooks.endpoint import Endpoint
    from lpad.engine.webhooks.endpoint_progress import Progress


_CHANGING = 5.0
"""Seconds for a worker to end before another one replaces it; a cancelled request ends immediately."""


class EndpointStatus(Frozen, kw_only=True):
    """An endpoint, its progress, and the number of waiting events (None: the journal cannot be read)."""

    endpoint: Endpoint
    progress: Progress
    pending: int | None


class Webhooks:
    """The endpoints of the settings, each with its own thread."""

    def __init__(self, journal: Journal, environment: Environment) -> None:
        self._journal = journal
        self._environment = environment
        self._lock = threading.Lock()
        self._wanted: tuple[Endpoint, ...] = ()
        self._workers: dict[str, EndpointWorker] = {}
        self._started = False
        journal.events.awaited_by.append(self._is_awaited)

    def start(self) -> None:
        """Start the threads of all endpoints."""
        with self._lock:
            self._started = True
            self._serve()

    def stop(self) -> None:
        """Have the endpoints' threads end, without waiting for answers."""
        with self._lock:
            self._started = False
            for worker in self._workers.values():
                worker.stop()

    def join(self, *, deadline: Deadline) -> None:
        """Wait until the endpoints' threads have ended."""
        for worker in list(self._workers.values()):
            worker.join(deadline=deadline)

    @property
    def alive(self) -> bool:
        """Whether any endpoint's thread runs."""
        return any(worker.alive for worker in list(self._workers.values()))

    def become(self, endpoints: Sequence[Endpoint]) -> None:
        """Serve these endpoints from now on; a request that this interrupts is repeated with the same ID."""
        with self._lock:
            self._wanted = tuple(endpoints)
            if self._started:
                self._serve()

    def journal_is_back(self) -> None:
        """Serve endpoints whose progress could not be read before."""
        with self._lock:
            if self._started:
                self._serve()

    def network_is_back(self) -> None:
        """Try unreached endpoints again."""
        for worker in list(self._workers.values()):
            worker.network_is_back()

    def wake(self) -> None:
        """Make all endpoints' threads check for due events, for example when the clock is set."""
        for worker in list(self._workers.values()):
            worker.wake()

    def all(self) -> list[EndpointStatus]:
        """Return the endpoints whose progress could be read, in the order of the settings."""
        with self._lock:
            workers = [self._workers[each.name] for each in self._wanted if each.name in self._workers]
        return [self._status(worker) for worker in workers]

    def get(self, name: str) -> EndpointStatus:
        """Return one endpoint.

        Raises:
            NotFound: the settings list no endpoint with this name.
        """
        return self._status(self._worker(name))

    def test(self, name: str) -> Outcome:
        """Send a test event now; see `EndpointWorker.test`.

        Raises:
            NotFound: the settings list no endpoint with this name.
        """
        return self._worker(name).test()

    def pause(self, name: str) -> None:
        """Send nothing to an endpoint until `resume`.

        Raises:
            NotFound: the settings list no endpoint with this name.
            JournalUnavailable: the journal cannot be written.
        """
        self._worker(name).pause()

    def resume(self, name: str) -> None:
        """Resume sending to a paused or ended endpoint, and try immediately.

        Raises:
            NotFound: the settings list no endpoint with this name.
            JournalUnavailable: the journal cannot be written.
        """
        self._worker(name).resume()

    def redeliver(self, name: str, sequence: int | None) -> int:
        """Send an event again, or all set-aside and unreached events; return the number of events.

        Raises:
            NotFound: the settings list no endpoint with this name, or the outbox no longer has the event.
            JournalUnavailable: the journal cannot be written.
        """
        worker = self._worker(name)
        if sequence is None:
            return worker.redeliver()
        if self._journal.events.get(sequence) is None:
            raise NotFound(f"the outbox has no event {sequence}; it keeps only the latest events")
        return worker.redeliver((sequence,))

    def _serve(self) -> None:
        wanted = {each.name: each for each in self._wanted}
        for name, worker in list(self._workers.items()):
            if wanted.get(name) != worker.endpoint:
                worker.stop()
                worker.join(deadline=Deadline.after(_CHANGING))
                del self._workers[name]
        for name, endpoint in wanted.items():
            if name not in self._workers:
                try:
                    self._workers[name] = EndpointWorker(endpoint, self._journal, self._environment)
                except JournalUnavailable:
                    continue  # see `journal_is_back`
                self._workers[name].start()
        self._drop_unknown(wanted)

    def _drop_unknown(self, wanted: dict[str, Endpoint]) -> None:
        """Forget the progress of endpoints that the settings no longer name."""
        try:
            for name in self._journal.memos.names(PREFIX):
                if name.removeprefix(PREFIX) not in wanted:
                    self._journal.memos.drop(name)
        except JournalUnavailable:
            return

    def _worker(self, name: str) -> EndpointWorker:
        worker = self._workers.get(name)
        if worker is None:
            named = ", ".join(each.name for each in self._wanted) or "none"
            raise NotFound(f"the settings name no webhook '{name}'; they name {named}")
        return worker

    def _status(self, worker: EndpointWorker) -> EndpointStatus:
        try:
            pending = worker.pending()
        except JournalUnavailable:
            pending = None
        return EndpointStatus(endpoint=worker.endpoint, progress=worker.progress, pending=pending)

    def _is_awaited(self, sequence: int, type_: str) -> bool:
        return any(worker.awaits(sequence, type_) for worker in list(self._workers.values()))
