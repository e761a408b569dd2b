"""Measure one profile download and print the figures with their goals; exit 1 when one is missed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from bench import ideal
from bench.process import usage
from bench.stage import CARD, PATIENCE, Stage, quiet, set_up
from lpad.client import Client
from lpad.identifiers import Iccid
from lpad.simulator.made_up_profile import made_up_profile

BAUD = 115_200
BITS_PER_CHARACTER = 10
RUNS = 5
IDLE_SECONDS = 65.0
IMPORTS = (
    "click, cryptography.x509, httpcore, msgspec, serial, sqlite3, starlette.applications, uvicorn, yaml"
)
"""What the daemon stands on, and no more: httpx, rich and asn1tools it never loads."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the result."""

    name: str
    measured: float
    least: float
    """What the measured value is held against; the ratio is what counts."""
    unit: str
    goal: float
    """The largest ratio that is good."""

    @property
    def ratio(self) -> float:
        """How many times the least it was."""
        return self.measured / self.least if self.least else self.measured

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.ratio <= self.goal


def main() -> int:
    """Run everything; --json prints the figures as JSON."""
    figures = [*_download(), _start()]
    if "--json" in sys.argv[1:]:
        print(
            json.dumps([asdict(each) | {"ratio": each.ratio, "met": each.met} for each in figures], indent=2)
        )
    else:
        print(f"{'':44} {'measured':>10} {'held against':>12}  {'unit':10} {'ratio':>6} {'goal':>6}")
        for each in figures:
            print(
                f"{each.name:44} {each.measured:10.3f} {each.least:12.3f}  {each.unit:10} {each.ratio:6.3f}"
                f" {each.goal:6.2f}  {'' if each.met else 'MISSED'}"
            )
    return 0 if all(each.met for each in figures) else 1


def _download() -> list[Figure]:
    with set_up(baud=BAUD) as stage, Client(str(stage.socket)) as client:
        client.refresh(CARD, wait=PATIENCE).check()
        profile, what = _profile()
        stage.server.orders.add_order(profile=profile, matching_id="BENCH")
        code = f"1${stage.server.address}$BENCH"
        stage.server.counters.reset()
        stage.card.log.clear()
        counted, cpu = stage.modem.counters, usage(stage.daemon.pid).cpu_seconds
        start = time.perf_counter()
        client.download(CARD, activation_code=code, wait=PATIENCE).check()
        wall = time.perf_counter() - start
        used = usage(stage.daemon.pid)
        after = stage.modem.counters
        log = list(stage.card.log)
        connects, handshakes = stage.server.counters.tcp_connects, stage.server.counters.tls_handshakes
        there, back = ideal.least_characters(log)
        wire = (there + back) * BITS_PER_CHARACTER / BAUD
        own = sum(each.seconds for each in log)
        print(f"profile: {what}, {len(profile)} bytes; functions: {ideal.functions(log)}", file=sys.stderr)
        return [
            Figure("APDUs", len(log), ideal.least_apdus(log), "APDUs", 1.05),
            Figure(
                "characters to the modem",
                after.characters_in - counted.characters_in,
                there,
                "characters",
                1.05,
            ),
            Figure(
                "characters from the modem",
                after.characters_out - counted.characters_out,
                back,
                "characters",
                1.05,
            ),
            Figure("TCP connects", connects, 1, "connects", 1.0),
            Figure("TLS handshakes", handshakes, 1, "handshakes", 1.0),
            Figure("wall time against wire and card", wall, wire + own, "s", 1.10),
            Figure("daemon's CPU time for it, against wall", used.cpu_seconds - cpu, wall, "s", 1.0),
            Figure("daemon's resident memory after it", used.resident_mib, 64, "MiB", 1.0),
            Figure("daemon's peak memory", used.peak_mib, 64, "MiB", 1.0),
            *_idle(stage),
        ]


def _idle(stage: Stage) -> list[Figure]:
    """An idle daemon: no CPU time, and no wake-up more often than once a minute."""
    quiet(5.0)  # what the download set going comes to rest
    before = usage(stage.daemon.pid)
    quiet(IDLE_SECONDS)
    after = usage(stage.daemon.pid)
    return [
        Figure(
            "wake-ups while idle, a minute",
            after.wake_ups - before.wake_ups,
            IDLE_SECONDS / 60,
            "wake-ups",
            1.0,
        ),
        Figure("CPU time while idle", after.cpu_seconds - before.cpu_seconds, 0.0, "s", 0.0),
    ]


def _start() -> Figure:
    """From start to ready, against importing what the daemon stands on: in pairs, since machines drift."""
    pairs = []
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {IMPORTS}"], check=True)
        imports = time.perf_counter() - start
        with set_up(baud=None) as stage:
            pairs.append((stage.ready_seconds, imports))
    return Figure(
        "start to ready against the imports",
        median(r for r, _ in pairs),
        median(i for _, i in pairs),
        "s",
        1.5,
    )


def _profile() -> tuple[bytes, str]:
    data = os.environ.get("LPAD_TEST_DATA")
    if data is not None:
        path = Path(data) / "upp" / "TS48V3-SAIP2-3-BERTLV-UNIQUE.der"
        return path.read_bytes(), "TS.48 v3"
    return made_up_profile(Iccid.parse("8944000000000000001"), size=12_166), "made up"


if __name__ == "__main__":
    sys.exit(main())
