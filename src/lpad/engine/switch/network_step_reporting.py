"""The receivers of network steps: one shows them in the switch's change, the other belongs to no change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lpad.base.frozen import Frozen
from lpad.engine.change.change import RESCUE

if TYPE_CHECKING:
    from lpad.base.cancellation import Cancellation
    from lpad.engine.running.run import Run


class Steps(Protocol):
    """Receives each network step as it begins; a change shows those of a switch that it carries out."""

    @property
    def change_id(self) -> int:
        """The number of the change that contains the switch; 0: there is none."""

    @property
    def origin(self) -> str:
        """The requester of the switch."""

    @property
    def name(self) -> str:
        """The current step."""

    @property
    def cancellation(self) -> Cancellation:
        """Ends the waits before the switch is sent to the card."""

    @property
    def ending(self) -> Cancellation:
        """Ends the waits after the switch was sent to the card, when lpad stops."""

    def step(self, name: str) -> None:
        """Begin a step at which the change may be cancelled.

        Raises:
            Cancelled: the change was cancelled.
        """

    def follow(self, name: str) -> None:
        """Begin a step that cannot be cancelled."""


class StepsOfRun(Frozen):
    """Shows the network steps in their change."""

    run: Run

    @property
    def change_id(self) -> int:
        """The change's number."""
        return self.run.change.id

    @property
    def origin(self) -> str:
        """The requester of the switch."""
        return self.run.change.origin

    @property
    def name(self) -> str:
        """The current step."""
        return self.run.change.step or ""

    @property
    def cancellation(self) -> Cancellation:
        """Ends the waits before the switch is sent to the card."""
        return self.run.cancellation

    @property
    def ending(self) -> Cancellation:
        """Ends the waits after the switch was sent to the card, when lpad stops."""
        return self.run.ending

    def step(self, name: str) -> None:
        """Begin a step at which the change may be cancelled.

        Raises:
            Cancelled: the change was cancelled.
        """
        self.run.step(name)

    def follow(self, name: str) -> None:
        """Begin a step that cannot be cancelled."""
        self.run.follow(name)


class StepsAfterCut:
    """Receives steps that no change shows, such as those that settle an interrupted switch."""

    def __init__(self, change_id: int, ending: Cancellation) -> None:
        """Create the receiver without a current step.

        Args:
            change_id: the change whose switch was interrupted; 0: there is none.
            ending: ends the waits when lpad stops.
        """
        self.change_id = change_id
        self.ending = ending
        self.origin = RESCUE
        self.name = ""

    @property
    def cancellation(self) -> Cancellation:
        """Ends the waits when lpad stops, because there is no switch to cancel."""
        return self.ending

    def step(self, name: str) -> None:
        """Begin a step."""
        self.name = name

    def follow(self, name: str) -> None:
        """Begin a step."""
        self.name = name
