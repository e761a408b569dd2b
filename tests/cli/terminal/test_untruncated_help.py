"""Help texts are whole: no control character, and no sentence that is cut."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
import pytest

from cli.conftest import run
from lpad.cli.lpactl import cli as lpactl
from lpad.cli.lpad import cli as lpad

if TYPE_CHECKING:
    from collections.abc import Iterator


def commands(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of each command, groups included."""
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, *path, name)


@pytest.mark.parametrize("module", ["lpactl", "lpad"])
def test_every_help_is_whole(module: str) -> None:
    """The help of each command and group has no control character and no shortened sentence."""
    for path in commands(lpactl if module == "lpactl" else lpad):
        group = {"lpactl": lpactl, "lpad": lpad}[module]
        context = click.Context(group, info_name=module)
        command: click.Command = group
        for name in path:
            assert isinstance(command, click.Group)
            found = command.get_command(context, name)
            assert found is not None
            command, context = found, click.Context(found, parent=context, info_name=name)
        text = command.get_help(context)
        body = text.partition("\n")[2]
        assert "\b" not in text, path
        assert "..." not in body, (path, body)


def test_the_list_of_commands_has_whole_sentences() -> None:
    """A sentence longer than a line is broken, not cut."""
    told = run([sys.executable, "-m", "lpad.cli.lpactl", "--help"]).ok().out
    assert "or the yes or no that it asks for." in " ".join(told.split())
