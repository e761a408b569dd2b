"""The API lists changes in pages, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.lab import CARD
from lpad.engine.change.params import RefreshParams

if TYPE_CHECKING:
    from api.gateway import Gateway

MANY = 47


@pytest.fixture
def history(gateway: Gateway) -> Gateway:
    for number in range(1, MANY + 1):
        name = CARD if number % 2 else "another"
        gateway.lab.engine._journal.changes.add(name, RefreshParams(), secrets={})
    return gateway


def listed(gateway: Gateway, query: str) -> tuple[list[int], int | None]:
    answer = gateway.get(f"/v1/changes{query}")
    return [each["id"] for each in answer["changes"]], answer["next"]


def test_without_a_limit_all_are_listed(history: Gateway) -> None:
    """Without a limit, the list of changes is complete, and there is no next page."""
    assert listed(history, "") == (list(range(MANY, 0, -1)), None)


@pytest.mark.parametrize("limit", [1, 20, 30, 46])
def test_pages_follow_each_other(history: Gateway, limit: int) -> None:
    """Each page of changes has `next` until there are no older ones; each change is listed exactly once."""
    found: list[int] = []
    query = f"?limit={limit}"
    while True:
        page, following = listed(history, query)
        found += page
        if following is None:
            break
        assert len(page) == limit
        query = f"?limit={limit}&before={following}"
    assert found == list(range(MANY, 0, -1))


def test_a_page_that_ends_with_the_oldest_has_no_next(history: Gateway) -> None:
    """A page that ends with the oldest change has no `next`, so a caller need not ask for an empty page."""
    assert listed(history, f"?limit={MANY}") == (list(range(MANY, 0, -1)), None)


def test_pages_of_one_card(history: Gateway) -> None:
    """In the pages of one card, other cards' changes count neither for the limit nor for `next`."""
    page, following = listed(history, "?euicc=another&limit=3")
    assert (page, following) == ([46, 44, 42], 42)
    page, following = listed(history, f"?euicc=another&limit=20&before={following}")
    assert (page, following) == (list(range(40, 0, -2)), None)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "before=0", "before=-1", "limit=", "before=1e3"]
)
def test_a_bad_page_is_refused(gateway: Gateway, query: str) -> None:
    """If a parameter of the page is invalid, the problem names it."""
    answer = gateway.http.get(f"/v1/changes?{query}")
    assert answer.status_code == 400
    assert f"'{query.partition('=')[0]}'" in answer.json()["detail"]
