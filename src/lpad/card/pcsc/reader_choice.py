"""The choice of a reader by its name, by a pattern, or by its position."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lpad.base.errors import CardUnreachable
from lpad.base.untrusted_number import whole_number

if TYPE_CHECKING:
    from collections.abc import Sequence


def choose_reader(wanted: str | int, there: Sequence[str]) -> str:
    """Return the full name of the chosen reader.

    A name is best, because it contains the reader's serial number if there is one. The last digits of a name
    count the readers and slots that pcscd has found: `Gemalto PC Twin Reader (5A3B) 00 00` may end in `01 00`
    tomorrow. The pattern `Gemalto PC Twin Reader (5A3B)*` still matches the same reader then. Only * and ?
    are special, because real names contain many brackets. A position depends on the order in which readers
    are plugged in.

    Args:
        wanted: a name; a pattern in which * matches any characters and ? one character, in any case; or a
            position from 0, as a number or in digits.
        there: the names of the readers that pcscd reports, in its order.

    Raises:
        CardUnreachable: no reader matches, or several do.
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
            f"cannot choose a reader: '{wanted}' matches several readers: {_quoted(matching)}; give a longer"
            " name in the setting",
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
