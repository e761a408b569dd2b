"""The commands with a standard stream that is closed, full or cut off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.conftest import run
from lpad.cli.terminal import exit_codes

if TYPE_CHECKING:
    from cli.conftest import Finished, Terminal


def shell(terminal: Terminal, script: str, *arguments: str) -> Finished:
    """Run a script in which "$@" is lpactl with arguments; return its output and exit code."""
    return run(["bash", "-c", script, "bash", *terminal.command, *arguments])


@pytest.mark.parametrize(
    "arguments", [("status",), ("info",), ("info", "--json"), ("changes",), ("profiles",)]
)
def test_a_full_disk(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    """A result that cannot be written is an error with its cause, and no traceback."""
    terminal.lab.install()
    done = shell(terminal, '"$@" > /dev/full', *arguments)
    assert done.code == exit_codes.INTERNAL
    assert "cannot print the result" in done.err
    assert "No space left" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("arguments", [("check-config", "lpad.yaml"), ("probe", "--json")])
def test_lpad_handles_streams_like_lpactl(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Like lpactl, lpad reports a full disk as an error, and ends silently if its output's reader is gone."""
    monkeypatch.chdir(tmp_path)
    Path("lpad.yaml").touch()
    command = [sys.executable, "-m", "lpad.cli.lpad", *arguments]
    full = run(["bash", "-c", '"$@" > /dev/full', "bash", *command])
    assert full.code == exit_codes.INTERNAL
    assert "cannot print the result: [Errno 28] No space left" in full.err
    assert "Traceback" not in full.err
    reader, writer = os.pipe()
    os.close(reader)
    gone = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert gone.returncode == exit_codes.READER_GONE
    assert "Error" not in gone.stderr


@pytest.mark.parametrize("arguments", [("info",), ("info", "--json"), ("events",)])
def test_a_reader_that_has_gone(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    """`lpactl ... | head` ends silently, with the code of SIGPIPE."""
    done = shell(terminal, '"$@" > >(exec true); echo $?; exit', *arguments)
    assert "Traceback" not in done.err
    # A short result would fit into the pipe before lpactl notices that the reader is gone.
    assert int(done.out) in (exit_codes.READER_GONE, exit_codes.DONE)
    if arguments == ("events",):
        done = shell(terminal, '"$@" | true; exit ${PIPESTATUS[0]}', *arguments)
        assert done.code == exit_codes.READER_GONE
        assert done.err == ""


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_a_command_is_carried_out_despite_a_closed_stream(terminal: Terminal, closed: str) -> None:
    """A closed standard stream, as with some cron, does not stop lpactl from carrying out its command."""
    iccid = terminal.lab.install()
    assert shell(terminal, f'"$@" {closed}', "enable", iccid).code == exit_codes.DONE
    assert str(terminal.lab.card.enabled_iccid) == iccid
    assert shell(terminal, f'"$@" {closed}', "status").code == exit_codes.DONE
    assert shell(terminal, f'"$@" {closed}', "delete", iccid).code == exit_codes.USAGE


def test_notes_do_not_spoil_the_result(terminal: Terminal) -> None:
    """If standard error is closed, lpactl omits its notes instead of printing them among the JSON."""
    iccid = terminal.lab.install()
    done = shell(terminal, '"$@" 2>&-', "enable", iccid, "--json")
    assert json.loads(done.out)["state"] == "done"
    assert shell(terminal, '"$@" 2>&-', "disable", iccid).out == f"{iccid} is disabled\n"


def test_an_address_with_a_blank_inside_is_a_slip(terminal: Terminal) -> None:
    """An address with a blank inside is refused, instead of being joined into another address."""
    done = terminal.lpactl("default-smdp", "smdp example.com")
    assert done.code == exit_codes.USAGE
    assert "must not contain spaces" in done.err
    assert terminal.lab.engine.changes() == []
