"""A daemon under the load of many faulty client programs at the same time."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from journeys.gateway import CARD, PATIENCE, Gateway

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
MOST_KIB = 96 * 1024


def test_memory_is_bounded_and_others_are_answered(profile: Callable[[], bytes]) -> None:
    """With 200 clients and 10,000 requests for one download, there is one change, and 96 MiB suffice.

    The clients are those of script/bench: readers next to slow writers, half-open connections, bodies of
    100 MB, heads without end, and event streams without a reader.
    """
    with Gateway(settings={"log": "warning"}) as gateway:
        gateway.ready()
        code = gateway.order(profile())
        change = gateway.download(code, confirm=True)
        assert change.question is not None
        assert gateway.process is not None
        done = subprocess.run(
            [sys.executable, "-m", "bench.load_clients", str(gateway.socket), str(change.id), code],
            check=True,
            capture_output=True,
            cwd=ROOT,
        )
        found = json.loads(done.stdout)
        status = Path(f"/proc/{gateway.process.pid}/status").read_text(encoding="utf-8")
        peak = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert peak is not None
        assert int(peak[1]) <= MOST_KIB
        assert found["changes"] == [change.id]
        assert found["statuses"].pop("POST 202") == 10_000
        assert found["statuses"] == {"GET 200": found["reads"]}
        gateway.client.answer(change.id, decision="accept", wait=PATIENCE).check()
        assert len(gateway.client.profiles(CARD)) == 1
        assert "internal-error" not in gateway.log
