"""The report for a lab: one HTML page that contains its pictures and loads no other file."""

from __future__ import annotations

from html import escape
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from hil.evidence.report_pictures import switch_times, timeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from hil.evidence.place_record import Outcome, PlaceFindings, Timed

_MARKS = {"passed": "✓", "failed": "✗", "skipped": "○", "left-out": ""}
_STYLE = Path(__file__).with_name("report_page.css").read_text(encoding="utf-8")


def page(began: datetime, places: Sequence[PlaceFindings], *, before: Sequence[PlaceFindings]) -> str:
    """Return the report page.

    Args:
        began: the time at which the run began.
        places: the findings of each place.
        before: the findings of the previous run; empty if there was none.
    """
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>lpad bench, {began:%Y-%m-%d %H:%M} UTC</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>lpad bench, {began:%Y-%m-%d %H:%M} UTC</h1>
<p id="verdict">{_verdict(places)}</p>
<div class="tiles">{"".join(map(_tile, places))}</div>
<h2>Failures</h2>
{_failures(places)}
<h2>A download, phase by phase</h2>
<p>The download of median duration at each place; phases shorter than a hundredth of the download have no
label.</p>
{timeline(_median_downloads(places))}
<h2>Switches</h2>
<p>Each dot is one switch without a guard, from its beginning to its verification; the bar is the median.</p>
{switch_times({place.place: _seconds(place, "enable") for place in places})}
<h2>Compared with the previous run</h2>
{_comparison(places, before)}
<h2>Cases by places</h2>
<p>✓ passed, ✗ failed, ○ skipped, empty: the place lacks what the case needs. Point at a mark to see the
reason.</p>
<div class="scroll">{_matrix(places)}</div>
</body>
</html>
"""


def _verdict(places: Sequence[PlaceFindings]) -> str:
    outcomes = [each.outcome for place in places for each in place.outcomes]
    counts = [
        f"{outcomes.count(name)} {name}" for name in ("passed", "failed", "skipped") if name in outcomes
    ]
    return f"{len(places)} places, {', '.join(counts) or 'no case'}"


def _tile(place: PlaceFindings) -> str:
    failed = sum(each.outcome == "failed" for each in place.outcomes)
    bad = failed or place.broken is not None
    told = "broken" if place.broken is not None else f"{failed} failed" if failed else "all well"
    about = {name: value for name, value in place.about.items() if value not in (None, "", [])}
    lines = "".join(f"<small>{escape(name)}: {escape(_text(value))}</small>" for name, value in about.items())
    broken = f'<small class="failed">{escape(place.broken)}</small>' if place.broken is not None else ""
    minutes = (place.ended - place.began).total_seconds() / 60
    return (
        f'<div class="tile{" bad" if bad else ""}"><b>{escape(place.place)}</b>'
        f" <span class={'failed' if bad else 'passed'}>{told}</span>{broken}"
        f"{lines}<small>{minutes:.1f} minutes; {escape(', '.join(place.features))}</small></div>"
    )


def _words(name: str) -> str:
    """Return a test's name as words, with its parameter after a colon."""
    name, bracket, parameter = name.partition("[")
    return name.replace("_", " ") + (f": {parameter.removesuffix(']')}" if bracket else "")


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _matrix(places: Sequence[PlaceFindings]) -> str:
    cases = sorted({each.case for place in places for each in place.outcomes})
    found = {(place.place, each.case): each for place in places for each in place.outcomes}
    head = "".join(f'<th class="mark">{escape(place.place)}</th>' for place in places)
    rows, file = [], ""
    for case in cases:
        if case.partition(" · ")[0] != file:
            file = case.partition(" · ")[0]
            rows.append(
                f'<tr class="file"><th colspan="{len(places) + 1}">{escape(file.replace("_", " "))}</th></tr>'
            )
        marks = "".join(_mark(found.get((place.place, case))) for place in places)
        rows.append(f"<tr><td>{escape(_words(case.partition(' · ')[2]))}</td>{marks}</tr>")
    body = f"<thead><tr><th>case</th>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f'<table id="matrix">{body}</table>'


def _mark(outcome: Outcome | None) -> str:
    if outcome is None:
        return '<td class="mark"></td>'
    told = f"{outcome.outcome}, {outcome.seconds:.1f} s" if outcome.outcome != "left-out" else "left out"
    title = escape(f"{told}: {outcome.reason}" if outcome.reason else told, quote=True)
    return f'<td class="mark {outcome.outcome}" title="{title}">{_MARKS.get(outcome.outcome, "?")}</td>'


def _failures(places: Sequence[PlaceFindings]) -> str:
    rows = "".join(
        f"<tr><td>{escape(place.place)}</td><td>{escape(each.case)}</td><td>{escape(each.reason)}</td></tr>"
        for place in places
        for each in place.outcomes
        if each.outcome == "failed"
    )
    if not rows:
        return "<p>None.</p>"
    head = "<thead><tr><th>place</th><th>case</th><th>failure</th></tr></thead>"
    return f"<table>{head}<tbody>{rows}</tbody></table>"


def _median_downloads(places: Sequence[PlaceFindings]) -> dict[str, Timed]:
    found = {}
    for place in places:
        done = [each for each in place.changes if (each.kind, each.state) == ("download", "done")]
        if done:
            found[place.place] = sorted(done, key=lambda each: each.seconds)[len(done) // 2]
    return found


def _seconds(place: PlaceFindings, kind: str) -> list[float]:
    done = [each for each in place.changes if (each.kind, each.state, each.guarded) == (kind, "done", False)]
    return [each.seconds for each in done if kind != "enable" or "enable-profile" in dict(each.steps)]


def _comparison(places: Sequence[PlaceFindings], before: Sequence[PlaceFindings]) -> str:
    if not before:
        return "<p>There was no previous run.</p>"
    earlier = {place.place: place for place in before}
    rows = "".join(_compared(place, earlier[place.place]) for place in places if place.place in earlier)
    news = "".join(_turned(place, earlier[place.place]) for place in places if place.place in earlier)
    gone = sorted(earlier.keys() - {place.place for place in places})
    absent = f"<p>Not in this run: {escape(', '.join(gone))}.</p>" if gone else ""
    return (
        "<table><thead><tr><th>place</th><th>passed</th><th>failed</th><th>download, median</th>"
        f"<th>switch, median</th></tr></thead><tbody>{rows}</tbody></table>"
        f"<ul>{news}</ul>{absent}" + ("" if news else "<p>Every case ended as in the previous run.</p>")
    )


def _compared(now: PlaceFindings, then: PlaceFindings) -> str:
    cells = [f"<td>{escape(now.place)}</td>"]
    for outcome, more_is_better in (("passed", True), ("failed", False)):
        counts = [sum(each.outcome == outcome for each in place.outcomes) for place in (now, then)]
        cells.append(_change(*counts, better=(counts[0] > counts[1]) is more_is_better, text="{}"))
    for kind in ("download", "enable"):
        times = [_median(_seconds(place, kind)) for place in (now, then)]
        cells.append(_change(*times, better=times[0] < times[1], text="{:.2f} s", tolerance=0.25))
    return f"<tr>{''.join(cells)}</tr>"


def _change(now: float, then: float, *, better: bool, text: str, tolerance: float = 0.0) -> str:
    """Return a table cell; values whose relative difference is at most the tolerance count as equal."""
    if abs(now - then) <= tolerance * max(now, then):
        return f"<td>{text.format(now)}</td>"
    return f'<td class="{"better" if better else "worse"}">{text.format(now)}, was {text.format(then)}</td>'


def _turned(now: PlaceFindings, then: PlaceFindings) -> str:
    earlier = {each.case: each.outcome for each in then.outcomes}
    return "".join(
        f'<li class="{"worse" if each.outcome == "failed" else "better"}">{escape(now.place)}:'
        f" {escape(each.case)} {each.outcome}, was {earlier[each.case]}</li>"
        for each in now.outcomes
        if {each.outcome, earlier.get(each.case)} == {"passed", "failed"}
    )


def _median(values: Iterable[float]) -> float:
    return median([*values] or [0.0])
