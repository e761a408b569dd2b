"""Counting the instructions of an emulated Python."""

from __future__ import annotations

import subprocess
import sys
from array import array
from typing import TYPE_CHECKING

import pytest

from bench.guest.guest_python import EMULATORS, GuestPython, total

if TYPE_CHECKING:
    from pathlib import Path


def test_the_counts_of_all_threads_are_added() -> None:
    """The counts of all threads, each a number of 64 bits, are added; most threads have none."""
    assert total(array("Q", [7, 2**40, 0, 0]).tobytes()) == 2**40 + 7


@pytest.mark.parametrize("counts", [b"", bytes(8192), bytes(7)])
def test_no_count_is_an_error(counts: bytes) -> None:
    """If the plugin wrote no count, this is an error, and not a count of zero."""
    with pytest.raises(ValueError, match=r"no instruction|not a multiple"):
        total(counts)


def test_the_guest_gets_the_arguments_of_this_machines_interpreter(tmp_path: Path) -> None:
    """The launcher replaces this machine's interpreter with the guest's, which runs with the plugin."""
    programs = tmp_path / "programs"
    programs.mkdir()
    emulator = programs / EMULATORS["armhf"].program
    emulator.write_text('#!/bin/sh\nprintf "%s\\n" "$PYTHONHOME" "$PYTHONPATH" "$@"\n', encoding="ascii")
    emulator.chmod(0o755)
    system = tmp_path / "a system"
    (system / "usr/bin").mkdir(parents=True)
    (system / "usr/bin/python3").symlink_to("python3.13")
    libraries, plugin = tmp_path / "libraries", tmp_path / "plugin.so"
    guest = GuestPython("armhf", tmp_path, system=system, libraries=libraries, plugin=plugin)
    done = subprocess.run(
        [*guest.launcher, sys.executable, "-m", "two words"],
        env={"PATH": f"{programs}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        str(system / "usr"), str(libraries), "-cpu", "cortex-a7", "-L", str(system),
        "-plugin", f"{plugin},counts={tmp_path}/counts",
        str(system / "usr/bin/python3.13"), "-X", f"pycache_prefix={tmp_path}/compiled", "-m", "two words",
    ]  # fmt: skip
