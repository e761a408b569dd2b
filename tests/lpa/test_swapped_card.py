"""A card that was swapped: what was meant for one card is not done to another."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lpad.base.errors import Conflict
from lpad.lpa.swapped_card import check_proof

MEANT = "89049032123451234512345678901235"
OTHER = "89049032000000000000000000000105"


def proof(eid: str | None) -> Any:
    """Return what a card with this EID proves itself with; None: its certificate names none."""
    return SimpleNamespace(eid=eid)


def test_another_card_is_refused() -> None:
    """Its own certificate says who it is."""
    with pytest.raises(Conflict, match="it has another EID"):
        check_proof(proof(OTHER), MEANT)


@pytest.mark.parametrize(("seen", "meant"), [(MEANT, MEANT), (None, MEANT), (OTHER, None)])
def test_the_card_that_is_meant_is_not(seen: str | None, meant: str | None) -> None:
    """Nor is one that names no EID, nor any where none is meant."""
    check_proof(proof(seen), meant)
