"""lpad platform lines: all lines with a tag, and no other, on the machine that holds the account's key."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from cli.conftest import at_a_terminal
from cli.platforms.test_platform_command import EID, lpad
from lpad.cli.terminal import exit_codes
from lpad.simulator.platform.faults import PlatformFault
from lpad.simulator.platform.server import SimulatedPlatform
from lpad.simulator.platform.smdp_orders import SmdpShelf
from lpad.simulator.smdp.store.orders import Orders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki
    from lpad.simulator.platform.reservations import Reserved

TAG, OTHER = "field-test", "field"


@pytest.fixture
def things(tmp_path: Path, pki: Pki) -> Iterator[SimulatedPlatform]:
    """Yield a platform of the settings, with two lines that have one tag, and one that has another tag."""
    shelf = SmdpShelf(Orders(tmp_path / "orders"), address=lambda: "smdp.example.com")
    with SimulatedPlatform("things", pki=pki, shelf=shelf) as server:
        (tmp_path / "ca.der").write_bytes(next(iter(pki.ci.values())).der)
        (tmp_path / "key").write_text(server.credentials["key"])
        (tmp_path / "key").chmod(0o600)
        section = {
            "like": "things",
            "base": server.base,
            "credentials": {"key": "key"},
            "ca_files": ["ca.der"],
        }
        settings: dict[str, Any] = {"platforms": {"mine": section}, "remote": {"hosts": server.hosts}}
        (tmp_path / "lpad.yaml").write_text(json.dumps(settings))
        for tag in (TAG, OTHER, TAG):
            made = server.stock.order(eid=EID, reference=tag)
            server.stock.look(server.stock.look(made))
        yield server


def lines(folder: Path, *arguments: str) -> list[str]:
    return ["platform", "lines", "mine", *arguments, "--config", str(folder / "lpad.yaml")]


def words(server: SimulatedPlatform) -> list[str | None]:
    return [each.words for each in server.stock.reserved]


def iccid(each: Reserved) -> str:
    assert each.placed is not None
    return each.placed.iccid


def test_lines_with_a_tag_are_shown(things: SimulatedPlatform, tmp_path: Path) -> None:
    """Each line with the tag is shown with its state, other lines are not, and nothing is changed."""
    done = lpad(*lines(tmp_path, "--tag", TAG))
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["ICCID", "LINE", "STATE", "SEEN", "IN", "IMEI"]
    first, _, last = things.stock.reserved
    assert [row.split() for row in rows] == [[iccid(each), "idle", "PROVISIONED"] for each in (first, last)]
    assert things.calls["activate"] == 0
    assert "no line has the tag 'nothing'" in lpad(*lines(tmp_path, "--tag", "nothing")).stderr


def test_lines_with_a_tag_are_changed_together(things: SimulatedPlatform, tmp_path: Path) -> None:
    """A change of lines asks at a terminal, otherwise needs --yes, and changes only lines with this tag."""
    refused = lpad(*lines(tmp_path, "suspend", "--tag", TAG))
    assert (refused.returncode, "add --yes" in refused.stderr) == (exit_codes.USAGE, True)
    command = [sys.executable, "-m", "lpad.cli.lpad", *lines(tmp_path, "retire", "--tag", TAG)]
    code, told = at_a_terminal(command, "n")
    assert (code, words(things)) == (exit_codes.NEEDS_PEOPLE, [None, None, None])
    assert "Retire the 2 lines with the tag 'field-test'? This cannot be undone." in told
    assert lpad(*lines(tmp_path, "activate", "--tag", TAG, "--yes")).returncode == 0
    assert words(things) == ["ACTIVE", None, "ACTIVE"]
    done = lpad(*lines(tmp_path, "suspend", "--tag", TAG, "--yes"))
    assert (done.returncode, words(things)) == (0, ["SUSPENDED", None, "SUSPENDED"])
    assert done.stdout.splitlines()[-1] == f"{iccid(things.stock.reserved[2])}  is suspended"
    code, told = at_a_terminal(command, "y")
    assert (code, words(things)) == (0, ["RETIRED", None, "RETIRED"])
    again = lpad(*lines(tmp_path, "activate", "--tag", TAG, "--yes"))
    assert (again.returncode, words(things)) == (exit_codes.SERVER, ["RETIRED", None, "RETIRED"])
    assert "2 of 2 lines were not changed" in again.stderr


def test_a_refused_line_stops_no_other(things: SimulatedPlatform, tmp_path: Path) -> None:
    """Although the platform refuses the first line, the second is changed; the exit code is not 0."""
    things.faults.add(PlatformFault.LINE_REFUSED, call="activate")
    done = lpad(*lines(tmp_path, "activate", "--tag", TAG, "--yes"))
    assert (done.returncode, words(things)) == (exit_codes.SERVER, [None, None, "ACTIVE"])
    assert "1 of 2 lines were not changed" in done.stderr


def test_a_busy_platform_is_left_alone(things: SimulatedPlatform, tmp_path: Path) -> None:
    """After the answer 429, the command ends, and sends no requests for the remaining lines."""
    things.faults.add(PlatformFault.BUSY, call="activate", times=0)
    done = lpad(*lines(tmp_path, "activate", "--tag", TAG, "--yes"))
    assert (done.returncode, words(things)) == (exit_codes.SERVER, [None, None, None])
    assert things.calls["activate"] == 1
    assert "2 of 2 lines were not changed" in done.stderr


def test_other_platforms_have_no_tags(things: SimulatedPlatform, tmp_path: Path) -> None:
    """If a platform cannot list lines by tag, the error states this; `platform list` shows which ones can."""
    listed = lpad("platform", "list", "--config", str(tmp_path / "lpad.yaml"))
    assert "lists lines by tag" in " ".join(listed.stdout.split())
    path = tmp_path / "lpad.yaml"
    settings = json.loads(path.read_text())
    settings["platforms"]["mine"]["like"] = "desk"
    path.write_text(json.dumps(settings))
    done = lpad(*lines(tmp_path, "--tag", TAG))
    assert (done.returncode, "no call 'lines_by_tag'" in done.stderr) == (exit_codes.STATE, True)
    del things
