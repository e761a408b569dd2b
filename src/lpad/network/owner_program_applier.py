"""The applier `command`: the owner's program makes the connection, as on OpenWrt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from lpad.network.applier_interface import UNKNOWN_CONNECTION
from lpad.network.hook_runner_client import RunnerClient, environment
from lpad.network.hook_runner_messages import Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.base.deadline import Deadline
    from lpad.network.applier_interface import Connection, Outcome, Wanted


class CommandApplier(Struct, frozen=True):
    """Makes the runner run the owner's command; the variable LPAD_EVENT contains the step's name."""

    runner: RunnerClient
    name = "command"
    reconnects = False
    signals = ()

    def prepare(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        """Run the command before the switch."""
        return self._run("prepare", wanted, deadline)

    def apply(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        """Run the command once card and modem agree on the profile."""
        return self._run("apply", wanted, deadline)

    def connect(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        """Run the command once the modem has been returned."""
        return self._run("connect", wanted, deadline)

    def verify(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        """Run the command to check whether the settings are in force."""
        return self._run("verify", wanted, deadline)

    def undo(self, wanted: Wanted, memory: Mapping[str, str], *, deadline: Deadline) -> Outcome:  # noqa: ARG002 - required by the protocol
        """Run the command when the switch is rolled back, or ends before the card is asked."""
        return self._run("undo", wanted, deadline)

    def forget(self, iccid: str, *, deadline: Deadline) -> Outcome:
        """Run the command when the profile is deleted."""
        variables = {"LPAD_EVENT": "forget", "LPAD_ICCID": iccid}
        return self.runner.run(Task.COMMAND, variables, deadline=deadline)

    def look(self, wanted: Wanted, *, deadline: Deadline) -> Connection:  # noqa: ARG002 - required by the protocol
        """Return an unknown state; a reachability check of the guard shows whether there is a connection."""
        return UNKNOWN_CONNECTION

    def _run(self, event: str, wanted: Wanted, deadline: Deadline) -> Outcome:
        variables = environment(event, wanted)
        return self.runner.run(Task.COMMAND, variables, password=wanted.settings.password, deadline=deadline)
