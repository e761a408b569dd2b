"""Fixtures for the simulated card's tests: cards, small LPAs and a small server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.euicc.chip.behaviour import CardBehaviour
from simulator.euicc.small_lpa import SmallLpa
from simulator.euicc.small_server import SmallServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki

    MakeCard = Callable[..., SoftCard]


@pytest.fixture
def make_card(tmp_path: Path, pki: Pki) -> Iterator[MakeCard]:
    """A function that makes a card with the given behaviour, and closes the card that it made earlier."""
    made: list[SoftCard] = []

    def make(folder: str = "card", **behaviour: object) -> SoftCard:
        for card in made:
            card.close()
        made.append(SoftCard(tmp_path / folder, pki=pki, behaviour=CardBehaviour(**behaviour)))  # type: ignore[arg-type]  # each test gives its own
        return made[-1]

    yield make
    for card in made:
        card.close()


@pytest.fixture
def card(make_card: MakeCard) -> SoftCard:
    return make_card()


@pytest.fixture
def lpa(card: SoftCard) -> SmallLpa:
    return SmallLpa(card)


@pytest.fixture
def server(pki: Pki) -> SmallServer:
    return SmallServer(pki)
