"""Users of each role on a booted gateway, their permissions, and the refusals."""

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
    """The ICCID of a profile that the user ines has downloaded, whose group has the role install."""
    body = json.dumps({"activation_code": gateway.order()})
    path = f"/v1/euiccs/{CARD}/downloads?wait=60"
    status, change = gateway.curl(path, "--data", body, *JSON, user="ines")
    assert (status, change["state"]) == (200, "done"), change
    return str(change["result"]["iccid"])


def refused(answer: tuple[int, Any], role: str) -> bool:
    """Return whether an answer of the API is a refusal that names the missing role."""
    status, problem = answer
    return status == 403 and problem["kind"] == "not-permitted" and f"'{role}'" in problem["detail"]


def test_the_role_install_downloads_only(gateway: Gateway, iccid: str) -> None:
    """The user with the role install has downloaded a profile, but can neither enable nor delete it."""
    assert gateway.profiles()[iccid] == "disabled"
    assert refused(gateway.curl(f"{PROFILES}/{iccid}/enable", "--request", "POST", user="ines"), "switch")
    assert refused(gateway.curl(f"{PROFILES}/{iccid}", "--request", "DELETE", user="ines"), "admin")


def test_the_role_switch_enables_only(gateway: Gateway, iccid: str) -> None:
    """A user with the role switch can enable a profile, but not download one."""
    change = gateway.lpactl("enable", iccid, user="sam")
    assert change["state"] == "done"
    assert gateway.profiles()[iccid] == "enabled"
    refusal = gateway.lpactl("download", gateway.order(), user="sam", code=exit_codes.NOT_PERMITTED)
    assert "'install'" in refusal


def test_the_role_read_changes_nothing(gateway: Gateway, iccid: str) -> None:
    """A user with the role read can list the profiles, but not disable one."""
    assert gateway.lpactl("profiles", user="rita")["profiles"][0]["iccid"] == iccid
    assert refused(gateway.curl(f"{PROFILES}/{iccid}/disable", "--request", "POST", user="rita"), "switch")


def test_the_role_admin_permits_everything(gateway: Gateway, iccid: str) -> None:
    """A member of the group lpad can disable and delete a profile."""
    assert gateway.lpactl("disable", iccid, "--accept-offline", user="ada")["state"] == "done"
    assert gateway.lpactl("delete", iccid, "--yes", user="ada")["state"] == "done"
    assert gateway.profiles() == {}


def test_a_user_without_a_role_cannot_connect(gateway: Gateway) -> None:
    """A user without a role cannot connect to lpad's socket, and lpactl names the socket."""
    said = gateway.run("lpactl", "status", user="mallory", code=exit_codes.DAEMON)
    assert "/run/lpad/lpad.sock" in said


def test_refusals_are_logged(gateway: Gateway) -> None:
    """The journal has user and process number of a refused call."""
    uid = gateway.run("id", "-u", "rita").strip()
    status, _ = gateway.curl(f"/v1/euiccs/{CARD}/downloads", "--data", "{}", *JSON, user="rita")
    assert status == 403
    said = gateway.journal("--unit=lpad.service", "--lines=20")
    assert any(f"uid {uid}" in line and "pid" in line for line in said.splitlines()), said
