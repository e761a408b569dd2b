"""The scripts in script/ print help and their purpose."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(each.name for each in (ROOT / "script").iterdir() if each.name != "environment")


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_is_printed_and_nothing_done(tmp_path: Path, name: str, option: str) -> None:
    """Without an installation, a script prints the comment at its top as help, and creates no file."""
    shutil.copytree(ROOT / "script", tmp_path / "script")
    done = subprocess.run(
        [tmp_path / "script" / name, option], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    shown = done.stdout.splitlines()
    on_top = (ROOT / "script" / name).read_text(encoding="utf-8").splitlines()[1]
    assert (done.returncode, done.stderr) == (0, "")
    assert shown[0] == on_top.removeprefix("# ")
    assert not any(line.startswith(("#", "set ", "EXTRAS")) for line in shown)
    assert [each.name for each in tmp_path.iterdir()] == ["script"]


@pytest.mark.parametrize(
    ("module", "option"), [("bench", "--load"), ("bench", "--json"), ("faults", "--only"), ("hil", "--bench")]
)
def test_a_script_with_a_command_line_prints_its_help(module: str, option: str) -> None:
    """The modules behind the scripts bench, faults and hil print help with their options."""
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.lower().startswith("usage: ")
    assert option in done.stdout


@pytest.mark.parametrize(
    ("name", "told"), [("demo", "runs a profile's life cycle"), ("build-deb", "builds the Debian package")]
)
def test_a_slow_script_first_prints_its_purpose(tmp_path: Path, name: str, told: str) -> None:
    """A slow script prints its purpose before it installs anything, which fails in this test."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for each in ("dirname", "sed"):
        (programs / each).symlink_to(str(shutil.which(each)))
    shutil.copytree(ROOT / "script", tmp_path / "script")
    done = subprocess.run(
        ["/bin/sh", tmp_path / "script" / name],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[0].startswith(f"script/{name}: ")
    assert told in done.stderr.splitlines()[0]
