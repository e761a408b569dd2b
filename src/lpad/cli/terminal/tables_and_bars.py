"""Output for terminals: tables in colour and live bars. The only module that imports rich."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_STYLES = {
    "enabled": "green",
    "ready": "green",
    "done": "green",
    "absent": "red",
    "faulty": "red",
    "failed": "red",
    "waiting": "yellow",
    "pending": "yellow",
}


_WHOLE = frozenset({"ICCID", "EID", "AID", "PROFILE"})
"""Columns whose cells are never broken, because a part of an identifier cannot be used."""
_GAP = 2


def table(headings: Sequence[str], cells: Sequence[Sequence[str]], *, droppable: Sequence[str] = ()) -> None:
    """Print a table; cells are shown literally, without markup.

    Args:
        headings: one for each column.
        cells: the rows.
        droppable: headings of the columns to drop in this order until the other columns fit the terminal.
    """
    console = Console(highlight=False)
    widths = [max(map(cell_len, column)) for column in zip(headings, *cells, strict=True)]
    shown = _fitting(headings, widths, droppable, width=console.width)
    rows = Table(box=None, header_style="bold", pad_edge=False, padding=(0, _GAP, 0, 0))
    for each in shown:
        whole = headings[each] in _WHOLE
        rows.add_column(
            headings[each], overflow="fold", no_wrap=whole, min_width=widths[each] if whole else None
        )
    for row in cells:
        rows.add_row(*(Text(row[each], style=_STYLES.get(row[each], "")) for each in shown))
    console.print(rows)


def _fitting(
    headings: Sequence[str], widths: Sequence[int], droppable: Sequence[str], *, width: int
) -> list[int]:
    """Return the positions of the columns to show."""
    shown = list(range(len(headings)))
    for heading in droppable:
        if sum(widths[each] + _GAP for each in shown) - _GAP <= width:
            break
        shown = [each for each in shown if headings[each] != heading]
    return shown


class Bars:
    """A live line with the step, and a bar while bytes are sent to the card."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._task = self._progress.add_task("queued", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def step(self, name: str) -> None:
        """Show the step that begins."""
        self._progress.reset(self._task, total=None, description=name)

    def progress(self, sent: int, total: int) -> None:
        """Show the number of sent bytes, and the total."""
        self._progress.update(self._task, completed=sent, total=total)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Hide the progress bar while the command prints notes or asks a question."""
        self._progress.stop()
        try:
            yield
        finally:
            self._progress.start()
