"""The workers: one for each card in the settings, started and stopped as the settings change."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from lpad.base.errors import Conflict, NotFound
from lpad.engine.change.change import PauseReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lpad.base.deadline import Deadline
    from lpad.engine.change.change import Change
    from lpad.engine.running.card.card_with_open_link import CardPort
    from lpad.engine.snapshot.snapshot import Snapshot
    from lpad.engine.worker.worker import Worker


class Hire(Protocol):
    """Creates a worker."""

    def __call__(self, port: CardPort, /, *, port_free: Callable[[], None]) -> Worker:
        """Return a worker for a card; `port_free` is called when the worker has released a port."""


class Workers:
    """All workers; readable from any thread, changed by one thread at a time."""

    def __init__(self, ports: Iterable[CardPort], hire: Hire) -> None:
        """Create a worker for each port; none works before `start`."""
        self._hire = hire
        self._changing = threading.Lock()
        self._workers: Mapping[str, Worker] = {
            port.name: hire(port, port_free=self._port_free) for port in ports
        }
        """The dictionary is replaced as a whole and never altered, so readers need no lock."""
        self._leaving: tuple[Worker, ...] = ()

    @property
    def by_name(self) -> Mapping[str, Worker]:
        """The workers by the names of their cards, in the order of the settings."""
        return self._workers

    def of(self, euicc: str) -> Worker:
        """Return a card's worker.

        Raises:
            NotFound: the settings name no such card.
        """
        workers = self._workers
        worker = workers.get(euicc)
        if worker is None:
            raise NotFound(f"there is no eUICC '{euicc}'; the settings list: {', '.join(workers) or 'none'}")
        return worker

    def holding(self, change: Change) -> Worker | None:
        """Return the ending worker that has a change, else the worker of its card; None: neither exists."""
        leaving = [each for each in self._leaving if each.queue.run(change.id) is not None]
        return next(iter(leaving), self._workers.get(change.euicc))

    def check_idle(self, euicc: str) -> None:
        """Check that no change runs on a card, nor on another eUICC behind the same port.

        Raises:
            NotFound: the settings name no such card.
            Conflict: a change runs.
        """
        transport = self.of(euicc).snapshot.transport
        for worker in self._workers.values():
            run = worker.queue.running
            if run is None or run.change.state.ended:
                continue
            if worker.snapshot.transport == transport:
                raise Conflict(
                    f"cannot restart the modem while change {run.change.id} ({run.change.kind}) runs: wait"
                    f" until it has ended, or cancel it with 'lpactl cancel {run.change.id}'"
                )

    def start(self) -> None:
        """Start all workers."""
        for worker in self._workers.values():
            worker.start()

    def become(self, ports: Iterable[CardPort]) -> None:
        """Create workers for new cards, end those of removed cards, and pass new settings to the others.

        Return immediately; an ending worker brings its running change to the next safe point.
        """
        with self._changing:
            before, wanted = self._workers, {port.name: port for port in ports}
            new = {
                name: self._hire(port, port_free=self._port_free)
                for name, port in wanted.items()
                if name not in before
            }
            gone = [worker for name, worker in before.items() if name not in wanted]
            self._leaving = (*(each for each in self._leaving if each.alive), *gone)
            self._workers = {name: before.get(name) or new[name] for name in wanted}
            for name, worker in before.items():
                if name in wanted:
                    worker.become(wanted[name])
            for worker in gone:
                worker.leave()
            for worker in new.values():
                worker.start()

    def stop(self) -> None:
        """Stop all workers at their next safe point."""
        for worker in (*self._workers.values(), *self._leaving):
            worker.stop()

    def join(self, *, deadline: Deadline) -> None:
        """Wait until all workers have ended."""
        for worker in (*self._workers.values(), *self._leaving):
            worker.join(deadline=deadline)

    @property
    def all_alive(self) -> bool:
        """Whether every card's worker runs."""
        return all(worker.alive for worker in self._workers.values())

    @property
    def alive(self) -> bool:
        """Whether any worker's thread still runs."""
        return any(worker.alive for worker in (*self._workers.values(), *self._leaving))

    def snapshots(self) -> list[Snapshot]:
        """Return the last snapshots of all cards."""
        return [worker.snapshot for worker in self._workers.values()]

    def release(self, *reasons: PauseReason) -> None:
        """Continue all changes that wait for one of `reasons`."""
        for worker in self._workers.values():
            worker.queue.release(*reasons)
            if not {PauseReason.NETWORK, PauseReason.TIME}.isdisjoint(reasons):
                worker.unattended.hurry()

    def adopt(self) -> None:
        """Make all workers resume the journal's changes after the journal was unwritable."""
        for worker in self._workers.values():
            worker.adopt()

    def tidy(self, eid: str) -> None:
        """Have a card's worker copy new notifications and remove delivered ones when it is idle."""
        for worker in self._workers.values():
            if worker.snapshot.eid == eid:
                worker.removal.request()

    def _port_free(self) -> None:
        """Make all workers try an unusable card again: new settings may give a card another card's port."""
        for worker in self._workers.values():
            worker.look_now()
