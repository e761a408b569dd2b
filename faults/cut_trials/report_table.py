"""The table of cut points and violations, by scenario and by kind of cut."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from faults.cut_trials.scenario import SCENARIOS
from faults.cut_trials.trial import RUNS
from faults.injected.cut_kinds import Cut, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faults.cut_trials.trial import Outcome

_COLUMNS: Mapping[str, tuple[Kind, ...]] = {
    "kill -9": (
        Kind.KILL_WRITE,
        Kind.KILL_APDU,
        Kind.KILL_LINE,
        Kind.KILL_CALL,
        Kind.KILL_RUN,
        Kind.KILL_SENT,
        Kind.KILL_RECEIVED,
    ),
    "mains": (Kind.MAINS, Kind.TORN_WRITE),
    "wrong bit": (Kind.FLIP,),
    "card power": (Kind.POWER_BEFORE, Kind.POWER_AFTER),
    "port": (Kind.PORT_BEFORE, Kind.PORT_AFTER),
    "bus": (Kind.BUS_BEFORE, Kind.BUS_AFTER),
    "server": (Kind.SERVER_BEFORE, Kind.SERVER_AFTER),
    "disk full": (Kind.DISK, Kind.DISK_KILL),
}


def table(every: Mapping[str, int], outcomes: Sequence[Outcome]) -> str:
    """Return the results as a Markdown table with a note.

    Args:
        every: the number of cut points of each scenario.
        outcomes: the outcomes of the cuts.
    """
    head = ["scenario", "cut points", "cut", *_COLUMNS, "not reached", "violations"]
    rows = {SCENARIOS[key].title: _row(points, _of(key, outcomes)) for key, points in every.items()}
    rows["all"] = [sum(column) for column in zip(*rows.values(), strict=True)]
    lines = [[title, *map(str, row)] for title, row in rows.items()]
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join(
        [_line(head, widths), rule, *(_line(line, widths) for line in lines), "", _note(outcomes)]
    )


def _note(outcomes: Sequence[Outcome]) -> str:
    """Return a text that explains the numbers and lists the cuts that no run reached."""
    unmet = [f"{each.scenario} {each.cut}" for each in outcomes if not each.met]
    points = f"Cut points are the steps that a scenario took in each of {RUNS} runs without a cut."
    if not unmet:
        return points
    return (
        f"{points} The following cuts were not reached and prove nothing, because the scenario ended before "
        f"the cut in each of {RUNS} attempts: {', '.join(unmet)}."
    )


def _of(key: str, outcomes: Sequence[Outcome]) -> list[Outcome]:
    return [each for each in outcomes if each.scenario == key]


def _row(points: int, outcomes: Sequence[Outcome]) -> list[int]:
    kinds = Counter(Cut.parse(each.cut).kind for each in outcomes)
    return [
        points,
        len(outcomes),
        *(sum(kinds[kind] for kind in column) for column in _COLUMNS.values()),
        sum(not each.met for each in outcomes),
        sum(bool(each.violations) for each in outcomes),
    ]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = cells
    padded = [
        first.ljust(widths[0]),
        *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)),
    ]
    return "| " + " | ".join(padded) + " |"
