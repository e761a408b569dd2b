"""The results of a place's tests: outcomes, timings and traces, in one folder for each place."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from hil.evidence.gsmtap import write_pcap
from lpad.base.redaction import redacted
from lpad.client import ApiError
from lpad.simulator.replayed_card import read_record

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from hil.place.place import Place
    from lpad.client import Change

PROGRESS = "LPAD_HIL_PROGRESS"
"""Environment variable with the number of the file descriptor that receives each outcome."""


class Outcome(msgspec.Struct, frozen=True):
    """The outcome of a case: passed, failed, skipped, or `left-out` if the place lacks a needed feature."""

    case: str
    outcome: str
    seconds: float = 0.0
    reason: str = ""


class Timed(msgspec.Struct, frozen=True):
    """A change with its duration and those of its steps."""

    id: int
    kind: str
    state: str
    seconds: float
    steps: list[tuple[str, float]] = []
    error: str | None = None
    guarded: bool = False
    """Whether the switch had a guard, so that its duration includes the wait for the conditions."""


class PlaceFindings(msgspec.Struct, frozen=True, kw_only=True):
    """All data about a place for the report page, without complete identifiers of card or subscriber."""

    place: str
    began: datetime
    ended: datetime
    features: list[str]
    about: dict[str, Any] = {}
    outcomes: list[Outcome] = []
    changes: list[Timed] = []
    transitions: list[tuple[str, float]] = []
    broken: str | None = None


class PlaceRecord:
    """Collects results while tests run, and writes them at the end."""

    def __init__(self, place: str, folder: Path) -> None:
        """Create an empty record.

        Args:
            place: the place's name.
            folder: the folder for the results.
        """
        self.folder = folder
        self._place = place
        self._began = datetime.now(UTC)
        self._outcomes: dict[str, Outcome] = {}

    def left_out(self, case: str, missing: list[str]) -> None:
        """Record a case that is left out because the place lacks a needed feature."""
        self._outcomes[case] = Outcome(case, "left-out", reason=f"needs {', '.join(missing)}")

    def report(self, report: pytest.TestReport) -> None:
        """Record the outcome of a phase of a test; a failure in any phase fails the test."""
        case = case_of(report.nodeid)
        before = self._outcomes.get(case)
        outcome: str = report.outcome
        reason = ""
        if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
            reason = report.longrepr[2].removeprefix("Skipped: ")
        elif report.outcome == "failed":
            reason = reason_of(report)
        seconds = (before.seconds if before is not None else 0.0) + report.duration
        if before is not None and before.outcome in ("failed", "skipped"):
            outcome, reason = before.outcome, before.reason
        self._outcomes[case] = Outcome(case, outcome, seconds, redacted(reason))
        if report.when == "teardown":
            self._tell(self._outcomes[case])

    def finish(self, place: Place) -> None:
        """Write all results; the daemon may continue to run."""
        began = self._began
        changes, about = [], {}
        try:
            changes = [
                _timed(each) for each in place.client.changes() if each.created_at >= began and each.ended
            ]
            about = _about(place)
        except (ApiError, OSError) as error:
            about = {"error": redacted(str(error))}
        findings = PlaceFindings(
            place=self._place,
            began=began,
            ended=datetime.now(UTC),
            features=sorted(place.features),
            about=about,
            outcomes=list(self._outcomes.values()),
            changes=sorted(changes, key=lambda each: each.id),
            transitions=place.strategy.transitions,
            broken=redacted(place.strategy.broken) if place.strategy.broken is not None else None,
        )
        self._write("findings.json", json.loads(msgspec.json.encode(findings)))
        self._write("probe.json", {key: value for key, value in place.report.items() if key not in _NAMING})
        self._write("timings.json", [json.loads(msgspec.json.encode(each)) for each in findings.changes])
        apdus = self.folder / "private" / "apdus.jsonl"
        if apdus.exists():
            write_pcap(self.folder / "private" / "apdus.pcap", read_record(apdus))

    def _write(self, name: str, content: Any) -> None:
        text = json.dumps(_redacted(content), indent=2, ensure_ascii=False)
        (self.folder / name).write_text(text + "\n", encoding="utf-8")

    def _tell(self, outcome: Outcome) -> None:
        where = os.environ.get(PROGRESS)
        if where is not None:
            line = f"{self._place:16} {outcome.outcome:8} {outcome.seconds:7.1f} s  {outcome.case}"
            os.write(int(where), (line + (f"  ({outcome.reason})" if outcome.reason else "") + "\n").encode())


_NAMING = ("eid", "imei", "serial", "port", "euiccs")


def _redacted(content: Any) -> Any:
    """Return the content with redacted texts at any depth; numbers, even long ones, stay unchanged."""
    match content:
        case str():
            return redacted(content)
        case dict():
            return {key: _redacted(value) for key, value in content.items()}
        case list():
            return [_redacted(value) for value in content]
    return content


def case_of(nodeid: str) -> str:
    """Return the short form of a test's file and name, such as `downloads · activation_code`."""
    path, _, name = nodeid.partition("::")
    file = path.rpartition("/")[2].removesuffix(".py").removeprefix("test_")
    return f"{file} · {name.removeprefix('test_')}"


def reason_of(report: pytest.TestReport) -> str:
    """Return the failure in one line: the sentence of the assertion or exception.

    The last line of pytest's explanation only states where a value came from, or that the text was cut. If
    there was no exception, as after a missing fixture, the first line marked with E describes the failure.
    """
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        return str(crash.message).strip().partition("\n")[0]
    lines = report.longreprtext.strip().splitlines()
    return next((line[1:].strip() for line in lines if line.startswith("E ")), lines[-1] if lines else "")


def _timed(change: Change) -> Timed:
    assert change.ended_at is not None, "the change has ended"
    seconds = (change.ended_at - (change.started_at or change.created_at)).total_seconds()
    return Timed(
        id=change.id,
        kind=change.kind,
        state=change.state,
        seconds=seconds,
        steps=[(step.name, step.seconds or 0.0) for step in change.steps],
        error=change.error.kind if change.error is not None else None,
        guarded=change.guard is not None,
    )


def _about(place: Place) -> dict[str, Any]:
    euicc = place.client.euicc(place.name)
    info = euicc.info
    report = place.report
    return {
        "lpad": place.client.system().version,
        "way": report.get("link"),
        "modem": " ".join(
            str(report[key]) for key in ("manufacturer", "model", "firmware") if report.get(key)
        ),
        "eid": f"…{place.eid[-4:]}",
        "svn": info.svn if info is not None else None,
        "card firmware": info.firmware if info is not None else None,
        "free bytes": info.memory.free_non_volatile if info is not None else None,
        "trusts": [each.name or each.key_id[:8] for each in info.certificate_issuers]
        if info is not None
        else [],
    }
