"""A wish whose next step cannot be written, on a disk of a megabyte; run in a mount namespace of its own.

Prints as JSON what was seen, for test_platform_faults.py to judge.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.operations.fleet import CrowdedPlatform, Fleet
from engine.small_disk import fill
from lpad.engine.journal import Journal
from lpad.engine.provisioning.wish_store import WishStore
from lpad.engine.running.run import Postponed


def main(folder: Path) -> dict[str, object]:
    """Request a profile on a full disk, and again once there is space; return what was seen."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(folder)]
    subprocess.run(mount, check=True)
    journal = Journal(folder / "journal.db")
    journal.start()
    platform = CrowdedPlatform("desk", per_minute=1000, retry_after=None, ready=0.0)
    with pytest.MonkeyPatch.context() as monkeypatch:
        fleet = Fleet(platform, "desk", monkeypatch, wishes=WishStore(journal.memos))
        fill(folder / "filler")
        try:
            fleet.turn(1)
        except Postponed as postponed:
            full: list[object] = [postponed.pause.reason.value, platform.stock.orders]
        (folder / "filler").unlink()
        fleet.turn(1)
    journal.close()
    return {"full": full, "space": platform.stock.orders}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
