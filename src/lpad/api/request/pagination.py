"""A page of a list: at most `?limit=` items, those that follow the cursor `?after=`.

The answer's `next` is the cursor of the next page, and null on the last page. Without a limit, all
items follow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from lpad.base.errors import InvalidValue
from lpad.base.untrusted_number import LARGEST, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lpad.api.request.api_call import Call

MOST_AT_ONCE = 1000
"""The largest limit of a page."""
IN_A_LIST = ("limit", "after")
"""The query parameters of a list."""

_T = TypeVar("_T")


def limit_of(call: Call) -> int | None:
    """Return the maximum number of items in the answer, from `?limit=`; None: all.

    Raises:
        InvalidValue: the limit is not a number from 1 to 1,000.
    """
    text = call.query.get("limit")
    limit = None if text is None else whole_number(text, least=1, most=MOST_AT_ONCE)
    if text is not None and limit is None:
        raise InvalidValue(f"'limit' must be a number from 1 to {MOST_AT_ONCE}")
    return limit


def page(call: Call, items: Sequence[_T]) -> tuple[list[_T], str | None]:
    """Return a page of a list whose order never changes, and its `next`, if any; the cursor is a position.

    Raises:
        InvalidValue: 'limit' or 'after' cannot be used.
    """
    limit, after = limit_of(call), _cursor(call, least=0) or 0
    end = len(items) if limit is None else after + limit
    return list(items[after:end]), str(end) if end < len(items) else None


def page_of_names(call: Call, items: Sequence[_T], name: Callable[[_T], str]) -> tuple[list[_T], str | None]:
    """Return a page of a list that is sorted by name, and its `next`, if any; the cursor is a name.

    Items may be added or removed between two pages.

    Raises:
        InvalidValue: 'limit' cannot be used.
    """
    after = call.query.get("after")
    return _following([each for each in items if after is None or name(each) > after], limit_of(call), name)


def page_of_numbers(
    call: Call, items: Sequence[_T], number: Callable[[_T], int]
) -> tuple[list[_T], str | None]:
    """Return a page of a list that is sorted by number, and its `next`, if any; the cursor is a number.

    Items may be added or removed between two pages. Items that share a number are on one page, even
    if this exceeds the limit.

    Raises:
        InvalidValue: 'limit' or 'after' cannot be used.
    """
    after = _cursor(call, least=-LARGEST - 1)
    return _following(
        [each for each in items if after is None or number(each) > after], limit_of(call), number
    )


def _cursor(call: Call, *, least: int) -> int | None:
    text = call.query.get("after")
    cursor = None if text is None else whole_number(text, least=least)
    if text is not None and cursor is None:
        raise InvalidValue("'after' must be the 'next' of an earlier page of this list")
    return cursor


def _following(
    items: list[_T], limit: int | None, key: Callable[[_T], str | int]
) -> tuple[list[_T], str | None]:
    if limit is None or limit >= len(items):
        return items, None
    end = limit
    while end < len(items) and key(items[end]) == key(items[end - 1]):
        end += 1
    return items[:end], str(key(items[end - 1])) if end < len(items) else None
