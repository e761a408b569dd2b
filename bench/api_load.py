"""The API under load: clients that read during a download, then together with misbehaving programs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from bench.figure_with_goal import Figure
from bench.load_clients import CLIENTS, REPEATS
from bench.process_usage import usage
from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.base.identifiers import Iccid
from lpad.simulator.profile_package.made_up_profile import made_up_profile

MEMORY_MIB = 96
SLOWEST = 20
"""The largest accepted ratio of the reads' p99 to their p50."""
ANY = float("inf")


def load(baud: int) -> list[Figure]:
    """Measure requests per second, the times of reads, changes from equal requests, and peak memory."""
    with Gateway(baud=baud, settings={"log": "warning"}) as gateway:
        gateway.client.refresh(CARD, wait=PATIENCE).check()
        assert gateway.process is not None
        code = gateway.order(made_up_profile(Iccid.parse("8944000000000000001"), size=24_000))
        change = gateway.client.download(CARD, activation_code=code)
        reading = _clients(gateway, change.id)
        gateway.client.wait(change.id).check()
        code = gateway.order(made_up_profile(Iccid.parse("8944000000000000019"), size=3000))
        change = gateway.client.download(CARD, activation_code=code, confirm=True, wait=PATIENCE)
        wild = _clients(gateway, change.id, code)
        assert wild["changes"] == [change.id], wild["changes"]
        gateway.client.answer(change.id, decision="accept", wait=PATIENCE).check()
        used = usage(gateway.process.pid)
    print(f"during a download: {reading}\nunder pressure: {wild}", file=sys.stderr)
    return [
        *_figures(f"{CLIENTS} clients during a download", reading),
        *_figures(f"{CLIENTS} clients under pressure", wild),
        Figure(f"changes from {REPEATS} equal downloads", len(wild["changes"]), 1, "changes", 1.0),
        Figure("daemon's peak memory under pressure", used.peak_mib, MEMORY_MIB, "MiB", 1.0),
    ]


def _figures(name: str, found: dict[str, Any]) -> list[Figure]:
    requests = sum(found["statuses"].values())
    return [
        Figure(f"requests, {name}", requests / found["seconds"], 0.0, "1/s", ANY),
        Figure("  p50 of a read", found["p50"] * 1000, 0.0, "ms", ANY),
        Figure("  p99 of a read against p50", found["p99"] * 1000, found["p50"] * 1000, "ms", SLOWEST),
    ]


def _clients(gateway: Gateway, change: int, *code: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.load_clients", str(gateway.socket), str(change), *code],
        check=True,
        stdout=subprocess.PIPE,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found
