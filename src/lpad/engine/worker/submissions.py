"""Requests for changes: a repeated request leads to its change; a new one is checked, stored and queued."""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from lpad.base.errors import Conflict, LpadError, NotFound
from lpad.engine.change.change import CALLER, EID, Kind
from lpad.engine.change.idempotency import Submission
from lpad.engine.change.params import DownloadParams, ProvisionParams
from lpad.engine.change.types_by_kind import kind_of
from lpad.engine.policy.provisioning import RETRY_FOR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lpad.engine.change.change import Change
    from lpad.engine.change.idempotency import IdempotencyKey
    from lpad.engine.change.params import Params
    from lpad.engine.provisioning.platforms import Platforms
    from lpad.engine.provisioning.wish_record import WishRecord
    from lpad.engine.provisioning.wish_store import WishStore
    from lpad.engine.running.card.card_with_open_link import CardPort
    from lpad.engine.running.change_question_answer import Answer
    from lpad.engine.running.change_store import ChangeStore
    from lpad.engine.running.operation_context import Timeouts
    from lpad.engine.worker.worker import Worker
    from lpad.engine.worker.workers import Workers

log = logging.getLogger(__name__)


class Submissions:
    """The requests for all cards, one at a time; used by any thread."""

    def __init__(
        self,
        workers: Workers,
        *,
        store: ChangeStore,
        timeouts: Timeouts,
        platforms: Platforms,
        wish: Callable[[str], WishRecord | None],
    ) -> None:
        """Create the object for the requests.

        Args:
            workers: carry out the changes.
            store: stores the changes.
            timeouts: how long a download is retried if its request does not set a limit.
            platforms: may be queried earlier if a request is repeated.
            wish: returns a card's open wish.
        """
        self._workers = workers
        self._store = store
        self._timeouts = timeouts
        self._platforms = platforms
        self._wish = wish
        self._one_at_a_time = threading.Lock()

    def submit(
        self,
        euicc: str,
        params: Params,
        *,
        secrets: dict[str, str] | None = None,
        key: IdempotencyKey | None = None,
        origin: str = CALLER,
        asked_by: int | None = None,
    ) -> Submission:
        """Queue a change, which is on disk when the method returns.

        Args:
            params: the parameters without secrets.
            secrets: the secret parameters, by name.
            key: the request's idempotency key, if any; the same key leads to the same change.
            asked_by: the caller's user ID; None: lpad itself.

        Returns:
            The change; an existing one if the request is a repetition, or asks for a download of an order
            that is already in progress.

        Raises:
            NotFound: the settings name no such card.
            Conflict: a restart of the modem is requested while a change runs.
            WouldGoOffline: the device would lose its connection, which the request does not accept.
            TooManyChanges: too many changes are queued.
            KeyReused: the key belongs to another request.
        """
        with self._one_at_a_time:
            worker = self._workers.of(euicc)
            if key is not None and (known := self._store.asked_before(key)) is not None:
                return Submission(known, repeated=True)
            # The change is only for the card that the caller saw.
            shown = {EID: eid} if (eid := worker.snapshot.eid) is not None else {}
            private = shown | (secrets or {})
            if isinstance(params, ProvisionParams):
                if params.retry_for is None:
                    params = msgspec.structs.replace(params, retry_for=RETRY_FOR)
            elif isinstance(params, DownloadParams) and params.retry_for is None and self._timeouts.retry:
                params = msgspec.structs.replace(params, retry_for=self._timeouts.retry)
            kind = kind_of(params)
            if kind.downloads:
                for same in self._same(euicc, params, secrets=private):
                    if not worker.queue.taken_back(same.id):
                        return self._repeated(same, worker, key=key, origin=origin)
            if kind is Kind.RESTART_MODEM:
                self._workers.check_idle(euicc)
            worker.check_offline(params, origin=origin)
            worker.queue.check_place(kind, asked_by=asked_by, origin=origin)
            change = self._store.add(
                euicc, params, secrets=private, key=key, origin=origin, asked_by=asked_by
            )
            worker.queue.submit(change)
        return Submission(change)

    def _same(self, euicc: str, params: Params, *, secrets: dict[str, str]) -> list[Change]:
        """Return the unfinished changes that a request would repeat; a card has one wish at a time."""
        if not isinstance(params, ProvisionParams):
            return self._store.under_way(euicc, params, secrets=secrets)
        wishes = (each for each in self._store.unended() if each.kind is Kind.PROVISION)
        return [each for each in wishes if each.euicc == euicc]

    def _repeated(
        self, same: Change, worker: Worker, *, key: IdempotencyKey | None, origin: str
    ) -> Submission:
        """Return the change that a request repeats, and hasten its query to a platform, if it has one."""
        if key is not None:
            self._store.note(key, same.id)
        wish = self._wish(same.euicc) if same.kind is Kind.PROVISION and origin == CALLER else None
        platform = self._platforms.get(wish.platform) if wish is not None else None
        if platform is not None:
            name, every = platform.name, platform.can.look_every
            take = partial(self._platforms.hints.take, name, every)
            worker.queue.hasten(same.id, take)
        return Submission(self._store.change(same.id), repeated=True)

    def answer(self, change_id: int, answer: Answer, *, key: IdempotencyKey | None = None) -> Submission:
        """Answer a waiting change; the same answer with the same key counts once.

        Raises:
            NotFound: there is no such change.
            Conflict: the change does not wait for an answer, or waits for a different one.
            KeyReused: the key belongs to another request.
        """
        change = self._store.change(change_id)
        with self._one_at_a_time:
            if key is not None and (known := self._store.asked_before(key)) is not None:
                return Submission(known, repeated=True)
            worker = self._workers.holding(change)
            run = worker.queue.run(change_id) if worker else None
            if worker is None or run is None:
                raise Conflict(f"cannot answer change {change_id}: it is {change.state} and asks no question")
            worker.queue.answer(run, answer)
            if key is not None:
                self._note(key, change_id)
        return Submission(self._store.change(change_id))

    def close_wish(self, euicc: str, wishes: WishStore) -> WishRecord:
        """Close an abandoned wish, even if its order has already been paid; return the wish.

        The order remains at the platform. A later request finds the order there and uses it, so that
        it is not paid for twice.

        Raises:
            NotFound: the settings name no such card, or it has no open wish.
            Conflict: a change works on the wish, or the card was not read.
            JournalUnavailable: the journal cannot be written.
        """
        with self._one_at_a_time:
            eid = self._workers.of(euicc).snapshot.eid
            if eid is None:
                raise Conflict(
                    f"cannot close the wish of '{euicc}': lpad has not read the card, so it does not know"
                    " which wish is the card's; 'lpactl status' shows why"
                )
            for change in self._store.unended():
                if change.kind is Kind.PROVISION and change.euicc == euicc:
                    raise Conflict(
                        f"cannot close the wish of '{euicc}': change {change.id} works on it; cancel the"
                        f" change first with 'lpactl cancel {change.id}', which gives the order back if the"
                        " platform accepts this",
                        change=change.id,
                    )
            record = wishes.get(eid)
            if record is None:
                raise NotFound(f"the card '{euicc}' has no open wish")
            wishes.close(eid)
        log.warning(
            "%s: its wish at the platform '%s' is closed on request; any order remains there",
            euicc,
            record.platform,
        )
        return record

    def _note(self, key: IdempotencyKey, change_id: int) -> None:
        """Remember an answer's key; a failure does not undo the answer."""
        try:
            self._store.note(key, change_id)
        except LpadError as error:
            log.warning(
                "change %d: the idempotency key of its answer could not be saved: %s (%s)",
                change_id,
                error,
                error.kind,
            )

    def become(self, ports: Sequence[CardPort]) -> None:
        """Serve the cards at these ports from now on; no change is queued with a worker that has ended."""
        with self._one_at_a_time:
            self._workers.become(ports)
