"""A first profile for a card without an operational one, from the sources that the settings list.

lpad asks the sources in turn, such as the default SM-DP+, the SM-DSs and operators' platforms. If all sources
were asked without success, lpad waits before it starts again.

Each attempt is a change like any other. The number of attempts and the time of the next attempt are stored
before an attempt begins. So a device that keeps restarting does not ask a server each time.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.base.backoff import Backoff
from lpad.base.errors import LpadError, NotFound
from lpad.base.frozen import Frozen
from lpad.engine.change.change import EID, PROVISION, Kind
from lpad.engine.change.params import DownloadParams, GuardParams, ProvisionParams
from lpad.engine.discovery.smds_event_store import WITHOUT_NETWORK, is_unsent
from lpad.engine.policy.discovery import DISCOVERY
from lpad.engine.policy.provisioning import DEFAULT_SMDP, RETRY_FOR
from lpad.engine.snapshot.snapshot import CardState
from lpad.engine.unattended.unattended_attempt_base import OwnAttempts
from lpad.engine.unattended.unattended_discovery import discovery_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.change.change import Change, Failure
    from lpad.engine.change.params import DiscoverParams
    from lpad.engine.journal import Journal
    from lpad.engine.running.card.card_with_open_link import Card
    from lpad.engine.running.change_store import ChangeStore
    from lpad.engine.running.operation_context import Timeouts
    from lpad.engine.snapshot.snapshot import Snapshot

log = logging.getLogger(__name__)

BACKOFF = Backoff((600, 3600, 6 * 3600, 24 * 3600))
"""Seconds between two rounds through the sources."""
_REST = 10.0
"""Seconds from the return of the network until lpad repeats an attempt that found no network."""
NEXT_SOURCE = Backoff((10,))
"""Seconds between an attempt with one source and an attempt with the next."""


class ProvisioningState(Frozen, kw_only=True):
    """The number of attempts for a card, and the time of the next attempt on the journal's steady clock.

    `change` is the latest discovery, until its result is known.
    """

    attempts: int = 0
    next_at: float = 0.0
    change: int | None = None


class Provisioning(OwnAttempts):
    """The decisions about a card's first profile."""

    def __init__(
        self,
        card: Card,
        *,
        store: ChangeStore,
        journal: Journal,
        timeouts: Timeouts,
        submit: Callable[[Change], None],
        discovering: Callable[[str], bool],
    ) -> None:
        """Create the object; `discovering` returns whether a card's event is being or will be downloaded."""
        super().__init__(card, store=store, journal=journal, timeouts=timeouts, submit=submit)
        self._discovering = discovering
        self._without_network = False
        self._hurried_at: float | None = None

    def state(self, eid: str | None) -> ProvisioningState | None:
        """Return the state of a card; None if lpad requests no profile for the card."""
        if not self._card.port.provisioning.on_empty or eid is None:
            return None
        try:
            return self._journal.memos.get(_name(eid), ProvisioningState) or ProvisioningState()
        except LpadError as error:
            log.debug("%s: %s (%s)", self._card.port.name, error, error.kind)
            return ProvisioningState()

    def look(self, card: Snapshot) -> None:
        """Decide whether and when to request a profile; called after each reading and each attempt."""
        self._due_at = None
        sources = self._card.port.provisioning.on_empty
        if not sources or card.state is not CardState.READY or card.eid is None:
            return
        if not card.listed.certainly_unprovided:
            # An unreadable entry may be the active profile, which must not be interrupted without a
            # request.
            if not card.unreadable and self.state(card.eid) != ProvisioningState():
                self._journal.memos.drop(_name(card.eid))
            return
        if not self._sources(card) or self._under_way(card.eid):
            return
        state = self._settled(card.eid)
        wait = self._journal.clock.now().until(state.next_at, longest=BACKOFF.longest)
        if self._without_network and self._hurried_at is not None:
            wait = min(wait, max(0.0, self._hurried_at - time.monotonic()))
        self._due_at = time.monotonic() + wait

    def hurry(self) -> None:
        """Plan an early repetition of an attempt that found no network; for any thread."""
        self._hurried_at = time.monotonic() + _REST
        if self._without_network and self._due_at is not None:
            self._due_at = min(self._due_at, self._hurried_at)

    def begin(self, card: Snapshot) -> None:
        """Begin an attempt: store the time of the next attempt, then queue the change."""
        self._due_at = None
        self._hurried_at = None
        if card.eid is None:
            return
        sources = self._sources(card)
        if not sources:
            return
        state = self.state(card.eid) or ProvisioningState()
        rounds, place = divmod(state.attempts, len(sources))
        attempts = state.attempts + 1
        last = place == len(sources) - 1
        wait = BACKOFF.after(rounds + 1) if last else NEXT_SOURCE.after(1)
        next_at = self._journal.clock.now().steady + wait
        following = ProvisioningState(attempts=attempts, next_at=next_at)
        params = self._asked(sources[place])
        try:
            self._journal.memos.put(_name(card.eid), following)
            change = self._store.add(card.name, params, secrets={EID: card.eid}, origin=PROVISION)
            if change.kind is Kind.DISCOVER:  # a download itself waits for a network
                self._journal.memos.put(_name(card.eid), replace(following, change=change.id))
        except LpadError as error:
            log.warning("%s: cannot request a first profile now: %s (%s)", card.name, error, error.kind)
            self._postpone()
            return
        log.info(
            "%s: the card has no operational profile; requesting one from %s",
            card.name,
            self._told(sources[place], card),
        )
        self._submit(change)

    def _settled(self, eid: str) -> ProvisioningState:
        """Return the state with the last discovery's result included, and store it.

        An attempt that could ask no server, for lack of a network, does not count and is soon repeated.
        """
        state = self.state(eid) or ProvisioningState()
        if state.change is None:
            return state
        error = self._error_of(state.change)
        self._without_network = error is not None and is_unsent(error)
        settled = replace(state, change=None)
        if self._without_network:
            soon = self._journal.clock.now().steady + WITHOUT_NETWORK.after(1)
            settled = replace(settled, attempts=max(0, state.attempts - 1), next_at=soon)
        try:
            self._journal.memos.put(_name(eid), settled)
        except LpadError as trouble:
            log.debug("the result of an attempt is stored later: %s (%s)", trouble, trouble.kind)
        return settled

    def _error_of(self, change_id: int) -> Failure | None:
        try:
            return self._store.change(change_id).error
        except NotFound:
            return None

    def _sources(self, card: Snapshot) -> tuple[str, ...]:
        """Return the usable sources; the default SM-DP+ only if the card or the settings name one."""
        named = self._card.port.provisioning.on_empty
        return tuple(each for each in named if each != DEFAULT_SMDP or self._address(card))

    def _asked(self, source: str) -> DownloadParams | DiscoverParams:
        """Return the parameters of the change that asks a source."""
        policy = self._card.port.provisioning
        guard = GuardParams(until=policy.until, within=policy.within) if policy.until else None
        if source == DISCOVERY:
            return discovery_of(self._card.port.discovery)
        if source == DEFAULT_SMDP:
            return DownloadParams(
                default=True, enable=True, when_online=True, retry_for=self._timeouts.retry, guard=guard
            )
        return ProvisionParams(platform=source, retry_for=RETRY_FOR, guard=guard)

    def _told(self, source: str, card: Snapshot) -> str:
        if source == DISCOVERY:
            return "the SM-DSs"
        return str(self._address(card)) if source == DEFAULT_SMDP else f"the platform '{source}'"

    def _address(self, card: Snapshot) -> str | None:
        if self._card.port.default_smdp is not None:
            return str(self._card.port.default_smdp)
        return card.addresses.default_smdp if card.addresses is not None else None

    def _under_way(self, eid: str) -> bool:
        """Return whether a download or a discovery for this card has not ended, lpad's own or a caller's."""
        return self._discovering(eid) or any(
            (change.kind.downloads or change.kind is Kind.DISCOVER) and not change.state.ended
            for change in self._store.changes(euicc=self._card.port.name)
        )


def _name(eid: str) -> str:
    return f"provision {eid}"
