"""The meanings of the commands' exit codes; docs/api.md and `lpactl --help` show this table."""

from __future__ import annotations

DONE = 0
INTERNAL = 1
USAGE = 2
STATE = 3
NEEDS_PEOPLE = 4
CARD = 5
SERVER = 6
DAEMON = 7
NOT_PERMITTED = 8
TAKEN_BACK = 9
INTERRUPTED = 130
READER_GONE = 141

MEANINGS = {
    DONE: "done, or already as requested",
    INTERNAL: "an error in lpad itself; see its log",
    USAGE: "the command line, a setting or an identifier is wrong",
    STATE: "unknown card, profile or change, or impossible in the present state",
    NEEDS_PEOPLE: "a confirmation code is missing, the profile was declined, or the change was cancelled",
    CARD: "the card refused or cannot be reached, or the applier or a hook failed",
    SERVER: "the SM-DP+ or the platform refused or cannot be reached",
    DAEMON: "the daemon cannot be reached",
    NOT_PERMITTED: "this user lacks the role",
    TAKEN_BACK: "the guard of a switch was not met; the previous, another or no profile is enabled",
    INTERRUPTED: "Ctrl-C; a change that has begun continues",
    READER_GONE: "the reader of the output closed the pipe",
}

_KINDS = {
    "not-found": STATE,
    "conflict": STATE,
    "protected": STATE,
    "switch-limit": STATE,
    "would-go-offline": STATE,
    "switch-rolled-back": TAKEN_BACK,
    "switch-stuck": TAKEN_BACK,
    "network-failed": CARD,
    "confirmation-code-required": NEEDS_PEOPLE,
    "declined": NEEDS_PEOPLE,
    "policy-refused": NEEDS_PEOPLE,
    "cancelled": NEEDS_PEOPLE,
    "daemon-unreachable": DAEMON,
    "not-permitted": NOT_PERMITTED,
    "bad-request": USAGE,
    "idempotency-key-reused": USAGE,
    "too-many-changes": STATE,
    "too-many-connections": DAEMON,
    "journal-unavailable": STATE,
    "clock-not-set": SERVER,
    "internal-error": INTERNAL,
}
_FAMILIES = {"invalid": USAGE, "card": CARD, "server": SERVER, "platform": SERVER}


def exit_code(kind: str) -> int:
    """Return the exit code for an error's kind."""
    return _KINDS.get(kind) or _FAMILIES.get(kind.partition("-")[0], INTERNAL)


def table() -> str:
    """Return the table for help texts; click does not reflow its lines."""
    return "\b\nExit codes:\n" + "\n".join(f"  {code:<4}{meaning}" for code, meaning in MEANINGS.items())
