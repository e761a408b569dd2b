"""Completion of lpad's commands by bash, fish and zsh."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from package.completion import COMMANDS, PLACES, write

ASK = """
source "$1"
COMP_WORDS=(lpactl ena); COMP_CWORD=1
_lpactl_completion lpactl
echo "${COMPREPLY[@]}"
"""
# At Ctrl-X, zsh writes the typed line to a file.
TYPE = """
fpath=($ZDOTDIR/zsh/vendor-completions $fpath)
autoload -Uz compinit
compinit -u -D
show() { print -r -- "$BUFFER" >$LINE; exit 0; }
zle -N show
bindkey '^X' show
"""


def test_every_shell_has_its_file(tmp_path: Path) -> None:
    """bash, zsh and fish find completions for both commands."""
    write(tmp_path)
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {place.format(name) for place in PLACES.values() for name in COMMANDS}


def completed(*arguments: str | Path, **more: str) -> str:
    """Run a shell that finds this environment's `lpactl` first, and return its output."""
    found = subprocess.run(
        arguments, capture_output=True, text=True, check=True, timeout=60, env=environment(**more)
    )
    return found.stdout.strip()


def environment(**more: str) -> dict[str, str]:
    """Return the variables of a shell that finds this environment's `lpactl` first."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **more}


def test_bash_completes_a_command(tmp_path: Path) -> None:
    """In bash, `lpactl ena<TAB>` becomes `lpactl enable`."""
    write(tmp_path)
    script = tmp_path / "bash-completion" / "completions" / "lpactl"
    assert completed("bash", "-c", ASK, "bash", script) == "enable"


@pytest.mark.programs("fish")
def test_fish_completes_a_command(tmp_path: Path) -> None:
    """In fish, `lpactl ena<TAB>` offers `enable` with its description."""
    write(tmp_path)
    script = tmp_path / "fish" / "vendor_completions.d" / "lpactl.fish"
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    found = completed("fish", "-c", 'source $argv[1]; complete -C "lpactl ena"', script, **home)
    assert found.startswith("enable\tEnable a profile")


@pytest.mark.programs("zsh")
def test_zsh_completes_a_command(tmp_path: Path) -> None:
    """In zsh, `lpactl ena<TAB>`, typed in a terminal, becomes `lpactl enable`."""
    write(tmp_path)
    (tmp_path / ".zshrc").write_text(TYPE)
    line = tmp_path / "line"
    keyboard, terminal = pty.openpty()
    shell = subprocess.Popen(
        ["zsh", "-d", "-i"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        env=environment(ZDOTDIR=str(tmp_path), LINE=str(line), TERM="dumb"),
    )
    try:
        os.write(keyboard, b"lpactl ena\t\x18")
        assert shell.wait(60) == 0
    finally:
        shell.kill()
        shell.wait()
        os.close(terminal)
        os.close(keyboard)
    assert line.read_text().strip() == "lpactl enable"
