"""The check that a card's certificate has the EID of the request."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lpad.base.errors import Conflict
from lpad.lpa.swapped_card import check_proof

MEANT = "89049032123451234512345678901235"
OTHER = "89049032000000000000000000000105"


def proof(eid: str | None) -> Any:
    """Return a card's proof with this EID, or without an EID."""
    return SimpleNamespace(eid=eid)


def test_another_card_is_refused() -> None:
    """If the card's certificate has an EID other than the request's, the check raises Conflict."""
    with pytest.raises(Conflict, match="it has another EID"):
        check_proof(proof(OTHER), MEANT)


@pytest.mark.parametrize(("seen", "meant"), [(MEANT, MEANT), (None, MEANT), (OTHER, None)])
def test_the_card_that_is_meant_is_not(seen: str | None, meant: str | None) -> None:
    """If the EIDs match, or the certificate or the request has no EID, the check raises nothing."""
    check_proof(proof(seen), meant)
