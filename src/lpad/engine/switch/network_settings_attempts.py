"""The attempts at a step of a switch's network settings, repeated for a limited time, and their failures."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import Cancelled
from lpad.engine.change.results import NetworkFailure
from lpad.network.applier_interface import Applied, Failed, TryAgain
from lpad.network.connection_layer_names import Layer

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.cancellation import Cancellation
    from lpad.engine.switch.network_step_reporting import Steps
    from lpad.network.applier_interface import Outcome
    from lpad.network.connection_layer_names import Culprit

    Act = Callable[[Deadline], Outcome]

log = logging.getLogger(__name__)

_LEAST = 1.0
"""The minimum number of seconds for a step, even if the guard's time has nearly passed."""


class NetworkAttempts:
    """The attempts at the steps of one switch, one step after the other; no attempt raises an error."""

    def __init__(self, steps: Steps, *, limit: float, until: Deadline | None) -> None:
        """Create the object; nothing is attempted yet.

        Args:
            steps: names the current step.
            limit: the maximum number of seconds for a step.
            until: when the guard's time ends; None: there is no guard.
        """
        self._steps = steps
        self._limit = limit
        self.until = until
        """When the guard's time ends; None: there is no guard."""
        self.failures: list[NetworkFailure] = []
        """The failures so far, one for each failed step."""
        self.cut_off = False
        """Whether a step was cancelled, so that it must be repeated once the card can be read again."""

    def make(
        self,
        act: Act,
        *,
        ends: Cancellation | None = None,
        once: bool = False,
        culprit: Culprit = Layer.MODEM,
    ) -> Outcome:
        """Repeat a step until it is done, has failed, or its time has passed; a failure is kept and logged.

        Args:
            act: makes one attempt.
            ends: ends the wait early; None: only the end of lpad ends the wait.
            once: whether to make one attempt only.
            culprit: the layer that a report names if the attempt is cancelled, or fails because of a fault in
                lpad.
        """
        ends = ends or self._steps.ending
        deadline = self.deadline(ends)
        woken = threading.Event()
        while True:
            try:
                deadline.check()
                outcome = act(deadline)
            except Cancelled as error:
                self.cut_off = True
                outcome = TryAgain(layer=culprit, told=error.sentence)
                break
            except Exception:  # a fault in an applier must not prevent the rollback
                log.exception("change %d: internal-error", self._steps.change_id)
                outcome = Failed(layer=culprit, told="a fault in lpad has ended the step; see lpad's log")
            if once or not isinstance(outcome, TryAgain) or deadline.remaining() <= outcome.after:
                break
            with ends.waking(woken.set):
                woken.wait(outcome.after)
        step = self._steps.name
        if isinstance(outcome, Applied):
            log.info("change %d: %s: %s", self._steps.change_id, step, outcome.told)
            return outcome
        log.warning("change %d: %s: %s", self._steps.change_id, step, outcome.told)
        cause = outcome.cause if isinstance(outcome, Failed) else None
        self.failures.append(
            NetworkFailure(
                step=step,
                layer=outcome.layer.value,
                told=outcome.told,
                cause=None if cause is None else str(cause),
            )
        )
        return outcome

    def deadline(self, ends: Cancellation) -> Deadline:
        """Return the deadline of a step that begins now, according to the settings and the guard."""
        limit = Deadline.after(self._limit, cancellation=ends)
        return limit if self.until is None else limit.within(max(_LEAST, self.until.remaining()))
