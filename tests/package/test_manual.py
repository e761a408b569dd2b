"""The manual pages: complete, and well-formed for man(1)."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import click
import pytest

from lpad.cli.lpactl import cli as lpactl
from lpad.cli.lpad import cli as lpad
from lpad.settings import Settings
from lpad.settings.parsing.conversion import fields_below
from package.manual import PAGES, page, write

if TYPE_CHECKING:
    from pathlib import Path


def plain(name: str) -> str:
    """Return a manual page's source without the escapes of characters."""
    return page(name).replace("\\-", "-").replace("\\e", "\\").replace("\\:", "")


def commands(group: click.Group, path: str) -> list[str]:
    """Return the full names of all commands below a group."""
    context = click.Context(group, info_name=path)
    found = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        below = (
            commands(command, f"{path} {name}") if isinstance(command, click.Group) else [f"{path} {name}"]
        )
        found += below
    return found


@pytest.mark.parametrize("path", [path for path, _ in fields_below(Settings)])
def test_every_setting_is_in_the_manual(path: str) -> None:
    """lpad.yaml(5) has an entry for each key that the settings know."""
    entry = re.escape(path).replace("NAME", r"[a-z0-9_.]+")
    assert re.search(rf"^\.B {entry}$", plain("lpad.yaml.5"), re.MULTILINE)


def test_every_key_in_the_manual_is_a_setting() -> None:
    """Each key in lpad.yaml(5) is a setting."""
    known = [re.escape(path).replace("NAME", r"[a-z0-9_.]+?") for path, _ in fields_below(Settings)]
    shown = plain("lpad.yaml.5").partition(".SH KEYS")[2].partition(".SH SEE")[0]
    for key in re.findall(r"^\.B (\S+)$", shown, re.MULTILINE):
        # Names of cards, and keys below a setting with free keys, are not compared.
        assert any(re.fullmatch(rf"{each}(\..*)?", key) for each in known) or key.count(".") == 1, key


@pytest.mark.parametrize(
    ("name", "path"),
    [("lpad.8", path) for path in commands(lpad, "lpad")]
    + [("lpactl.1", path) for path in commands(lpactl, "lpactl")],
)
def test_every_command_is_in_the_manual(name: str, path: str) -> None:
    """lpad(8) and lpactl(1) describe each existing command."""
    assert re.search(rf"^\.SS {path} ", plain(name), re.MULTILINE)


@pytest.mark.parametrize("name", PAGES)
def test_man_has_nothing_to_say_against_it(name: str, tmp_path: Path) -> None:
    """Groff formats each manual page without a warning."""
    write(tmp_path)
    source = tmp_path / f"man{name[-1]}" / name
    found = subprocess.run(
        ["groff", "-man", "-Tutf8", "-wall", "-rLL=80n", str(source)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stderr == ""
    assert "@" not in re.sub(r"\S+@\S+", "", page(name))
