"""The applier `none`: lpad does not change the device's connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.network.applier_interface import UNKNOWN_CONNECTION, Applied

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.base.deadline import Deadline
    from lpad.network.applier_interface import Connection, Outcome, Wanted

_NOTHING = Applied(told="no applier is set up, so lpad changes nothing but the card")


class NoApplier:
    """Does nothing, and reports this."""

    name = "none"
    reconnects = False
    signals = ()

    def prepare(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:  # noqa: ARG002 - required by the protocol
        """Do nothing."""
        return _NOTHING

    apply = connect = verify = prepare

    def undo(self, wanted: Wanted, memory: Mapping[str, str], *, deadline: Deadline) -> Outcome:  # noqa: ARG002 - required by the protocol
        """Do nothing."""
        return _NOTHING

    def forget(self, iccid: str, *, deadline: Deadline) -> Outcome:  # noqa: ARG002 - required by the protocol
        """Do nothing."""
        return _NOTHING

    def look(self, wanted: Wanted, *, deadline: Deadline) -> Connection:  # noqa: ARG002 - required by the protocol
        """Return an unknown state."""
        return UNKNOWN_CONNECTION


NO_APPLIER = NoApplier()
