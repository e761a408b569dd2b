"""A run's folder: one folder for each place, and the report on all places.

RUN/report.html       one self-contained page
RUN/junit.xml         all places
RUN/findings.json     the data of the page; the next run compares its results with them
RUN/PLACE/            junit.xml, daemon.log (redacted), probe.json, timings.json, findings.json
RUN/PLACE/private/    apdus.jsonl, apdus.pcap, pytest.log; not redacted: they identify card and subscriber
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, Self
from xml.etree import ElementTree as ET

import msgspec

from hil.evidence.place_record import PlaceFindings
from hil.evidence.report_page import page
from lpad.base.redaction import redacted

if TYPE_CHECKING:
    from pathlib import Path

_FINDINGS = "findings.json"


class RunFindings(msgspec.Struct, frozen=True):
    """The findings of all places."""

    began: datetime
    places: list[PlaceFindings] = []

    @property
    def summary(self) -> str:
        """The results in words, with a line for each place."""
        return "\n".join(_line(each) for each in self.places) or "there are no findings for any place"

    @property
    def skipped(self) -> bool:
        """Whether a case was skipped although its place has what the case needs."""
        return any(each.outcome == "skipped" for place in self.places for each in place.outcomes)


class RunFolder:
    """One run's evidence."""

    def __init__(self, path: Path, began: datetime) -> None:
        """Use an existing folder; `new` creates one."""
        self.path = path
        self._began = began

    @classmethod
    def new(cls, runs: Path, began: datetime) -> Self:
        """Create a run's folder, named by the time `began`, and by a number if this name is already used."""
        name = began.strftime("%Y-%m-%dT%H-%M-%SZ")
        for number in count(1):
            path = runs / (name if number == 1 else f"{name}-{number}")
            with suppress(FileExistsError):
                path.mkdir(parents=True)
                break
        return cls(path, began)

    def place(self, name: str) -> Path:
        """Create a place's folder with a private folder in it; return the place's folder."""
        folder = self.path / name
        (folder / "private").mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def finish(self) -> RunFindings:
        """Combine the findings and JUnit files, write the page, redact the logs, and return the findings."""
        places = [
            msgspec.json.decode(path.read_bytes(), type=PlaceFindings)
            for path in sorted(self.path.glob(f"*/{_FINDINGS}"))
        ]
        findings = RunFindings(self._began, places)
        (self.path / _FINDINGS).write_bytes(msgspec.json.encode(findings))
        self._join_junit()
        (self.path / "report.html").write_text(
            page(self._began, places, before=self._last()), encoding="utf-8"
        )
        for log in self.path.glob("*/daemon.log"):
            log.write_text(redacted(log.read_text(encoding="utf-8", errors="replace")), encoding="utf-8")
        return findings

    def _last(self) -> list[PlaceFindings]:
        """Return the findings of the previous run; empty if there was none."""
        others = [
            path
            for path in sorted(self.path.parent.glob(f"*/{_FINDINGS}"))
            if path.parent.name < self.path.name
        ]
        if not others:
            return []
        return msgspec.json.decode(others[-1].read_bytes(), type=RunFindings).places

    def _join_junit(self) -> None:
        suites = ET.Element("testsuites", name="lpad bench")
        for path in sorted(self.path.glob("*/junit.xml")):
            path.write_text(redacted(path.read_text(encoding="utf-8")), encoding="utf-8")
            suites.extend(ET.parse(path).getroot())  # noqa: S314 - pytest has just written this file
        ET.ElementTree(suites).write(self.path / "junit.xml", encoding="utf-8", xml_declaration=True)


def _line(place: PlaceFindings) -> str:
    counts = {
        outcome: sum(each.outcome == outcome for each in place.outcomes)
        for outcome in ("passed", "failed", "skipped", "left-out")
    }
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
    return f"{place.place:16} {told}" + (f"; {place.broken}" if place.broken is not None else "")
