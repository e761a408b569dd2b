"""Debian's ModemManager on the same MBIM port as lpad, through the real mbim-proxy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def test_lpad_switches_while_modem_manager_uses_the_same_proxy(tmp_path: Path) -> None:
    """ModemManager is not inhibited, and gets the indication of a switch; every switch is done."""
    own = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    program = str(Path(__file__).with_name("mbim_switch.py"))
    done = subprocess.run(
        [*own, sys.executable, program, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    said = "".join(each.read_text(errors="replace")[-4000:] for each in sorted(tmp_path.glob("*.log")))
    assert done.returncode == 0, done.stderr[-4000:] + said
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["switched"], told["runs"]) == (4, True), said
    assert told["noticed"] > 0, said
