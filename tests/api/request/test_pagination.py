"""Lists in pages: every list of the API has a limit and a cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.lab import CARD, FIRST, SECOND
from lpad.api.openapi import document
from lpad.api.routes import ROUTES
from lpad.engine.events.event_types import EVENT_TYPES
from lpad.engine.listeners.listeners import Asker

if TYPE_CHECKING:
    from api.gateway import Gateway

NOT_ONE_LIST = frozenset({"list_ports"})
"""Operations whose answer is not one list: `list_ports` returns the machine's ports and its readers."""


def pages(gateway: Gateway, path: str, name: str, limit: int) -> list[list[Any]]:
    """Return the pages of a list."""
    found = []
    query = f"?limit={limit}"
    while True:
        answer = gateway.get(f"{path}{query}")
        found.append(answer[name])
        if answer["next"] is None:
            return found
        query = f"?limit={limit}&after={answer['next']}"


def test_every_list_has_a_limit_and_a_cursor() -> None:
    """For every list, the OpenAPI document names a limit and a cursor, and the answer's schema has `next`."""
    written = document(ROUTES)
    lists = 0
    for path in written["paths"].values():
        operation = path.get("get", {})
        if (
            not operation.get("operationId", "").startswith("list_")
            or operation["operationId"] in NOT_ONE_LIST
        ):
            continue
        lists += 1
        given = {each["name"] for each in operation["parameters"] if "name" in each}
        assert "limit" in given, operation["operationId"]
        assert given & {"after", "before"}, operation["operationId"]
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        answer = written["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        assert "next" in answer["properties"], operation["operationId"]
        assert "next" in answer["required"], operation["operationId"]
    assert lists >= 9


def test_a_list_in_pages_has_each_item_once(gateway: Gateway) -> None:
    """Whatever the limit, the pages together are the complete list; the last page has no `next`."""
    path = "/v1/event-types"
    whole = gateway.get(path)["types"]
    assert len(whole) == len(EVENT_TYPES)
    for limit in (1, 7, len(whole) - 1, len(whole), len(whole) + 1):
        found = pages(gateway, path, "types", limit)
        assert [each for page in found for each in page] == whole
        assert all(len(page) == limit for page in found[:-1])


def test_profiles_in_pages(gateway: Gateway) -> None:
    """Pages of profiles follow the order of the card's list."""
    gateway.lab.install()
    gateway.lab.install(iccid=SECOND, name="Second")
    path = f"/v1/euiccs/{CARD}/profiles"
    assert [[each["iccid"] for each in page] for page in pages(gateway, path, "profiles", 1)] == [
        [FIRST],
        [SECOND],
    ]
    assert gateway.get(f"{path}?after=2")["profiles"] == []


def test_listeners_come_and_go_between_pages(gateway: Gateway) -> None:
    """The cursor is a name, so a listener that is forgotten between two pages moves no other listener."""
    listeners = gateway.lab.engine.listeners
    asker = Asker(user=0, admin=True)
    for name in ("a", "b", "c", "d"):
        listeners.connect(name, asker, after=None)
    first = gateway.get("/v1/listeners?limit=2")
    assert [each["name"] for each in first["listeners"]] == ["a", "b"]
    for name in ("a", "b"):
        listeners.forget(name, asker)
    second = gateway.get(f"/v1/listeners?limit=2&after={first['next']}")
    assert ([each["name"] for each in second["listeners"]], second["next"]) == (["c", "d"], None)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v1/euiccs", "limit=0"),
        ("/v1/euiccs", "limit=1001"),
        ("/v1/euiccs", "limit=many"),
        ("/v1/webhooks", "after=-1"),
        (f"/v1/euiccs/{CARD}/notifications", "after=x"),
        (f"/v1/euiccs/{CARD}/notifications", "after=99999999999999999999"),
    ],
)
def test_odd_limits_and_cursors_are_refused(gateway: Gateway, path: str, query: str) -> None:
    """An impossible limit or cursor is refused with the name of the parameter."""
    answer = gateway.http.get(f"{path}?{query}")
    assert answer.status_code == 400
    assert f"'{query.partition('=')[0]}' must be" in answer.json()["detail"]
