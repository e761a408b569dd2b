"""The card's answer to an installation serves as its notification, unless the card leaves doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.lab import CARD, SECOND, Lab
from engine.outbox.test_outbox import pending
from engine.outbox.test_repeated_numbers import away, made_anew
from lpad.codec.asn1 import tlv
from lpad.codec.messages.authentication import AuthenticateServerResponse
from lpad.engine.snapshot.snapshot import CardState

if TYPE_CHECKING:
    from collections.abc import Callable

LIST = 0xBF28
RESULT = 1
"""The number of the first notification of a new card: the installation's result."""
ALL = "81E2910003BF2B00"
"""The command for all notifications."""
GET_EID = "BF3E035C015A"


def fetched(lab: Lab) -> int:
    """Return how often the card was asked for the notification with the result's number."""
    return sum(f"BF2B05A0038001{RESULT:02X}" in line for line in lab.modem.received)


def cleared(lab: Lab) -> bool:
    return lab.card.notifications == () and not pending(lab)


def left(lab: Lab) -> bool:
    return RESULT not in [each.number for each in lab.card.notifications]


def read(lab: Lab) -> None:
    """Wait for the first reading of the card, so that the test's fault does not affect it."""
    lab.until(lambda: lab.engine.snapshot(CARD).state, lambda state: state is CardState.READY)
    lab.until_true(lambda: not lab.card.open_channels)


def twice(answer: bytes) -> bytes:
    """Return the card's list with each notification twice."""
    entries = [each.raw for each in tlv.parse(answer).get(0xA0).children()]
    return tlv.encode(LIST, tlv.encode(0xA0, *entries, *entries))


def with_a_broken_one(answer: bytes) -> bytes:
    """Return the card's list with an additional notification whose number cannot be read."""
    return tlv.encode(LIST, tlv.encode(0xA0, tlv.parse(answer).get(0xA0).value, tlv.encode(0xBF2F)))


def nothing(_answer: bytes) -> bytes:
    """Return an empty list of notifications."""
    return tlv.encode(LIST, tlv.encode(0xA0))


def test_the_result_is_not_fetched_again(lab: Lab) -> None:
    """If the card lists its answer once, lpad removes that notification without fetching it."""
    lab.install()
    lab.until_true(lambda: cleared(lab))
    assert fetched(lab) == 0


@pytest.mark.parametrize("listed", [nothing, twice, with_a_broken_one])
def test_a_result_that_is_not_listed_exactly_once_is_compared(
    lab: Lab, listed: Callable[[bytes], bytes]
) -> None:
    """A result that is not listed exactly once is compared, as its number may be another notification's."""
    read(lab)
    lab.card.faults.corrupt(LIST, listed)
    lab.install()
    lab.until_true(lambda: left(lab))
    assert fetched(lab) == 1


def test_a_card_that_has_repeated_a_number_is_not_trusted(lab: Lab) -> None:
    """If a card has repeated a number, its list may show two notifications as one, and all are fetched."""
    away(lab)
    lab.install()
    made_anew(lab)
    lab.server.faults.clear()
    lab.modem.received.clear()
    lab.install(iccid=SECOND, name="Second")
    lab.until_true(lambda: cleared(lab))
    assert sum(ALL in line for line in lab.modem.received) == 1


@pytest.mark.parametrize(("eid", "asked"), [(None, 0), (lambda _: None, 1)], ids=["named", "not named"])
def test_the_eid_in_the_certificate_is_not_read_again(
    lab: Lab,
    monkeypatch: pytest.MonkeyPatch,
    eid: Callable[[AuthenticateServerResponse], None] | None,
    asked: int,
) -> None:
    """Lpad asks the card for its EID after an installation only if the card's certificate names none."""
    if eid is not None:  # The simulated server refuses such a certificate.
        monkeypatch.setattr(AuthenticateServerResponse, "eid", property(eid))
    lab.install()
    lab.until_true(lambda: cleared(lab))
    lab.modem.received.clear()
    lab.install(iccid=SECOND, name="Second")
    assert sum(GET_EID in line for line in lab.modem.received) == asked
    lab.until_true(lambda: cleared(lab))
