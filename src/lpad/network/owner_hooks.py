"""The owner's hooks: executables in the runner's folder, run at each event in the order of their names."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from lpad.base.frozen import Frozen
from lpad.network.applier_interface import Applied
from lpad.network.hook_runner_client import environment
from lpad.network.hook_runner_messages import Task

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.network.applier_interface import Outcome, Wanted
    from lpad.network.hook_runner_client import RunnerClient


class HookEvent(enum.StrEnum):
    """The events at which hooks are run."""

    PRE_SWITCH = "pre-switch"
    POST_SWITCH = "post-switch"
    ROLLED_BACK = "rolled-back"
    CONFIRMED = "confirmed"
    DOWNLOADED = "downloaded"
    DELETED = "deleted"


class Hooks(Frozen):
    """Makes the runner run the hooks; the first hook that fails ends the run."""

    runner: RunnerClient | None = None
    """None: the settings request no hooks."""

    def run(self, event: HookEvent, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        """Run the hooks for an event and return the result."""
        if self.runner is None:
            return Applied(told="no hooks are set up")
        return self.runner.run(
            Task.HOOKS,
            environment(event.value, wanted),
            password=wanted.settings.password,
            deadline=deadline,
        )


NO_HOOKS = Hooks()
