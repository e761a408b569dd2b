"""The failovers of all cards whose settings ask for one; mostly none."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from lpad.engine.change import Kind
from lpad.engine.failover import ORIGIN, Failover

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lpad.deadline import Deadline
    from lpad.engine.book import Book
    from lpad.engine.card import CardPort
    from lpad.engine.change import Change, Json
    from lpad.engine.events import Hub
    from lpad.engine.failover import FailoverStatus
    from lpad.engine.idempotency import Submission
    from lpad.engine.snapshot import Snapshot
    from lpad.engine.worker import Worker


class Submit(Protocol):
    """Queues a change, as `Engine.submit` does."""

    def __call__(self, euicc: str, kind: Kind, *, params: dict[str, Json], origin: str) -> Submission:
        """Return it."""


class Failovers:
    """Started and stopped together."""

    def __init__(
        self,
        ports: Sequence[CardPort],
        *,
        workers: Mapping[str, Worker],
        book: Book,
        hub: Hub,
        submit: Submit,
    ) -> None:
        """Prepare those that the ports ask for.

        Args:
            ports: the cards.
            workers: their workers, by name.
            book: where their changes are written.
            hub: tells of them.
            submit: queues a change.
        """

        def switch(name: str, iccid: str, guard: dict[str, Json]) -> Change:
            params: dict[str, Json] = {"iccid": iccid, "guard": guard}
            return submit(name, Kind.ENABLE, params=params, origin=ORIGIN).change

        self._failovers = {
            port.name: Failover(
                port.name,
                port.failover,
                hub=hub,
                snapshot=partial(_snapshot, workers[port.name]),
                changes=partial(book.changes, euicc=port.name),
                inquiry=workers[port.name].inquiry,
                switch=partial(switch, port.name),
            )
            for port in ports
            if port.failover is not None
        }

    def start(self) -> None:
        """Have all begin to look."""
        for failover in self._failovers.values():
            failover.start()

    def stop(self) -> None:
        """Have all end."""
        for failover in self._failovers.values():
            failover.stop()

    def join(self, *, deadline: Deadline) -> None:
        """Wait until all have ended."""
        for failover in self._failovers.values():
            failover.join(deadline=deadline)

    @property
    def all_alive(self) -> bool:
        """Whether each of them looks."""
        return all(failover.alive for failover in self._failovers.values())

    @property
    def any_alive(self) -> bool:
        """Whether one of them has not ended."""
        return any(failover.alive for failover in self._failovers.values())

    def status(self, euicc: str) -> FailoverStatus | None:
        """Return how a card's stands; None where it has none."""
        failover = self._failovers.get(euicc)
        return failover.status if failover is not None else None


def _snapshot(worker: Worker) -> Snapshot:
    return worker.snapshot
