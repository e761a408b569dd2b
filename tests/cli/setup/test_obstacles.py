"""Obstacles that keep the service from a port that root can use."""

from __future__ import annotations

import grp
import os
from typing import TYPE_CHECKING

import pytest

from lpad.cli.setup.obstacles import group_to_join, hidden_from_service, without_permission

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = "nobody"


def test_folders_of_the_service_alone() -> None:
    """Setup reports that the service cannot access a port in /tmp or in a home folder."""
    told = hidden_from_service("/tmp/modem")
    assert told is not None
    assert "its own /tmp (PrivateTmp) and cannot access /tmp/modem" in told
    assert "ProtectHome" in (hidden_from_service("/home/ada/modem") or "")
    assert hidden_from_service("/dev/ttyUSB2") is None


@pytest.mark.parametrize(
    ("mode", "group", "told"),
    [
        (0o660, "dialout", f"adduser {NOBODY} dialout"),
        (0o600, "root", "have a udev rule give it to the group 'dialout'"),
        (0o666, "root", None),
        (0o660, "nogroup", None),
    ],
)
def test_the_group_that_owns_the_port_is_named(
    tmp_path: Path, mode: int, group: str, told: str | None
) -> None:
    """If the service may not open a port, setup names the port's group, unless only root may open it."""
    port = tmp_path / "port"
    port.touch()
    os.chown(port, 0, grp.getgrnam(group).gr_gid)
    port.chmod(mode)
    found = without_permission(str(port), user=NOBODY)
    assert (found is None) if told is None else (found is not None and told in found)


def test_the_group_to_join() -> None:
    """Setup names the first group that has every role, unless the user is already in such a group."""
    assert group_to_join(["lpad"], user=None) == (
        "to use lpactl without root, join the group 'lpad': adduser USER lpad, then log in again"
    )
    assert f"adduser {NOBODY} dialout" in (group_to_join(["dialout"], user=NOBODY) or "")
    assert group_to_join(["dialout", "nogroup"], user=NOBODY) is None
    assert group_to_join([], user=NOBODY) is None
