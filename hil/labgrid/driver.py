"""A place of the bench as a labgrid driver; an active driver has a running daemon and the right card."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import attr
from labgrid.driver import Driver
from labgrid.factory import target_factory
from labgrid.step import step

from hil.bench_file.bench_file import BenchFile
from hil.place.place import Place
from hil.place.place_claim import Claim
from hil.place.place_states import Stand

if TYPE_CHECKING:
    from lpad.client import Change, Profile


@target_factory.reg_driver
@attr.s(eq=False)
class LpadDriver(Driver):
    """Talks to a place's lpad; deactivation restores the card.

    Attributes:
        evidence: a folder for logs and records.
        place: the bench's place, while the driver is active.
    """

    bindings: ClassVar[dict[str, str]] = {"resource": "LpadPlace"}
    evidence: str = attr.ib(default="lpad-evidence", validator=attr.validators.instance_of(str))

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.place: Place | None = None

    def on_activate(self) -> None:
        """Power the place, start its daemon, and check that the card is the right one."""
        file, name = BenchFile.read(Path(self.resource.bench)), self.resource.place
        claim = Claim(file.resolve(file.bench.state) / name, place=name)
        place = Place(
            file,
            name,
            evidence=Path(os.fspath(self.evidence)) / self.resource.place,
        )
        place.__enter__()
        try:
            place.strategy.to(Stand.KNOWN_CARD)
        except BaseException:
            place.__exit__(None, None, None)
            claim.close()
            raise
        self.place, self._claim = place, claim

    def on_deactivate(self) -> None:
        """Restore the card, and stop the daemon."""
        place, self.place = self.place, None
        if place is not None:
            try:
                place.restore()
                place.clean()
            finally:
                place.__exit__(None, None, None)
                self._claim.close()

    @Driver.check_active
    @step(result=True)
    def profiles(self) -> list[Profile]:
        """Return the card's profiles."""
        place = self._active
        return place.client.profiles(place.name)

    @Driver.check_active
    @step(args=["iccid"])
    def enable(self, iccid: str) -> Change:
        """Enable a profile.

        Raises:
            ApiError: the profile could not be enabled.
        """
        return self._active.enable(iccid).check()

    @Driver.check_active
    @step()
    def refresh(self) -> None:
        """Have lpad read the card until the card is ready."""
        self._active.until_ready()

    @property
    def _active(self) -> Place:
        assert self.place is not None, "labgrid checks that the driver is active"
        return self.place
