"""Fields of a log entry in addition to its text: the card, the change, the kind of error.

A worker's thread sets the fields once, and all entries that this thread logs carry the fields. So entries
from code that does not know the card or the change carry these fields, too.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from lpad.base.errors import LpadError

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping

_context: ContextVar[Mapping[str, str]] = ContextVar("log_fields")


@contextmanager
def logged_with(**fields: str | int) -> Iterator[None]:
    """Attach fields to all entries that this thread logs inside the block.

    Args:
        fields: `euicc`, `change_id`, `change_kind`; the fields of enclosing blocks also apply.
    """
    known = _context.get({})
    token = _context.set({**known, **{name.upper(): str(value) for name, value in fields.items()}})
    try:
        yield
    finally:
        _context.reset(token)


def current_fields() -> Mapping[str, str]:
    """Return the fields that this thread's log entries carry at present."""
    return _context.get({})


def fields_of(record: logging.LogRecord) -> dict[str, str]:
    """Return the fields of a log entry; must be called in the thread that logs the entry.

    KIND comes from an error among the message's arguments, from the logged exception, or from `extra`.
    """
    fields = dict(_context.get({}))
    arguments = record.args if isinstance(record.args, tuple) else ()
    raised = record.exc_info[1] if record.exc_info else None
    error = next((each for each in (*arguments, raised) if isinstance(each, LpadError)), None)
    said = getattr(record, "kind", None)
    if isinstance(said, str):
        fields["KIND"] = said
    elif error is not None:
        fields["KIND"] = error.kind
    elif raised is not None:
        fields["KIND"] = "internal-error"
    return fields
