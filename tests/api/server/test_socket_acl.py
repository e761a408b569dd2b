"""The socket's access control list in the kernel; script/system-test checks it with connections."""

from __future__ import annotations

import logging
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lpad.api.server.server import listen
from lpad.api.server.socket_acl import admit

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN = {"user::rw-", "group::rw-", "other::---"}


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """Yield the path of a listening socket."""
    with listen(tmp_path / "lpad.sock"):
        yield tmp_path / "lpad.sock"


def entries(path: Path) -> set[str]:
    """Return the entries of a file's access control list, as getfacl reports them."""
    found = subprocess.run(
        ["getfacl", "--numeric", "--omit-header", str(path)], capture_output=True, text=True, check=True
    )
    return set(found.stdout.split())


def test_named_users_may_connect(path: Path) -> None:
    """Named users and groups may connect in addition to the socket's owner and group; others may not."""
    admit(path, users=[61002, 61001], groups=[61003])
    assert entries(path) == OWN | {"user:61001:rw-", "user:61002:rw-", "group:61003:rw-", "mask::rw-"}


def test_users_no_longer_named_may_not_connect(path: Path) -> None:
    """A new access list replaces the previous one."""
    admit(path, users=[61001], groups=[61003])
    admit(path, users=[], groups=[])
    assert entries(path) - {"mask::rw-"} == OWN


def test_a_list_that_can_not_be_kept_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """If the file system has no access lists, the daemon continues, and its log states who can connect."""
    with caplog.at_level(logging.WARNING):
        admit(Path(f"/proc/{os.getpid()}/status"), users=[61001], groups=[])
    assert "only the socket's owner and group can" in caplog.text
