"""A caller that asks again with an ETag gets 304 if nothing has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.lab import CARD, FIRST

if TYPE_CHECKING:
    from api.gateway import Gateway

EUICC = f"/v1/euiccs/{CARD}"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/euiccs",
        EUICC,
        f"{EUICC}/profiles",
        f"{EUICC}/profiles/{FIRST}",
        "/v1/changes",
        "/v1/openapi.json",
    ],
)
def test_nothing_has_changed(gateway: Gateway, path: str) -> None:
    """A request with the current ETag gets 304 without a body; one with a different ETag gets the content."""
    gateway.lab.install()
    gateway.lab.until_true(lambda: gateway.lab.engine.gauges.unfinished() == {CARD: 0})
    first = gateway.http.get(path)
    tag = first.headers["etag"]
    for given in (tag, f'"x", {tag}', "*"):
        again = gateway.http.get(path, headers={"If-None-Match": given})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = gateway.http.get(path, headers={"If-None-Match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)


@pytest.mark.parametrize("path", [f"{EUICC}/profiles", f"{EUICC}/profiles/{FIRST}", "/v1/changes"])
def test_something_has_changed(gateway: Gateway, path: str) -> None:
    """After a change, a request with the old ETag gets the new content."""
    gateway.lab.install()
    tag = gateway.http.get(path).headers["etag"]
    gateway.http.patch(f"{EUICC}/profiles/{FIRST}?wait=120", json={"nickname": "home"})
    again = gateway.http.get(path, headers={"If-None-Match": tag})
    assert again.status_code == 200
    assert again.headers["etag"] != tag


def test_changes_are_listed_in_pages(gateway: Gateway) -> None:
    """Without a limit, one answer lists all changes, newest first, for all cards or for one."""
    assert gateway.get("/v1/changes") == {"changes": [], "next": None}
    numbers = [gateway.http.post(f"{EUICC}/refresh").json()["id"] for _ in range(45)]
    for path in ("/v1/changes", f"/v1/changes?euicc={CARD}"):
        assert [each["id"] for each in gateway.get(path)["changes"]] == numbers[::-1]
    assert gateway.get("/v1/changes?euicc=other") == {"changes": [], "next": None}
