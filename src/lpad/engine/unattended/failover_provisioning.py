"""The request for another profile when failover has tried every profile without success.

The request is an ordinary wish of the card: a repetition resumes the open wish, and a second order needs a
user's answer.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from lpad.base.errors import Conflict, NotFound
from lpad.engine.change.change import FAILOVER, Kind
from lpad.engine.change.params import GuardParams, ProvisionParams

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.change.change import Change
    from lpad.engine.change.idempotency import Submission
    from lpad.engine.change.params import Params
    from lpad.engine.policy.provisioning import ProvisioningPolicy
    from lpad.engine.provisioning.wish_record import WishRecord

log = logging.getLogger(__name__)


class _Submit(Protocol):
    def __call__(self, params: Params, /) -> Submission:
        """Queue a change for the card."""


class OnFailover:
    """Failover's requests for another profile, for one card."""

    def __init__(
        self,
        policy: ProvisioningPolicy,
        *,
        changes: Callable[[], list[Change]],
        submit: _Submit,
        wish: Callable[[], WishRecord | None],
        cancel: Callable[[int], object],
    ) -> None:
        """Create the object; nothing is requested yet.

        Args:
            policy: names the platform, and the guard.
            changes: returns the card's changes, newest first.
            submit: queues a change in the name of failover.
            wish: returns the card's open wish.
            cancel: cancels a change.
        """
        self._policy = policy
        self._changes = changes
        self._submit = submit
        self._wish = wish
        self._cancel = cancel

    def begin(self, healthy: GuardParams) -> None:
        """Request a profile, or resume the open wish.

        Args:
            healthy: the guard of the switch to the new profile, unless the settings have one.
        """
        assert self._policy.on_failover is not None, "otherwise nothing is requested"
        guard = healthy
        if self._policy.until:
            guard = GuardParams(until=self._policy.until, within=self._policy.within)
        self._submit(ProvisionParams(platform=self._policy.on_failover, guard=guard))

    def withdraw(self) -> None:
        """Cancel failover's own request unless a profile was ordered; called when a profile works again."""
        wish = self._wish()
        if wish is not None and (wish.paid or wish.unfinished_step):
            return
        for change in self._changes():
            if change.origin == FAILOVER and change.kind is Kind.PROVISION and not change.state.ended:
                log.info("change %d: another profile is no longer needed", change.id)
                try:
                    self._cancel(change.id)
                except (Conflict, NotFound):  # the change has ended meanwhile
                    continue
