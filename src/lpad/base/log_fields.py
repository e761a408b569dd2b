"""What the log knows of each entry beside its text: which card, which change, which kind of error.

A worker's thread says once what it works on; everything that is logged in it carries that along, down to the
modem's floor, which knows nothing of cards' names and changes.
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
    """Attach fields to all that this thread logs inside.

    Args:
        fields: `euicc`, `change_id`, `change_kind`; those of the places around stay.
    """
    known = _context.get({})
    token = _context.set({**known, **{name.upper(): str(value) for name, value in fields.items()}})
    try:
        yield
    finally:
        _context.reset(token)


def current_fields() -> Mapping[str, str]:
    """Return what is attached to all that this thread logs now."""
    return _context.get({})


def fields_of(record: logging.LogRecord) -> dict[str, str]:
    """Return the fields of an entry; call it in the thread that logs.

    KIND is that of the error among the message's arguments, of the exception that is logged, or what `extra`
    says.
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
