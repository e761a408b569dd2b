"""The repair of a damaged journal: trustworthy rows go into a new file, the others are counted.

The rows are taken from the file's pages one by one, without SQLite: their checksums identify their table and
prove them valid, whatever surrounds them. `damaged_file_replacement.py` replaces the old file by the new one.
"""

from __future__ import annotations

import logging
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from lpad.engine.change.change import State
from lpad.engine.journal.file.checksummed_rows import seal_all, unpacked
from lpad.engine.journal.file.migration import layouts_of, migrate
from lpad.engine.journal.file.schema import CHECKSUMS_SINCE, SCHEMA_VERSION
from lpad.engine.journal.file.verification import LARGEST_ID, Check, odd
from lpad.engine.journal.file.writability import NewerError, Repair
from lpad.engine.journal.salvage.pages import Pages
from lpad.engine.journal.salvage.records import INDEX_INTERIOR, INDEX_LEAF, TABLE_LEAF, Record, records_of
from lpad.engine.journal.salvage.row_checksum import row_checksum

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from lpad.engine.journal.file.table_layout_reading import Layout
    from lpad.engine.journal.salvage.row_checksum import Value

log = logging.getLogger(__name__)

_Row = tuple["Value", ...]

FIRST = ("notifications", "changes", "memos", "requests", "events")
"""Tables in the order in which their rows go into the new file, the most important ones first."""
NUMBERED = ("changes", "events")
"""Tables whose row numbers are never used twice."""
APART = 1_000_000
"""The number that is added to the highest number found if a table's last number cannot be read."""
_STATE_ENTRY = ("state", "id")
_FEW = 4
"""The number of columns up to which a table's rows could be mistaken for entries of an index."""
_REPORTS = 8
"""The maximum number of stored reports on repairs."""


class Salvage(Struct):
    """The readable content of a file."""

    version: int = 0
    """The version of the rows; 0 if unknown."""
    rows: dict[str, dict[_Row, _Row]] = field(default_factory=dict)
    """The rows by table and key, without checksums."""
    lost: Counter[str] = field(default_factory=Counter)
    """The number of untrustworthy rows, by table."""
    lost_changes: set[int] = field(default_factory=set)
    last_numbers: dict[str, int] = field(default_factory=dict)
    """The last number of each numbered table, as far as it can be read."""
    reports: tuple[Repair, ...] = ()
    """The reports on earlier repairs."""


def salvage(path: Path) -> Salvage:
    """Return the readable content of a file and its write-ahead log, which may be missing or damaged.

    Raises:
        NewerError: a later version of lpad wrote the file.
        OSError: the file exists but cannot be opened.
    """
    found = [_Reader(path, as_written=True)]
    if found[0].unclear_log:
        found.append(_Reader(path, as_written=False))
    # No row is in a file twice; a duplicate means that an old page was read as a new one.
    return min(found, key=lambda each: each.twice).salvage()


class _Reader:
    def __init__(self, path: Path, *, as_written: bool) -> None:
        self._rows: dict[int, dict[str, dict[_Row, _Row]]] = {}
        self._unclear: list[Record] = []
        self._sequences: dict[str, int] = {}
        self._noted: int | None = None
        self._reports: tuple[Repair, ...] = ()
        self.twice = 0
        """The number of rows that were found twice."""
        with Pages(path, as_written=as_written) as pages:
            self._version = pages.version
            self.unclear_log = pages.log.unclear
            self._read(pages)

    def _read(self, pages: Pages) -> None:
        """Read all pages: intact ones first, so that the remains of a row do not replace the row."""
        unclear = []
        for number, page in pages:
            records = list(records_of(pages, number, page))
            if not records or not all(self._is_known(each) for each in records):
                unclear.append((number, page, records))
                continue
            for each in records:
                self._take(each)
        for number, page, records in unclear:
            self._unclear += [each for each in records if not self._take(each)]
            # The byte with the page's type may be the damaged one.
            if not any(self._is_known(each) for each in records):
                for kind in (TABLE_LEAF, INDEX_LEAF, INDEX_INTERIOR):
                    for each in records_of(pages, number, page, kind=kind):
                        self._take(each)

    def _is_known(self, record: Record) -> bool:
        return _is_sequence(record) or bool(_identified(record))

    def _take(self, record: Record) -> bool:
        """Keep a record if its table is recognized, by its checksum or its form; return whether it is."""
        if _is_sequence(record):
            table, number = str(record.values[0]), int(str(record.values[1]))
            self._sequences[table] = max(number, self._sequences.get(table, 0))
            return True
        known = _identified(record)
        for each in known:
            self._keep(*each)
        return bool(known)

    def _keep(self, version: int, layout: Layout, row: _Row) -> None:
        if layout.table == "about":
            if row[0] == "format" and isinstance(row[1], int):
                self._noted = row[1]
            elif row[0] == "repairs" and isinstance(row[1], bytes):
                self._reports = read_reports(row[1])
        rows = self._rows.setdefault(version, {}).setdefault(layout.table, {})
        self.twice += layout.key_of(row) in rows
        rows.setdefault(layout.key_of(row), row)

    def salvage(self) -> Salvage:
        """Return the content that was read.

        Raises:
            NewerError: a later version of lpad wrote the file.
        """
        if self._noted is not None and self._noted > SCHEMA_VERSION:
            raise NewerError(
                f"its schema is version {self._noted}; this lpad reads only up to {SCHEMA_VERSION}"
            )
        found = Salvage(last_numbers=self._sequences, reports=self._reports)
        if self._rows:
            # Migration steps are atomic, so all rows have one version, and other matches are accidental.
            found.version = max(self._rows, key=self._likelihood)
            found.rows = self._rows[found.version]
        else:
            found.version = self._legacy_version()
            if found.version:
                found.rows = self._legacy_rows(layouts_of(found.version))
        if found.version:
            self._count_lost(found)
            _restore(found)
        self._name_lost_changes(found)
        return found

    def _likelihood(self, version: int) -> tuple[bool, int]:
        """Return the evidence for a version: whether the file states it, and the number of matching rows."""
        return version == self._noted, sum(map(len, self._rows[version].values()))

    def _name_lost_changes(self, found: Salvage) -> None:
        """Find the lost changes whose idempotency key, or whose entry in an index, is still readable."""
        kept = {key[0] for key in found.rows.get("changes", {})}
        named = {row[3] for row in found.rows.get("requests", {}).values()}
        named |= {each.values[1] for each in self._unclear if each.rowid is None and _is_state(each.values)}
        found.lost_changes |= {
            each for each in named - kept if isinstance(each, int) and 0 < each < LARGEST_ID
        }
        found.lost["changes"] = max(found.lost["changes"], len(found.lost_changes))

    def _legacy_version(self) -> int:
        """Return the version of a file without checksums; 0 if it is not a journal."""
        if 1 <= self._version < CHECKSUMS_SINCE:
            return self._version
        alike = {
            version: sum(
                _fitted(layout, each, sealed=False) is not None
                for layout in layouts_of(version).values()
                for each in self._unclear
                if len(each.values) == len(layout.columns)
            )
            for version in range(1, CHECKSUMS_SINCE)
        }
        best = max(alike, key=lambda version: alike[version])
        return best if alike[best] else 0

    def _legacy_rows(self, tables: Mapping[str, Layout]) -> dict[str, dict[_Row, _Row]]:
        """Return the rows of a file without checksums, recognized by their form only."""
        rows: dict[str, dict[_Row, _Row]] = {}
        for layout in tables.values():
            for record in self._unclear:
                row = _fitted(layout, record, sealed=False)
                if row is not None and layout.fits(row):
                    rows.setdefault(layout.table, {}).setdefault(layout.key_of(row), row)
        return rows

    def _count_lost(self, found: Salvage) -> None:
        for record in self._unclear:
            for layout in layouts_of(found.version).values():
                row = _fitted(layout, record, sealed=layout.sealed)
                if row is None or layout.table in ("about", "spares"):
                    continue
                key = layout.key_of(row)
                if key in found.rows.get(layout.table, {}) or not _resembles(layout, row):
                    continue
                found.lost[layout.table] += 1
                if layout.table == "changes" and isinstance(key[0], int):
                    found.lost_changes.add(key[0])


def _is_sequence(record: Record) -> bool:
    """Return whether a record is SQLite's record of the last number of a numbered table."""
    values = record.values
    return (
        len(values) == len(("name", "seq"))
        and values[0] in NUMBERED
        and isinstance(values[1], int)
        and 0 <= values[1] < LARGEST_ID
    )


def _identified(record: Record) -> list[tuple[int, Layout, _Row]]:
    """Return each version and table that a record's checksum fits, and the row; empty if it fits none.

    Most tables are the same in several versions: only all rows together show the file's version.
    """
    found = []
    for version in range(SCHEMA_VERSION, CHECKSUMS_SINCE - 1, -1):
        for layout in layouts_of(version).values():
            row = _fitted(layout, record, sealed=True)
            if row is not None and row_checksum(layout.table, row[:-1]) == row[-1]:
                found.append((version, layout, row[:-1]))
    return found


def _fitted(layout: Layout, record: Record, *, sealed: bool) -> _Row | None:
    """Return a record as a row of a table, with its checksum if rows have one; None if it does not fit."""
    if layout.has_rowid is (record.rowid is None):
        return None
    values = record.values
    wanted = len(layout.columns) + sealed
    if sealed and len(values) != wanted:
        return None
    if len(values) > wanted or len(values) < len(layout.key):
        return None
    if layout.has_rowid:
        values = (record.rowid, *values[1:])
    row = [
        column.read(values[place]) if place < len(values) else column.default
        for place, column in enumerate(layout.columns)
    ]
    return (*row, values[-1]) if sealed else tuple(row)


def _is_state(values: _Row) -> bool:
    """Return whether these values are an entry of the index of changes by their state."""
    return len(values) == len(_STATE_ENTRY) and values[0] in set(State)


def _resembles(layout: Layout, row: _Row) -> bool:
    """Return whether a row with a wrong checksum probably belonged to this table.

    All of the row's values must fit, or, in a table with many columns, all except one.
    """
    odd_ones = sum(not column.fits(value) for column, value in zip(layout.columns, row, strict=False))
    return odd_ones <= (len(layout.columns) > _FEW)


def _restore(found: Salvage) -> None:
    """Replace lost rows by their second copies."""
    tables = layouts_of(found.version)
    for origin, key, packed in found.rows.get("spares", {}).values():
        layout = tables.get(str(origin))
        row = unpacked(packed)
        if layout is None or len(row) != len(layout.columns) or layout.spelled(row) != key:
            continue
        rows = found.rows.setdefault(layout.table, {})
        if layout.key_of(row) not in rows:
            rows[layout.key_of(row)] = row
            found.lost[layout.table] = max(0, found.lost[layout.table] - 1)
            found.lost_changes.discard(row[0])


def fill(db: sqlite3.Connection, found: Salvage, checks: Mapping[str, Check], report: Repair) -> Repair:
    """Write the salvaged rows into a new file of the current version; return the completed report."""
    version = found.version or SCHEMA_VERSION
    migrate(db, to=version)
    db.execute("BEGIN IMMEDIATE")
    for layout, rows in _in_order(found, version):
        columns = (*layout.names, "checksum") if layout.sealed else layout.names
        statement = (
            f"INSERT OR IGNORE INTO {layout.table} ({', '.join(columns)})"
            f" VALUES ({', '.join('?' * len(columns))})"
        )
        for row in rows:
            db.execute(statement, (*row, row_checksum(layout.table, row)) if layout.sealed else row)
    db.execute("COMMIT")
    migrate(db)
    db.execute("BEGIN IMMEDIATE")
    lost = found.lost + _drop_odd(db, checks, found.lost_changes)
    report = msgspec.structs.replace(
        report,
        saved={table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in FIRST},
        lost={table: number for table, number in lost.items() if number},
        lost_changes=tuple(sorted(found.lost_changes))[:100],
    )
    kept = msgspec.json.encode((*found.reports, report)[-_REPORTS:])
    db.execute("INSERT OR REPLACE INTO about (name, value) VALUES ('repairs', ?)", (kept,))
    _set_sequences(db, found)
    seal_all(db, version=SCHEMA_VERSION)
    db.execute("COMMIT")
    return report


def _in_order(found: Salvage, version: int) -> Iterator[tuple[Layout, list[_Row]]]:
    tables = layouts_of(version)
    for table in FIRST:
        if table not in tables:
            continue
        rows = list(found.rows.get(table, {}).values())
        if table == "notifications":
            place = tables[table].names.index("stage") if version > 1 else None
            rows.sort(key=lambda row: place is not None and row[place] not in ("pending", "sending"))
        elif table == "changes":
            private = tables[table].names.index("private")
            rows.sort(key=lambda row: row[private] is None)
        yield tables[table], rows


def _drop_odd(db: sqlite3.Connection, checks: Mapping[str, Check], lost_changes: set[int]) -> Counter[str]:
    """Delete rows whose content cannot be read, whatever their checksum; count them by table."""
    dropped: Counter[str] = Counter()
    for table in FIRST:
        layout = layouts_of(SCHEMA_VERSION)[table]
        for row in db.execute(f"SELECT {', '.join(layout.names)} FROM {table}").fetchall():
            if odd(layout, row, checks.get(table)) is None:
                continue
            same = " AND ".join(f"{name} = ?" for name in layout.key)
            db.execute(f"DELETE FROM {table} WHERE {same}", layout.key_of(row))
            dropped[table] += 1
            if table == "changes":
                lost_changes.add(int(row[0]))
    return dropped


def _set_sequences(db: sqlite3.Connection, found: Salvage) -> None:
    """Make sure that no number of a change or an event is used twice."""
    least = {"changes": max(found.lost_changes, default=0)}
    for table in NUMBERED:
        (highest,) = db.execute(
            f"SELECT max(ifnull(max(id), 0), ?) FROM {table}", (least.get(table, 0),)
        ).fetchone()
        last = found.last_numbers.get(table)
        if last is None:
            older = found.version and table not in layouts_of(found.version)
            last = highest if older else highest + APART
        db.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, max(last, highest)))


def read_reports(kept: Value) -> tuple[Repair, ...]:
    """Return the reports that a file contains; none if they cannot be read."""
    try:
        return tuple(msgspec.json.decode(kept, type=list[Repair])) if isinstance(kept, bytes) else ()
    except ValueError:
        return ()


def new_report(cause: object) -> Repair:
    """Return the report on a repair that begins now."""
    return Repair(at=datetime.now(UTC), cause=str(cause))
