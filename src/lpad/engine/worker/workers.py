"""The workers: one for each card in the settings, started and stopped as these change."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from lpad.base.errors import Conflict, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lpad.base.deadline import Deadline
    from lpad.engine.change.change import Change, PauseReason
    from lpad.engine.running.held_card import CardPort
    from lpad.engine.snapshot.snapshot import Snapshot
    from lpad.engine.worker.worker import Worker


class Hire(Protocol):
    """Makes a worker."""

    def __call__(self, port: CardPort, /, *, port_free: Callable[[], None]) -> Worker:
        """Return a worker for a card; `port_free` is called when it has let a port go."""


class Workers:
    """Read from any thread; one at a time changes it."""

    def __init__(self, ports: Iterable[CardPort], hire: Hire) -> None:
        """Hire a worker for each port; none works before `start`.

        Args:
            ports: the cards.
            hire: makes a worker.
        """
        self._hire = hire
        self._changing = threading.Lock()
        self._workers: Mapping[str, Worker] = {
            port.name: hire(port, port_free=self._port_free) for port in ports
        }
        """Replaced as a whole, never altered: whoever reads it needs no lock."""
        self._leaving: tuple[Worker, ...] = ()

    @property
    def by_name(self) -> Mapping[str, Worker]:
        """Those whose cards the settings name, in the settings' order."""
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
        """Return who has a change, which may be one that leaves; None where nobody does."""
        leaving = [each for each in self._leaving if each.queue.run(change.id) is not None]
        return next(iter(leaving), self._workers.get(change.euicc))

    def check_idle(self, euicc: str) -> None:
        """See that no change runs on a card, nor on another eUICC behind the same port.

        Raises:
            NotFound: the settings name no such card.
            Conflict: one does.
        """
        transport = self.of(euicc).snapshot.transport
        for worker in self._workers.values():
            run = worker.queue.running
            if run is None or run.change.state.ended:
                continue
            if worker.snapshot.transport == transport:
                raise Conflict(
                    f"can't restart the modem while change {run.change.id} ({run.change.kind}) runs: wait"
                    f" until it has ended, or cancel it with 'lpactl cancel {run.change.id}'"
                )

    def start(self) -> None:
        """Have all begin."""
        for worker in self._workers.values():
            worker.start()

    def become(self, ports: Iterable[CardPort]) -> None:
        """Hire for cards that are new, let go those whose cards are not named any more, tell the others.

        Returns at once; a change under way is brought to its next safe point by a worker that leaves.
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
        """Have all end at their next safe point."""
        for worker in (*self._workers.values(), *self._leaving):
            worker.stop()

    def join(self, *, deadline: Deadline) -> None:
        """Wait for the end."""
        for worker in (*self._workers.values(), *self._leaving):
            worker.join(deadline=deadline)

    @property
    def all_alive(self) -> bool:
        """Whether every card has its worker."""
        return all(worker.alive for worker in self._workers.values())

    @property
    def any_alive(self) -> bool:
        """Whether one of them has not ended, or leaves."""
        return any(worker.alive for worker in (*self._workers.values(), *self._leaving))

    def snapshots(self) -> list[Snapshot]:
        """Return all cards as they were last read."""
        return [worker.snapshot for worker in self._workers.values()]

    def release(self, *reasons: PauseReason) -> None:
        """Have all changes go on that wait for one of these."""
        for worker in self._workers.values():
            worker.queue.release(*reasons)

    def adopt(self) -> None:
        """Have all take up what the journal holds, which could not be written until now."""
        for worker in self._workers.values():
            worker.adopt()

    def tidy(self, eid: str) -> None:
        """Have delivered notifications taken off a card."""
        for worker in self._workers.values():
            if worker.snapshot.eid == eid:
                worker.tidy()

    def _port_free(self) -> None:
        """Have all who were refused a port look again: settings may give one card another's port."""
        for worker in self._workers.values():
            worker.look_now()
