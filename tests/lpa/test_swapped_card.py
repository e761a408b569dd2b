"""A swapped card: a request for one card is not carried out on another."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lpad.base.errors import Conflict
from lpad.lpa.swapped_card import check_proof

MEANT = "89049032123451234512345678901235"
OTHER = "89049032000000000000000000000105"


def proof(eid: str | None) -> Any:
    """Return the certificate of a card with this EID; None: its certificate names no EID."""
    return SimpleNamespace(eid=eid)


def test_another_card_is_refused() -> None:
    """If the card's own certificate has another EID than the request, the card is refused."""
    with pytest.raises(Conflict, match="it has another EID"):
        check_proof(proof(OTHER), MEANT)


@pytest.mark.parametrize(("seen", "meant"), [(MEANT, MEANT), (None, MEANT), (OTHER, None)])
def test_the_card_that_is_meant_is_not(seen: str | None, meant: str | None) -> None:
    """Without an EID in the certificate, or without an expected one, the card does not count as swapped."""
    check_proof(proof(seen), meant)
