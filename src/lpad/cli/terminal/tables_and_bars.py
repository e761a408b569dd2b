"""Output for terminals: tables in colour and live bars. The one place that imports rich."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

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


def table(headings: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """Print a table; cells are shown literally, without markup."""
    rows = Table(box=None, header_style="bold", pad_edge=False)
    for heading in headings:
        rows.add_column(heading, overflow="fold")
    for row in cells:
        rows.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    Console(highlight=False).print(rows)


class Bars:
    """A live line with the step, and a bar while bytes flow."""

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
        """Show the progress: bytes, and the total."""
        self._progress.update(self._task, completed=sent, total=total)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Make room for a question."""
        self._progress.stop()
        try:
            yield
        finally:
            self._progress.start()
