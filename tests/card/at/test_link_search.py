"""The search for a link, and the error if it finds none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.base.errors import CardStatus, CardUnreachable
from lpad.base.identifiers import ISD_R, Aid
from lpad.card.at.link_search import find_link
from lpad.card.quirks.quirks import LinkKind

if TYPE_CHECKING:
    from collections.abc import Sequence

OTHER = Aid.parse("A0000005591010FFFFFFFF8900000177")


def test_a_card_that_comes_back_in_the_middle_is_not_called_another_card() -> None:
    """If the card was unreachable for the first AID, the error reports this, not other AIDs' refusal."""

    def try_out(_kind: LinkKind, names: Sequence[Aid]) -> None:
        if ISD_R in names:
            raise CardUnreachable("SIM failure", retryable=True, modem_error=13)
        raise CardStatus("no ISD-R, this card is not an eUICC", sw="6A82")

    with pytest.raises(CardUnreachable) as caught:
        find_link([LinkKind.CSIM], [ISD_R, OTHER], try_out, name="port")
    assert caught.value.retryable
