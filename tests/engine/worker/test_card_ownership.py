"""If two names in the settings lead to the same card, only one worker serves the card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from card.csim_line import open_csim_link
from engine.lab import CARD, Lab
from lpad.base.errors import CardServed
from lpad.engine.change.change import Kind, State
from lpad.engine.change.params import RefreshParams
from lpad.engine.snapshot.snapshot import CardState
from lpad.engine.worker.card_ownership import CardOwnership, Claimant
from lpad.simulator.modem.pty_modem import PtyModem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.engine.running.card.card_with_open_link import CardPort

OTHER = "reader"
EID = "89049032123451234512345678901235"


@pytest.fixture
def other(lab: Lab) -> Iterator[CardPort]:
    """Another port that leads to the same card."""
    path = str(lab.folder / "other-tty")
    with PtyModem(lab.card, path=path):
        yield replace(lab.port, name=OTHER, open_link=lambda _deadline: open_csim_link(path))


def state(lab: Lab, name: str, wanted: CardState) -> None:
    lab.until(lambda: lab.engine.snapshot(name).state, lambda seen: seen is wanted)


def served(lab: Lab) -> None:
    """Wait until the first worker has the card and is idle, so that two workers do not mix their commands."""
    state(lab, CARD, CardState.READY)
    lab.until_true(lambda: lab.card.open_channels == ())


def refused_as_served(lab: Lab) -> None:
    """Wait until the second worker is refused because the first one already serves the card."""
    seen = lab.until(
        lambda: lab.engine.snapshot(OTHER),
        lambda seen: seen.error is not None and seen.error.kind == "card-served",
    )
    assert seen.state is CardState.FAULTY
    assert seen.error is not None
    assert seen.error.details == {"served_as": CARD}


def test_the_first_has_the_card() -> None:
    """The first worker that reaches a card serves it; another one is refused with the first's name."""
    ownership, told = CardOwnership(), list[str]()
    one, two = (Claimant(name, lambda name=name: told.append(name)) for name in ("one", "two"))  # type: ignore[misc]  # name is bound
    ownership.claim(EID, one)
    ownership.claim(EID, one)
    for _ in range(2):
        with pytest.raises(CardServed, match="already serves this card as 'one'") as refused:
            ownership.claim(EID, two)
        assert refused.value.details == {"served_as": "one"}
    ownership.release(one)
    assert told == ["two"]
    ownership.claim(EID, two)
    ownership.release(one)
    with pytest.raises(CardServed):
        ownership.claim(EID, one)


def test_a_worker_with_another_card_releases_the_first() -> None:
    """A worker that reaches another card releases its first card; a worker that has left is not informed."""
    ownership, told = CardOwnership(), list[str]()
    one, two = (Claimant(name, lambda name=name: told.append(name)) for name in ("one", "two"))  # type: ignore[misc]  # name is bound
    ownership.claim(EID, one)
    with pytest.raises(CardServed):
        ownership.claim(EID, two)
    ownership.claim(EID[::-1], one)
    assert told == ["two"]
    ownership.claim(EID, two)
    with pytest.raises(CardServed):
        ownership.claim(EID, one)
    ownership.leave(one)
    ownership.release(two)
    assert told == ["two"]


def test_a_waiting_worker_keeps_waiting_while_it_cannot_reach_the_card() -> None:
    """A waiting worker is informed when the card is free, even if it could not reach the card meanwhile."""
    ownership, told = CardOwnership(), list[str]()
    one, two, three = (
        Claimant(name, lambda name=name: told.append(name))  # type: ignore[misc]  # name is bound
        for name in ("one", "two", "three")
    )
    ownership.claim(EID, one)
    for each in (two, three):
        with pytest.raises(CardServed):
            ownership.claim(EID, each)
    ownership.release(two)
    ownership.leave(three)
    ownership.release(one)
    assert told == ["two"]


def test_two_of_one_name_are_two() -> None:
    """Of two workers with the same name, the one that ends late does not release its successor's card."""
    ownership = CardOwnership()
    before, after = (Claimant("one", lambda: None) for _ in range(2))
    ownership.claim(EID, before)
    with pytest.raises(CardServed):
        ownership.claim(EID, after)
    ownership.release(before)
    ownership.claim(EID, after)
    ownership.release(before)
    with pytest.raises(CardServed):
        ownership.claim(EID, before)


def test_a_card_with_two_names_is_served_once(lab: Lab, other: CardPort) -> None:
    """A card's second name is refused with the first name, and notifications are sent only once."""
    first = lab.port
    lab.start(first)
    served(lab)
    lab.engine.become([first, other])
    refused_as_served(lab)
    refused = lab.ended(lab.engine.submit(OTHER, RefreshParams()).change.id)
    assert refused.error is not None
    assert refused.error.kind == "card-served"
    lab.install()
    lab.until_true(lambda: lab.engine.card(CARD).notifications() == [])
    assert [each.duplicate for each in lab.server.notifications] == [False, False]
    served(lab)
    refused = lab.ended(lab.engine.submit(OTHER, RefreshParams()).change.id)
    assert refused.error is not None
    assert refused.error.kind == "card-served"
    refused_as_served(lab)


def test_the_second_serves_the_card_when_the_first_can_not(lab: Lab, other: CardPort) -> None:
    """A card whose modem is gone is taken over immediately by another worker that reaches it."""
    first = lab.port
    lab.start(first)
    served(lab)
    lab.engine.become([first, other])
    refused_as_served(lab)
    lab.modem.close()
    assert lab.carry_out(Kind.REFRESH).state is State.FAILED
    state(lab, OTHER, CardState.READY)
    assert lab.engine.snapshot(CARD).state is CardState.ABSENT
