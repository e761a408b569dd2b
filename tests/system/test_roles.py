"""Users of each role, over the socket of a booted gateway: their permissions, and the refusals."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lpad.cli.terminal import exit_codes
from system.gateway import CARD

if TYPE_CHECKING:
    from system.gateway import Gateway

PROFILES = f"/v1/euiccs/{CARD}/profiles"
JSON = ("--header", "Content-Type: application/json")


@pytest.fixture(scope="module")
def iccid(gateway: Gateway) -> str:
    """The ICCID of a profile that ines (role install) has downloaded; only the settings name her group."""
    body = json.dumps({"activation_code": gateway.order()})
    path = f"/v1/euiccs/{CARD}/downloads?wait=60"
    status, change = gateway.curl(path, "--data", body, *JSON, user="ines")
    assert (status, change["state"]) == (200, "done"), change
    return str(change["result"]["iccid"])


def refused(answer: tuple[int, Any], role: str) -> bool:
    """Return whether an answer is the refusal that names a role."""
    status, problem = answer
    return status == 403 and problem["kind"] == "not-permitted" and f"'{role}'" in problem["detail"]


def test_the_role_install_downloads_only(gateway: Gateway, iccid: str) -> None:
    """A user with the role install gets a profile onto the card, and neither switches nor deletes it."""
    assert gateway.profiles()[iccid] == "disabled"
    assert refused(gateway.curl(f"{PROFILES}/{iccid}/enable", "--request", "POST", user="ines"), "switch")
    assert refused(gateway.curl(f"{PROFILES}/{iccid}", "--request", "DELETE", user="ines"), "admin")


def test_the_role_switch_enables_only(gateway: Gateway, iccid: str) -> None:
    """A user with the role switch enables the profile, but cannot download one."""
    change = gateway.lpactl("enable", iccid, user="sam")
    assert change["state"] == "done"
    assert gateway.profiles()[iccid] == "enabled"
    refusal = gateway.lpactl("download", gateway.order(), user="sam", code=exit_codes.NOT_PERMITTED)
    assert "'install'" in refusal


def test_the_role_read_changes_nothing(gateway: Gateway, iccid: str) -> None:
    """A user with the role read sees the profiles, but cannot change anything."""
    assert gateway.lpactl("profiles", user="rita")["profiles"][0]["iccid"] == iccid
    assert refused(gateway.curl(f"{PROFILES}/{iccid}/disable", "--request", "POST", user="rita"), "switch")


def test_the_role_admin_permits_everything(gateway: Gateway, iccid: str) -> None:
    """A member of the group lpad has all permissions: here disable and delete."""
    assert gateway.lpactl("disable", iccid, "--accept-offline", user="ada")["state"] == "done"
    assert gateway.lpactl("delete", iccid, "--yes", user="ada")["state"] == "done"
    assert gateway.profiles() == {}


def test_a_user_without_a_role_cannot_connect(gateway: Gateway) -> None:
    """A user without a role cannot even connect."""
    said = gateway.run("lpactl", "status", user="mallory", code=exit_codes.DAEMON)
    assert "/run/lpad/lpad.sock" in said


def test_refusals_are_logged(gateway: Gateway) -> None:
    """The journal names user and process of a refused call."""
    uid = gateway.run("id", "-u", "rita").strip()
    status, _ = gateway.curl(f"/v1/euiccs/{CARD}/downloads", "--data", "{}", *JSON, user="rita")
    assert status == 403
    said = gateway.journal("--unit=lpad.service", "--lines=20")
    assert any(f"uid {uid}" in line and "pid" in line for line in said.splitlines()), said
