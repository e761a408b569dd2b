"""A command of lpad that is given to lpactl, or the other way round."""

from __future__ import annotations

import sys

import click
import pytest

from cli.conftest import run
from lpad.cli.lpactl import cli as lpactl
from lpad.cli.lpad import cli as lpad
from lpad.cli.terminal import exit_codes
from lpad.cli.terminal.wrong_program import COMMANDS


def test_the_table_has_each_command_of_one_program_alone() -> None:
    """The table of commands lists every command of lpad and of lpactl, each under one program."""
    names = {
        "lpad": set(lpad.list_commands(click.Context(lpad))),
        "lpactl": set(lpactl.list_commands(click.Context(lpactl))),
    }
    assert set(COMMANDS["lpad"]) == names["lpad"] - names["lpactl"]
    assert set(COMMANDS["lpactl"]) == names["lpactl"] - names["lpad"]


@pytest.mark.parametrize(
    ("program", "name", "right"), [("lpactl", "setup", "lpad"), ("lpad", "status", "lpactl")]
)
def test_the_right_command_line_is_shown(program: str, name: str, right: str) -> None:
    """The hint names the command of the other program, not a similar command of the same one."""
    told = run([sys.executable, "-m", f"lpad.cli.{program}", name])
    assert told.code == exit_codes.USAGE
    assert f"'{name}' is a command of {right}: run '{right} {name}'" in told.err
    assert "reset" not in told.err
