"""Each kind of refusal: the platform's own words, lpad's cause, the remedy, and the state of the wish."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.lab import CARD
from engine.operations.platform_lab import PLATFORM, PlatformLab, hurry
from lpad.engine.change.change import EID, Kind, State
from lpad.engine.provisioning.wish_record import KeptReservation, WishRecord
from lpad.provisioning.declared.answer_verdict import WHAT_TO_DO
from lpad.simulator.platform.faults import PlatformFault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki


@pytest.fixture
def desk(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlatformLab]:
    """Yield a lab with a desk, in which nothing waits for long."""
    hurry(monkeypatch)
    with PlatformLab(tmp_path, pki, like="desk") as made:
        yield made


@pytest.mark.parametrize(
    ("fault", "call", "cause", "words"),
    [
        (PlatformFault.TOKEN_EXPIRED, "order", "credentials", "this key does not belong to a device"),
        (PlatformFault.NO_STOCK, "order", "no-stock", "the desk says no-stock"),
        (PlatformFault.NO_BALANCE, "order", "no-balance", "the desk says no-balance"),
        (PlatformFault.NOT_ELIGIBLE, "order", "not-eligible", "the desk says not-eligible"),
        (PlatformFault.UNKNOWN_PRODUCT, "order", "unknown-product", "the desk says unknown-product"),
        (PlatformFault.LINE_REFUSED, "activate", "settings", "the desk says line-refused"),
    ],
)
def test_a_refusal_says_who_why_and_what_to_do(
    desk: PlatformLab, fault: PlatformFault, call: str, cause: str, words: str
) -> None:
    """The sentence of the failed change has the platform's name and words, and the remedy of the cause."""
    desk.platform.faults.add(fault, call=call, times=0)
    ended = desk.ended(desk.provision().id)
    assert ended.error is not None
    sentence = ended.error.sentence
    assert (ended.error.kind, ended.error.details["cause"]) == ("platform-refused", cause)
    assert sentence.startswith(f"the platform '{PLATFORM}' cannot ")
    assert f"'{words}'" in sentence
    assert sentence.endswith(WHAT_TO_DO[cause])


def test_a_wish_whose_order_was_paid_stays_open(desk: PlatformLab) -> None:
    """A change that fails after the order leaves the wish open, and the next request resumes it."""
    desk.platform.faults.add(PlatformFault.LINE_REFUSED, call="activate", times=1)
    assert desk.ended(desk.provision().id).state is State.FAILED
    wish = desk.engine.card(CARD).wish()
    assert wish is not None
    assert wish.paid
    assert desk.ended(desk.provision().id).error is None
    assert (desk.platform.orders, desk.engine.card(CARD).wish()) == (1, None)


def test_a_used_code(desk: PlatformLab) -> None:
    """The question about another order has the SM-DP+'s words, and warns that it may cost money."""
    desk.platform.faults.add(PlatformFault.BUSY, call="activate", value="0", times=0)
    change = desk.provision()
    desk.until_true(lambda: len(desk.server.orders.all()) == 1)
    desk.server.orders.cancel(desk.server.orders.all()[0].id)
    desk.platform.stock.shelf.progress = lambda _: desk.platform.stock.reserved[0].profile  # type: ignore[method-assign, assignment]
    desk.platform.faults.clear()
    asked = desk.asked(change.id)
    assert asked.question is not None, asked.error
    reason = str(asked.question.reason)
    assert "if the answer is yes, lpad orders another profile at 'mine', which may cost money" in reason
    assert "refused" in reason.partition("; if the answer is yes")[0], reason


def test_a_card_that_was_exchanged(desk: PlatformLab) -> None:
    """If the card was exchanged, the error states this, and what happened to the reservation."""
    eid = "89049032123451234512345678901326"
    made = desk.platform.stock.order(eid=eid, reference="lpad-other")
    desk.until(lambda: desk.engine.snapshot(CARD), lambda seen: seen.eid is not None)
    kept = KeptReservation(id=made.reference, profile="pending")
    desk.engine._wishes.put(eid, WishRecord(platform=PLATFORM, reservation=kept, ordered_at=(1.0,)))
    desk.platform.faults.add(PlatformFault.TOKEN_EXPIRED, call="release", times=0)
    ended = desk.ended(desk.submit(Kind.PROVISION, secrets={EID: eid}, platform=PLATFORM).id)
    assert ended.error is not None
    assert "the card was swapped" in ended.error.sentence
    assert "the order at the platform 'mine' stays" in ended.error.sentence
    assert "this key does not belong to a device" in ended.error.sentence


def test_an_unknown_platform_leads_to_the_command_that_lists_them(desk: PlatformLab) -> None:
    """If the settings do not name a platform, the error has the command that lists the platforms."""
    ended = desk.ended(desk.provision(platform="other").id)
    assert ended.error is not None
    assert "no platform 'other'; 'lpad platform list' shows the names" in ended.error.sentence
