"""Settings that do not fit the machine are reported with their line, and not refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.settings import SettingsFile
from lpad.settings.machine_check import notes

if TYPE_CHECKING:
    from pathlib import Path


def noted(folder: Path, text: str) -> list[str]:
    path = folder / "lpad.yaml"
    path.write_text(text, encoding="utf-8")
    return [f"{note.line}: {note}" for note in notes(SettingsFile.read(path))]


def test_ports_users_and_groups_that_are_not_there(tmp_path: Path) -> None:
    """For each missing port, user or group there is a note, in the order of the file."""
    text = """\
euiccs:
  gone: {port: /dev/no-such-port}
  there: {port: /dev/null}
access:
  switch:
    users: [root, 4711, no-such-user]
    groups: [no-such-group]
"""
    assert noted(tmp_path, text) == [
        "2: 'euiccs.gone.port': /dev/no-such-port does not exist now; lpad waits for it",
        "6: 'access.switch.users[2]': this system has no user 'no-such-user'; the entry grants no access",
        "7: 'access.switch.groups[0]': this system has no group 'no-such-group'; the entry grants no access",
    ]


def test_a_record_without_a_folder(tmp_path: Path) -> None:
    """A missing folder for the record of APDUs has a note that lpad would refuse the settings."""
    text = "euiccs: {a: {port: /dev/null}}\nlog:\n  apdus: there/apdus\n"
    assert noted(tmp_path, text) == [
        f"3: 'log.apdus': the folder {tmp_path}/there does not exist; lpad refuses the settings until it does"
    ]
    (tmp_path / "there").mkdir()
    assert noted(tmp_path, text) == []


def test_an_interface_that_is_not_there(tmp_path: Path) -> None:
    """A missing network interface has a note, and an existing one has none."""
    card = "euiccs: {there: {port: /dev/null}}\n"
    (note,) = noted(tmp_path, card + "remote: {interface: lpad-none0}")
    assert note.startswith("2: 'remote.interface': the network interface 'lpad-none0' does not exist now; ")
    assert noted(tmp_path, card + "remote: {interface: lo}") == []


def test_no_card_and_no_folder(tmp_path: Path) -> None:
    """A settings file without cards, and a state folder that is a file, have notes."""
    assert noted(tmp_path, "state_folder: lpad.yaml\n") == [
        "1: 'euiccs': no card is configured; run 'lpad setup'",
        f"1: 'state_folder': {tmp_path}/lpad.yaml is not a folder; lpad cannot start",
    ]
