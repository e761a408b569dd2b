"""A lab with two profiles whose lines a platform knows, and a modem whose registration a test controls."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from engine.guarding import port
from engine.lab import FIRST, SECOND
from engine.operations.platform_lab import PlatformLab
from lpad.engine.change.change import Kind
from lpad.simulator.modem.personality import ModemPersonality
from lpad.simulator.platform.reservations import Line, Placed, Reserved

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.engine.lines.platform_line_report import LineRecord
    from lpad.simulator.pki.pki import Pki

WORDS = {Line.IDLE: "SUSPENDED", Line.LIVE: "ACTIVE", Line.ENDED: "RETIRED"}
"""The platform's words for the states of a line."""


class LineLab(PlatformLab):
    """A lab with a platform that knows lines by ICCID and nothing else."""

    def set_line(self, iccid: str, line: Line, *, imei: str | None = None) -> Reserved:
        """Set the state of a profile's line at the platform, which gets a missing line; return the line."""
        each = self.platform.stock.by_iccid(iccid)
        if each is None:
            each = self.platform.stock.order(reference=f"line-{iccid}")
            each.placed = Placed(order="", iccid=iccid, address="", matching_id="")
        each.line, each.words, each.imei = line, WORDS.get(line), imei
        return each

    def known(self, iccid: str, line: str) -> LineRecord:
        """Return lpad's record of a profile's line once the line has the given state."""
        found = self.until(
            lambda: self.engine.line(iccid), lambda seen: seen is not None and seen.line == line
        )
        assert found is not None
        return found


@contextmanager
def lines(folder: Path, pki: Pki, *, like: str = "things", **habits: Any) -> Iterator[LineLab]:
    """Yield a lab with two profiles, whose lines are live; the first profile is enabled."""
    with LineLab(folder, pki, like=like, personality=ModemPersonality(**habits)) as lab:
        lab.set_line(FIRST, Line.LIVE)
        lab.set_line(SECOND, Line.LIVE)
        lab.start(port(lab))
        lab.install()
        lab.install(iccid=SECOND, name="Second")
        assert lab.carry_out(Kind.ENABLE, iccid=FIRST).error is None
        yield lab
