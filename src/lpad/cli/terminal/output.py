"""The output of commands: tables on a terminal, plain lines into a pipe, JSON if requested."""

from __future__ import annotations

import os
import sys
import unicodedata
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import msgspec

from lpad.cli.terminal import exit_codes

if TYPE_CHECKING:
    from collections.abc import Sequence

_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def safe(value: object) -> str:
    """Return a text without characters that control the terminal.

    Names come from cards and servers: escape sequences, line ends and marks that change the direction of
    writing are shown as escapes.
    """
    text = "" if value is None else str(value)
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in _INVISIBLE
        else character
        for character in text
    )


def _escaped(line: str) -> str:
    """Return a line of JSON with the same value, and without characters that control the terminal."""
    if line.isprintable():
        return line
    return "".join(_unit(each) if unicodedata.category(each) in _INVISIBLE else each for each in line)


def _unit(character: str) -> str:
    """Return a character as JSON writes it in ASCII: one UTF-16 unit, or two (RFC 8259, 7)."""
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


class OutputLostError(Exception):
    """The result cannot be written."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.reader_gone = isinstance(cause, BrokenPipeError)
        """Whether the output is a pipe whose other end was closed, as by `head`."""


def end_without_output(error: OutputLostError) -> NoReturn:
    """End this process, because its result cannot be written."""
    # This discards the output that Python would otherwise flush when the process ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if error.reader_gone:
        sys.exit(exit_codes.READER_GONE)
    Output().note(f"cannot print the result: {error}; the request itself may have been carried out")
    sys.exit(exit_codes.INTERNAL)


class Output(msgspec.Struct, frozen=True):
    """The output of a command's result."""

    as_json: bool = False
    wide: bool = False
    """Whether tables keep all columns on a narrow terminal."""
    verbose: bool = False

    @property
    def on_terminal(self) -> bool:
        """Whether the result is printed on a terminal, and not as JSON."""
        return _is_terminal(sys.stdout) and not self.as_json

    @property
    def may_ask(self) -> bool:
        """Whether the user can be asked: standard input and error are terminals, and no JSON is printed."""
        return _is_terminal(sys.stdin) and _is_terminal(sys.stderr) and not self.as_json

    def json(self, value: object) -> None:
        """Print a value as JSON."""
        self.answer(msgspec.json.encode(value))

    def answer(self, content: bytes) -> None:
        """Print an answer of the API as JSON; characters that control the terminal are escaped in it."""
        text = msgspec.json.format(content).decode()
        self.line(text if text.isprintable() else "\n".join(map(_escaped, text.split("\n"))))

    def line(self, text: str) -> None:
        """Print a line immediately.

        Raises:
            OutputLostError: the disk is full, or the reader has closed the pipe.
        """
        try:
            print(text, flush=True)
        except OSError as error:
            raise OutputLostError(error) from error

    def note(self, text: str) -> None:
        """Print a note that is not part of the result."""
        if sys.stderr is not None:  # print would treat None as the standard output, and corrupt the result
            with suppress(OSError):
                print(text, file=sys.stderr, flush=True)

    def table(
        self,
        headings: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        empty: str,
        droppable: Sequence[str] = (),
    ) -> None:
        """Print rows, or `empty` if there are none.

        Args:
            headings: one for each column.
            rows: each contains a cell for each column.
            empty: the note if there are no rows.
            droppable: headings of the columns to omit on a narrow terminal, in the order in which they are
                omitted.
        """
        cells = [[safe(cell) for cell in row] for row in rows]
        if not cells:
            self.note(empty)
        elif self.on_terminal:
            from lpad.cli.terminal import tables_and_bars  # noqa: PLC0415 - rich takes long to import

            tables_and_bars.table(headings, cells, droppable=() if self.wide else droppable)
        else:
            widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
            for row in (list(headings), *cells):
                self.line(
                    "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
                )

    def facts(self, rows: Sequence[tuple[str, object]]) -> None:
        """Print each name and its value on one line; omit unknown values."""
        known = [(name, safe(value)) for name, value in rows if value not in (None, "", ())]
        width = max((len(name) for name, _ in known), default=0)
        for name, value in known:
            self.line(f"{name.ljust(width)}  {value}")


def _is_terminal(stream: TextIO | None) -> bool:
    """Return whether a standard stream is a terminal; None: the program was started without the stream."""
    return stream is not None and stream.isatty()


def size(count: int | None) -> str | None:
    """Return a number of bytes with its unit; None if the number is unknown."""
    return None if count is None else f"{count} bytes"


def joined(values: Sequence[Any]) -> str:
    """Return values as one text, separated by commas."""
    return ", ".join(map(str, values))


def until(moment: datetime | None) -> str | None:
    """Return the time from now to a moment in words; None if there is no moment."""
    if moment is None:
        return None
    seconds = (moment - datetime.now(UTC)).total_seconds()
    return f"in {duration(seconds)}" if seconds > 0 else "now"


def duration(seconds: float) -> str:
    """Return a duration in a readable form: days, hours and minutes, or seconds below one minute."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    return " ".join([f"{count} {unit}" for count, unit in parts if count] or [f"{rest} s"])
