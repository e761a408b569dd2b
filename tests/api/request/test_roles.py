"""The permissions of each role."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from api.gateway import Gateway
from engine.lab import CARD
from lpad.api.request.peer import Peer
from lpad.api.request.roles import ROLE_FOR, AccessRules, Holders, Role
from lpad.api.routes import OF_CHANGE, ROUTES
from lpad.base.errors import NotPermitted
from lpad.engine.change.change import Kind

if TYPE_CHECKING:
    from engine.lab import Lab

OTHER = 65534
GROUP = 4242
PROFILE = f"/v1/euiccs/{CARD}/profiles/8900101000000000017"

RULES = AccessRules(
    {
        Role.READ: Holders(users=frozenset({1001}), groups=frozenset({2001})),
        Role.SWITCH: Holders(users=frozenset({1002}), groups=frozenset({2002})),
        Role.INSTALL: Holders(groups=frozenset({2003})),
        Role.ADMIN: Holders(users=frozenset({1004}), groups=frozenset({2002})),
    }
)

CALLER = """
import os, socket, sys
path, uid, groups, request = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
os.setgroups([int(group) for group in groups.split(",") if group])
os.setgid(uid)
os.setuid(uid)
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(path)
    connection.sendall(request.encode() + b" HTTP/1.1\\r\\nHost: lpad\\r\\nConnection: close\\r\\n\\r\\n")
    answer = b""
    while chunk := connection.recv(65536):
        answer += chunk
sys.stdout.buffer.write(answer)
"""


@pytest.mark.parametrize(
    ("uid", "groups", "roles"),
    [
        (0, (), "read switch install admin"),
        (os.geteuid(), (), "read switch install admin"),
        (1001, (), "read"),
        (5000, (5000, 2001), "read"),
        (1002, (), "read switch"),
        (5000, (2002,), "read switch admin"),
        (1002, (2003,), "read switch install"),
        (1004, (), "read admin"),
        (5000, (5000,), ""),
    ],
)
def test_roles_add_up(uid: int, groups: tuple[int, ...], roles: str) -> None:
    """Root and the daemon's user have all roles, others those of their user and groups; any role may read."""
    peer = Peer(1, uid, frozenset(groups))
    assert RULES.roles(peer) == set(roles.split())
    for role in Role:
        if role in roles.split():
            RULES.check(peer, role)
        else:
            with pytest.raises(NotPermitted, match=f"'{role}'") as caught:
                RULES.check(peer, role)
            assert caught.value.details == {"role": role}


def test_every_kind_of_change_has_a_role() -> None:
    """Each kind of change must name its role, and the role read is never enough."""
    assert set(ROLE_FOR) == set(Kind)
    assert Role.READ not in ROLE_FOR.values()


def test_the_documents_roles_are_the_tables() -> None:
    """docs/api.md names the role of each path."""
    text = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([A-Z]+) \| `([^`]+)` \|.*\| ([a-z' ]+) \|$", text, re.MULTILINE)
    told = {(method, path): role for method, path, role in rows}
    assert told == {(route.method, route.path): route.role or "the change's" for route in ROUTES}


def test_only_reading_needs_no_more_than_the_role_read() -> None:
    """Each row of the table that is not a GET names a higher role, or requires the role of its change.

    The exception is /v1/listeners/{name}: a program with the role read may store and delete its own position.
    """
    for route in ROUTES:
        reads = route.method == "GET" or route.path == "/v1/listeners/{name}"
        assert (route.role is Role.READ) is reads, route.path
        assert (route.role is OF_CHANGE) is (route.method != "GET" and "/changes/" in route.path), route.path


def call(gateway: Gateway, uid: int, groups: str, request: str) -> tuple[int, str, str]:
    """Send a request as another user, which only root can do; return the answer's status, kind and role."""
    gateway.lab.folder.chmod(0o755)
    # The path is relative, because each new run of pytest closes the folders above it to other users.
    found = subprocess.run(
        [sys.executable, "-c", CALLER, gateway.path.name, str(uid), groups, request],
        check=True,
        capture_output=True,
        cwd=gateway.path.parent,
    )
    head, _, body = found.stdout.partition(b"\r\n\r\n")
    answer = json.loads(body or b"{}")
    return int(head.split()[1]), str(answer.get("kind", "")), str(answer.get("details", {}).get("role", ""))


def test_callers_of_other_users(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    """Each role permits its own paths only; a refusal names the role and is logged with user and process.

    Only root can become another user; any other user that runs this test makes no such calls.
    """
    rules = AccessRules(
        {
            Role.READ: Holders(users=frozenset({OTHER})),
            Role.SWITCH: Holders(groups=frozenset({GROUP})),
            Role.INSTALL: Holders(groups=frozenset({GROUP + 1})),
            Role.ADMIN: Holders(groups=frozenset({GROUP + 2})),
        }
    )
    tries = {
        "GET /v1/system": {"read", "switch", "install", "admin"},
        "GET /v1/openapi.json": {"read", "switch", "install", "admin"},
        f"POST {PROFILE}/enable": {"switch"},
        f"POST /v1/euiccs/{CARD}/downloads": {"install"},
        f"DELETE {PROFILE}": {"admin"},
        f"POST /v1/euiccs/{CARD}/reset": {"admin"},
    }
    callers = {
        "": (OTHER - 1, ""),
        "read": (OTHER, ""),
        "switch": (OTHER - 1, str(GROUP)),
        "install": (OTHER - 1, str(GROUP + 1)),
        "admin": (OTHER - 1, str(GROUP + 2)),
    }
    with Gateway(lab, rules=rules) as gateway, caplog.at_level(logging.WARNING):
        if os.geteuid() != 0:
            gateway.await_health()
            return
        for request, allowed in tries.items():
            for role, (uid, groups) in callers.items():
                status, kind, needed = call(gateway, uid, groups, request)
                if role in allowed:
                    assert status in (200, 202, 400), (request, role)
                else:
                    assert (status, kind) == (403, "not-permitted"), (request, role)
                    assert needed == ("read" if not role else min(allowed)), (request, role)
    refusals = [record.getMessage() for record in caplog.records if "not-permitted" in record.getMessage()]
    assert len(refusals) == sum(5 - len(allowed) for allowed in tries.values())
    assert all(f"by uid {OTHER - 1}, pid " in each or f"by uid {OTHER}, pid " in each for each in refusals)


def test_a_wish_is_closed_by_an_administrator(lab: Lab) -> None:
    """A user with the role install may request a profile, but only an administrator may abandon a wish."""
    rules = AccessRules(
        {Role.INSTALL: Holders(users=frozenset({OTHER})), Role.ADMIN: Holders(users=frozenset({OTHER - 1}))}
    )
    lab.until_true(lambda: lab.engine.snapshot(CARD).eid is not None)
    request = f"DELETE /v1/euiccs/{CARD}/wish"
    with Gateway(lab, rules=rules) as gateway:
        if os.geteuid() == 0:
            assert call(gateway, OTHER, "", request) == (403, "not-permitted", "admin")
            assert call(gateway, OTHER - 1, "", request) == (404, "not-found", "")
        else:
            assert gateway.http.delete(f"/v1/euiccs/{CARD}/wish").status_code == 404


def test_a_change_is_taken_back_by_those_who_may_ask_for_it(lab: Lab) -> None:
    """Cancelling or answering a change needs its kind's role; a user without roles sees no change.

    Only root can become another user, so a run by another user checks only that the change can be cancelled.
    """
    rules = AccessRules(
        {Role.SWITCH: Holders(users=frozenset({OTHER})), Role.INSTALL: Holders(groups=frozenset({GROUP}))}
    )
    with Gateway(lab, rules=rules) as gateway:
        order = lab.order()
        body = {"activation_code": lab.code(order), "confirm": True}
        change = gateway.http.post(f"/v1/euiccs/{CARD}/downloads?wait=120", json=body).json()
        path = f"/v1/changes/{change['id']}"
        if os.geteuid() == 0:
            assert call(gateway, OTHER, "", f"DELETE {path}") == (403, "not-permitted", "install")
            assert call(gateway, OTHER, "", f"POST {path}/answer") == (403, "not-permitted", "install")
            assert call(gateway, OTHER - 1, "", f"DELETE {path}") == (403, "not-permitted", "read")
            assert call(gateway, OTHER - 1, "", "DELETE /v1/changes/99") == (403, "not-permitted", "read")
            assert call(gateway, OTHER - 1, str(GROUP), f"DELETE {path}")[0] in (200, 202)
        else:
            assert gateway.http.delete(path).status_code in (200, 202)


def test_enabling_what_is_downloaded_needs_both_roles(lab: Lab) -> None:
    """A download with `enable` needs the role switch in addition to the role install."""
    rules = AccessRules(
        {Role.INSTALL: Holders(users=frozenset({5000})), Role.SWITCH: Holders(users=frozenset({5001}))}
    )
    peer = Peer(1, 5000, frozenset())
    with Gateway(lab, rules=rules) as gateway, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Peer, "of", classmethod(lambda _class, _connection: peer))
        body = {"activation_code": lab.code(lab.order())}
        answer = gateway.http.post(f"/v1/euiccs/{CARD}/downloads", json=body | {"enable": True})
        assert (answer.status_code, answer.json()["details"]) == (403, {"role": "switch"})
        assert gateway.http.post(f"/v1/euiccs/{CARD}/downloads?wait=120", json=body).status_code == 200
