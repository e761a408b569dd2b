"""The failovers of all cards whose settings request failover; usually there are none."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from lpad.engine.change.change import FAILOVER
from lpad.engine.change.params import EnableParams
from lpad.engine.unattended.failover import Failover
from lpad.engine.unattended.failover_provisioning import OnFailover

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lpad.base.deadline import Deadline
    from lpad.engine.change.change import Change
    from lpad.engine.change.event_subscriptions import Hub
    from lpad.engine.change.idempotency import Submission
    from lpad.engine.change.params import GuardParams, Params
    from lpad.engine.lines.known_lines import KnownLines
    from lpad.engine.policy.health_rules import FailoverPolicy
    from lpad.engine.provisioning.wish_record import WishRecord
    from lpad.engine.running.card.card_with_open_link import CardPort
    from lpad.engine.running.card.idle_registration_query import RegistrationQuery
    from lpad.engine.running.card.last_seen_layers import LayerStates
    from lpad.engine.running.change_store import ChangeStore
    from lpad.engine.snapshot.snapshot import Snapshot
    from lpad.engine.unattended.failover import FailoverStatus


class Looked(Protocol):
    """The information on which failover decides: a card's last reading, registration and layer states."""

    @property
    def snapshot(self) -> Snapshot:
        """The last snapshot of the card."""

    @property
    def registration_query(self) -> RegistrationQuery:
        """The query for the modem's registration."""

    @property
    def layers(self) -> LayerStates:
        """The states of the data connection's layers."""


class Submit(Protocol):
    """Queues a change, as `Engine.submit` does."""

    def __call__(self, euicc: str, params: Params, *, origin: str) -> Submission:
        """Queue the change, and return its submission."""


class Failovers:
    """The failovers of all cards, started and stopped together."""

    def __init__(
        self,
        ports: Sequence[CardPort],
        *,
        worker: Callable[[str], Looked],
        store: ChangeStore,
        hub: Hub,
        submit: Submit,
        lines: KnownLines,
        wish: Callable[[str], WishRecord | None],
        cancel: Callable[[int], object],
    ) -> None:
        """Create the failovers that the ports' settings request.

        Args:
            ports: the ports of the cards.
            worker: returns a card's worker.
            store: stores the changes of the failovers.
            hub: gets the events of the failovers.
            submit: queues a change.
            lines: the platforms' reports on the lines of profiles.
            wish: returns a card's open wish.
            cancel: cancels a change.
        """
        self._wish = wish
        self._cancel = cancel
        self._lines = lines
        self._worker = worker
        self._store = store
        self._hub = hub
        self._submit = submit
        self._policies = _policies(ports)
        self._failovers: Mapping[str, Failover] = {
            name: self._made(name, policy) for name, policy in self._policies.items()
        }
        self._leaving: tuple[Failover, ...] = ()

    def become(self, ports: Sequence[CardPort]) -> None:
        """End the failovers that the ports' settings no longer request; begin new or changed ones."""
        before, policies = self._failovers, _policies(ports)
        kept = {
            name: failover
            for name, failover in before.items()
            if self._policies[name] == policies.get(name)
            and failover.looks_at(self._worker(name).registration_query)
        }
        new = {name: self._made(name, policy) for name, policy in policies.items() if name not in kept}
        gone = [failover for name, failover in before.items() if name not in kept]
        self._leaving = (*(each for each in self._leaving if each.alive), *gone)
        self._policies, self._failovers = policies, {**kept, **new}
        for failover in gone:
            failover.stop()
        for failover in new.values():
            failover.start()

    def start(self) -> None:
        """Start all failovers."""
        for failover in self._failovers.values():
            failover.start()

    def stop(self) -> None:
        """Have all failovers end; `join` waits for their ends."""
        for failover in (*self._failovers.values(), *self._leaving):
            failover.stop()

    def join(self, *, deadline: Deadline) -> None:
        """Wait until all failovers have ended."""
        for failover in (*self._failovers.values(), *self._leaving):
            failover.join(deadline=deadline)

    @property
    def all_alive(self) -> bool:
        """Whether the failover of every card runs."""
        return all(failover.alive for failover in self._failovers.values())

    @property
    def alive(self) -> bool:
        """Whether the thread of any failover still runs."""
        return any(failover.alive for failover in (*self._failovers.values(), *self._leaving))

    def status(self, euicc: str) -> FailoverStatus | None:
        """Return the status of a card's failover; None if the card has no failover."""
        failover = self._failovers.get(euicc)
        return failover.status if failover is not None else None

    def _made(self, name: str, policy: FailoverPolicy) -> Failover:
        worker = self._worker(name)
        return Failover(
            name,
            policy,
            hub=self._hub,
            snapshot=lambda: worker.snapshot,
            changes=partial(self._store.changes, euicc=name),
            since_end=self._store.since_end,
            registration_query=worker.registration_query,
            cause=self._lines.cause,
            switch=partial(self._switch, name),
            layers=worker.layers,
            provisioning=None
            if policy.provisioning is None
            else OnFailover(
                policy.provisioning,
                changes=partial(self._store.changes, euicc=name),
                submit=partial(self._submit, name, origin=FAILOVER),
                wish=partial(self._wish, name),
                cancel=self._cancel,
            ),
        )

    def _switch(self, name: str, iccid: str, guard: GuardParams) -> Change:
        return self._submit(name, EnableParams(iccid=iccid, guard=guard), origin=FAILOVER).change


def _policies(ports: Sequence[CardPort]) -> dict[str, FailoverPolicy]:
    return {port.name: port.failover for port in ports if port.failover is not None}
