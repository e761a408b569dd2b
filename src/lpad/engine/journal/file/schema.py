"""The journal's tables, as steps that bring a file of any earlier version to the current one.

A file's version is the number of completed steps (`PRAGMA user_version`). A released step is never edited;
the next one is added below it.
"""

from __future__ import annotations

_FIRST = """
CREATE TABLE changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    euicc TEXT NOT NULL,
    state TEXT NOT NULL,
    body BLOB NOT NULL,
    private BLOB
);
CREATE INDEX changes_state ON changes (state);
CREATE TABLE notifications (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    eid TEXT NOT NULL,
    seq INTEGER NOT NULL,
    event TEXT NOT NULL,
    address TEXT NOT NULL,
    iccid TEXT,
    raw BLOB NOT NULL,
    stored_at REAL NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    next_attempt_at REAL NOT NULL,
    UNIQUE (eid, seq)
);
"""

# A notification's stage, its consecutive refusals, and the time of its last attempt; and named values.
_STAGES = """
ALTER TABLE notifications ADD COLUMN stage TEXT NOT NULL DEFAULT 'pending';
UPDATE notifications SET stage = 'delivered' WHERE delivered;
ALTER TABLE notifications DROP COLUMN delivered;
ALTER TABLE notifications ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;
ALTER TABLE notifications ADD COLUMN last_attempt_at REAL;
CREATE TABLE memos (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""

# The change to which each request led; and the time at which a change ended, in seconds since 1970, because
# the change is kept for some days.
_REQUESTS = """
CREATE TABLE requests (
    uid INTEGER NOT NULL,
    key TEXT NOT NULL,
    request BLOB NOT NULL,
    change_id INTEGER NOT NULL,
    PRIMARY KEY (uid, key)
) WITHOUT ROWID;
CREATE INDEX requests_change ON requests (change_id);
ALTER TABLE changes ADD COLUMN ended_at REAL;
UPDATE changes SET ended_at = CAST(strftime('%s', 'now') AS REAL) WHERE private IS NULL;
"""

# The number of times that a server answered a notification with an error; failures to reach the server do not
# count.
_ANSWERED = """
ALTER TABLE notifications ADD COLUMN answered INTEGER NOT NULL DEFAULT 0;
"""

# A checksum for each row; a second record of the file's version, with a checksum; and second copies of rows
# whose loss could make a device unreachable or repeat an action. `migration.py` fills them in after each
# step.
_CHECKSUMS = """
ALTER TABLE changes ADD COLUMN checksum INTEGER;
ALTER TABLE notifications ADD COLUMN checksum INTEGER;
ALTER TABLE requests ADD COLUMN checksum INTEGER;
ALTER TABLE memos ADD COLUMN checksum INTEGER;
CREATE TABLE about (name TEXT PRIMARY KEY, value NOT NULL, checksum INTEGER) WITHOUT ROWID;
CREATE TABLE spares (
    origin TEXT NOT NULL,
    key TEXT NOT NULL,
    packed BLOB NOT NULL,
    checksum INTEGER,
    PRIMARY KEY (origin, key)
) WITHOUT ROWID;
"""

# The time since which a server answers a notification with errors, on the steady clock; NULL for errors that
# an earlier version of lpad has counted, until the next answer. A repair expects the checksum to be the last
# column.
_ANSWERED_SINCE = """
ALTER TABLE notifications DROP COLUMN checksum;
ALTER TABLE notifications ADD COLUMN answered_since REAL;
ALTER TABLE notifications ADD COLUMN checksum INTEGER;
"""

# Events for backends and local programs, by their number.
_EVENTS = """
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    type TEXT NOT NULL,
    droppable INTEGER NOT NULL,
    body BLOB NOT NULL,
    checksum INTEGER
);
"""

# With these indexes, lpad reads only the needed rows to show one card's history and to trim the history.
_HISTORY = """
CREATE INDEX changes_euicc ON changes (euicc, id);
CREATE INDEX changes_ended_at ON changes (ended_at);
"""

MIGRATIONS = (
    _FIRST,
    _STAGES,
    _REQUESTS,
    _ANSWERED,
    _CHECKSUMS,
    _ANSWERED_SINCE,
    _EVENTS,
    _HISTORY,
)
"""Step n turns version n - 1 into version n, in one transaction."""

SCHEMA_VERSION = len(MIGRATIONS)

CHECKSUMS_SINCE = MIGRATIONS.index(_CHECKSUMS) + 1
"""The first version whose rows carry checksums. A later step may add columns, as long as the checksum stays
the last one: all checksums are computed again after it. Only `about` must stay unchanged in every later
version, because an earlier version of lpad uses it to distinguish a newer file from a damaged number."""

SPARED = {
    "changes": "private IS NOT NULL AND instr(CAST(body AS TEXT), '\"guard\":{')",
    "requests": "1",
    "memos": "1",
}
"""Tables whose rows have a second copy in `spares`, and which rows: unfinished guarded switches, whose loss
would leave the device with a dead profile; idempotency keys, whose loss would repeat a request; and named
values."""


def statements(migration: str) -> list[str]:
    """Return a step's statements separately, because running a whole script would commit the transaction."""
    return [statement for statement in migration.split(";") if statement.strip()]
