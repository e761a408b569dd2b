"""Which reader is meant: by its name, by a pattern for it, or by its position."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lpad.base.errors import CardUnreachable
from lpad.base.outside_number import whole_number

if TYPE_CHECKING:
    from collections.abc import Sequence


def choose_reader(wanted: str | int, there: Sequence[str]) -> str:
    """Return the name of the reader that is meant.

    A name is the best: it holds the reader's serial number where it has one. Its last digits count the
    readers and slots that pcscd has seen, so `Gemalto PC Twin Reader (5A3B) 00 00` may end in `01 00`
    tomorrow; `Gemalto PC Twin Reader (5A3B)*` is the same reader then. Only * and ? are special, as real
    names are full of brackets. A position depends on the order of plugging in.

    Args:
        wanted: a name; a pattern in which * stands for any characters and ? for one, in any case of
            letters; or a position from 0, as a number or in digits.
        there: the names of the readers that pcscd knows, in its order.

    Raises:
        CardUnreachable: none of them is meant, or several are.
    """
    position = whole_number(str(wanted))
    if position is not None:
        if position < len(there):
            return there[position]
        raise CardUnreachable(
            f"cannot find reader {position} (the first one is 0): {_listed(there)}; plug the reader in, or"
            " change the setting"
        )
    wanted = str(wanted)
    if wanted in there:
        return wanted
    pattern = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in wanted)
    matching = [name for name in there if re.fullmatch(pattern, name, re.IGNORECASE)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise CardUnreachable(
            f"cannot choose a reader: '{wanted}' matches several, {_quoted(matching)}; give a longer name in"
            " the setting",
            retryable=False,
        )
    raise CardUnreachable(
        f"cannot find the reader '{wanted[:120]}': {_listed(there)}; plug it in, or change the setting, in"
        " which * matches any characters"
    )


def _listed(there: Sequence[str]) -> str:
    return f"there are only {_quoted(there)}" if there else "no reader is plugged in"


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
