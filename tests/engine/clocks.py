"""The clocks of a device; a test sets them, and decides when the device boots."""

from __future__ import annotations

from lpad.engine.change.steady_clock import Moment, SteadyClock

TODAY = 1_800_000_000.0
DAY = 24 * 3600.0
YEAR = 365 * DAY


class Clocks:
    """A device whose time passes only when a test asks for it."""

    def __init__(self, *, wall: float = TODAY) -> None:
        self.wall = wall
        self._boot = 100.0
        self._boots = 1
        self._running = 0.0

    def read(self) -> Moment:
        return Moment(wall=self.wall, boot=self._boot, boot_id=f"boot {self._boots}")

    def clock(self) -> SteadyClock:
        """Return the clock of an lpad that starts now."""
        return SteadyClock(read=self.read, running=lambda: self._running)

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += seconds
        self._boot += seconds
        self._running += seconds

    def reboot(self, *, off: float = 0.0, wall: float | None = None, boot: float = 20.0) -> None:
        """Switch the device off and on again; its clock then shows `wall`, or the right time."""
        self.wall = self.wall + off + boot if wall is None else wall
        self._boots += 1
        self._boot = boot
