"""A named listener of the stream of events, as the journal keeps it."""

from __future__ import annotations

import msgspec

from lpad.base.errors import InvalidValue
from lpad.base.lazy_pattern import LazyPattern

NAME = LazyPattern(r"[a-z0-9][a-z0-9._-]{0,31}")


class ListenerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The position of a listener, and its owner.

    Attributes:
        user: the ID of the user that the listener belongs to.
        position: the latest event that the listener has acknowledged; 0: none.
        seen: the time at which the listener was last connected, in seconds that lpad has run.
    """

    user: int
    position: int
    seen: float


def check_name(name: str) -> None:
    """Check that a name has the form of a listener's name.

    Raises:
        InvalidValue: the name has a different form.
    """
    if not NAME.fullmatch(name):
        raise InvalidValue(
            "a listener's name must have 1 to 32 lower-case letters, digits, dots, hyphens or underscores,"
            " and begin with a letter or a digit"
        )
