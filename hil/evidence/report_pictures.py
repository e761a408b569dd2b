"""The report's pictures, as SVG: the phases of downloads, and the durations of switches."""

from __future__ import annotations

from html import escape
from itertools import cycle
from math import ceil, log10
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hil.evidence.place_record import Timed

_WIDTH = 1100
_LEFT = 130
_RIGHT = 70
_ROW = 46
_COLOURS = (
    "#4269d0",
    "#efb118",
    "#ff725c",
    "#6cc5b0",
    "#3ca951",
    "#ff8ab7",
    "#a463f2",
    "#97bbf5",
    "#9c6b4e",
    "#9498a0",
)
_LETTER = 6.4
"""The approximate width of a letter, in the picture's units."""


def timeline(downloads: Mapping[str, Timed]) -> str:
    """Return an SVG with a bar for each place, with the phases in sequence on a common scale of seconds."""
    if not downloads:
        return "<p>Nothing was downloaded.</p>"
    most = max(max(each.seconds, sum(seconds for _, seconds in each.steps)) for each in downloads.values())
    phases = list(dict.fromkeys(name for each in downloads.values() for name, _ in each.steps))
    colours = dict(zip(phases, cycle(_COLOURS), strict=False))
    parts = []
    for row, (place, change) in enumerate(downloads.items()):
        top = row * _ROW + 8
        parts.append(f'<text x="0" y="{top + 19}">{escape(place)}</text>')
        at = 0.0
        for name, seconds in change.steps:
            parts.append(
                _bar(_x(at, most), _x(at + seconds, most), top, colours[name], f"{name}: {seconds:.2f} s")
            )
            at += seconds
        parts.append(f'<text x="{_x(at, most) + 6:.1f}" y="{top + 19}">{at:.2f} s</text>')
    height = len(downloads) * _ROW
    parts.append(_axis(most, height))
    shown = [name for name in phases if any(_counts(name, each) for each in downloads.values())]
    legend, lines = _legend(shown, colours, height + 44)
    return _svg("timeline", height + 44 + lines * 20, [*parts, legend], "download phases by place")


def switch_times(places: Mapping[str, Sequence[float]]) -> str:
    """Return an SVG with a strip for each place: a dot for the duration of each switch, and the median."""
    there = {place: seconds for place, seconds in places.items() if seconds}
    if not there:
        return "<p>Nothing was switched.</p>"
    most = max(max(seconds) for seconds in there.values())
    parts = []
    for row, (place, seconds) in enumerate(there.items()):
        middle = row * _ROW + 22
        parts.append(f'<text x="0" y="{middle + 4}">{escape(place)}</text>')
        parts += [
            f'<circle cx="{_x(each, most):.1f}" cy="{middle + (index % 5 - 2) * 4}" r="4"'
            f' fill="{_COLOURS[0]}" fill-opacity=".55"><title>{each:.2f} s</title></circle>'
            for index, each in enumerate(seconds)
        ]
        x = _x(median(seconds), most)
        parts.append(
            f'<rect x="{x - 1.5:.1f}" y="{middle - 16}" width="3" height="32" fill="{_COLOURS[2]}"/>'
        )
        parts.append(f'<text x="{_WIDTH}" y="{middle + 4}" text-anchor="end">{median(seconds):.2f} s</text>')
    height = len(there) * _ROW
    return _svg("switches", height + 30, [*parts, _axis(most, height)], "switch times by place")


def _counts(name: str, change: Timed) -> bool:
    return any(step == name and seconds * 100 >= change.seconds for step, seconds in change.steps)


def _x(seconds: float, most: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * seconds / (most or 1.0)


def _bar(left: float, right: float, top: float, colour: str, title: str) -> str:
    return (
        f'<rect x="{left:.1f}" y="{top}" width="{max(right - left, 0.4):.1f}" height="28" fill="{colour}">'
        f"<title>{escape(title)}</title></rect>"
    )


def _axis(most: float, top: float) -> str:
    step = 10 ** ceil(log10(max(most, 0.001) / 5))
    for finer in (5.0, 2.0):
        if most / (step / finer) <= 10:
            step /= finer
            break
    ticks = [index * step for index in range(int(most / step) + 1)]
    lines = "".join(
        f'<line class="axis" x1="{_x(tick, most):.1f}" x2="{_x(tick, most):.1f}" y1="0" y2="{top}"/>'
        f'<text class="soft" x="{_x(tick, most):.1f}" y="{top + 18}" text-anchor="middle">{tick:g} s</text>'
        for tick in ticks
    )
    return f'<g opacity=".8">{lines}</g>'


def _legend(names: Sequence[str], colours: Mapping[str, str], top: float) -> tuple[str, int]:
    """Return the legend and its number of lines."""
    parts, x, line = [], 0.0, 0
    for name in names:
        width = 24 + len(name) * _LETTER + 18
        if x + width > _WIDTH:
            x, line = 0.0, line + 1
        y = top + line * 20
        parts.append(f'<rect x="{x:.1f}" y="{y - 10}" width="12" height="12" fill="{colours[name]}"/>')
        parts.append(f'<text x="{x + 18:.1f}" y="{y}">{escape(name)}</text>')
        x += width
    return "".join(parts), line + 1


def _svg(name: str, height: float, parts: Sequence[str], told: str) -> str:
    return (
        f'<svg id="{name}" viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{escape(told)}">'
        f"{''.join(parts)}</svg>"
    )
