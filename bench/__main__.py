"""Measure the costs of lpad and print each figure with its goal; exit with 1 if a goal is missed."""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import lpad
from bench import download_minimum
from bench.api_load import load
from bench.command_times import command_times
from bench.control_messages_per_apdu import control_messages
from bench.download_and_enable_costs import counts, wait_until_quiet
from bench.figure_with_goal import Figure, at_most
from bench.guest.guest_python import EMULATORS
from bench.guest_instructions import guest_instructions
from bench.history_and_fleet_costs import history_and_fleet_costs
from bench.instructions import instructions
from bench.listed_misses import PAGE, comparable, listed_misses, verdict
from bench.lpac_comparison import comparison
from bench.process_usage import usage
from bench.recording_card import RecordingCard
from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.base.identifiers import Iccid
from lpad.simulator.profile_package.made_up_profile import made_up_profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.download_minimum import Exchange
    from lpad.simulator.euicc.card import SoftCard

BAUD = 115_200
BITS_PER_CHARACTER = 10
RUNS = 5
IDLE_SECONDS = 120.0
SPREAD = 0.1
"""The share by which the wall time may differ between runs, because of the machine's other work."""
SETTLING_SECONDS = 5.0
"""Seconds until all activity after a download has ended."""
IMPORTS = (
    "asn1tools, click, cryptography.x509, httpcore, msgspec, rich.console, serial, starlette.applications,"
    " uvicorn, yaml"
)
"""Libraries of lpad and its simulators. The time of lpad's start is compared with that of their import."""


def main() -> int:
    """Run the measurements that the command line requests, and return the exit code."""
    asked = _arguments()
    # Otherwise the first process would compile the modules, which takes more instructions and memory.
    compileall.compile_dir(Path(lpad.__file__).parent, quiet=1)
    if asked.load:
        figures = load(BAUD)
    elif asked.lpac:
        figures = _against_lpac(asked.lpac)
    elif asked.arch:
        figures = guest_instructions(asked.arch)
    elif asked.counts:
        figures = [*counts(), *control_messages(), *instructions()]
    else:
        figures = [
            *counts(),
            *control_messages(),
            *instructions(),
            *command_times(),
            *history_and_fleet_costs(),
        ]
        figures += [*_download(), _start(), *load(BAUD)]
    if asked.json:
        print(
            json.dumps([asdict(each) | {"ratio": each.ratio, "met": each.met} for each in figures], indent=2)
        )
    elif figures:
        print(f"{'':58} {'measured':>10} {'reference':>12}  {'unit':10} {'ratio':>6} {'goal':>6}")
        for each in figures:
            print(
                f"{each.name:58} {each.measured:10.3f} {each.least:12.3f}  {each.unit:10} {each.ratio:6.3f}"
                f" {each.goal:6.2f}  {'' if each.met else 'MISSED'}"
            )
    if asked.check:
        misses = listed_misses(PAGE.read_text(encoding="utf-8"))
        compared, notice = comparable(figures, platform.python_version())
        found = [sentence for each in compared if (sentence := verdict(each, misses)) is not None]
        if notice is not None:
            print(notice, file=sys.stderr)
        print(*found, sep="\n", file=sys.stderr)
        return 1 if found else 0
    return 0 if all(each.met for each in figures) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument("--load", action="store_true", help="measure only reads under load")
    parser.add_argument(
        "--counts", action="store_true", help="measure only counts, which hardly differ between runs"
    )
    parser.add_argument(
        "--arch",
        action="append",
        choices=tuple(EMULATORS),
        help="count only the instructions on this architecture, under qemu; may be repeated",
    )
    parser.add_argument(
        "--lpac", metavar="PROGRAM", help="measure only downloads, compared with those of this lpac 2.3"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="accept missed goals that docs/bench.md lists, unless a figure is worse than listed",
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser.parse_args()


def _against_lpac(name: str) -> list[Figure]:
    program = shutil.which(name)
    if program is None:
        print(f"no comparison with lpac: there is no program {name}", file=sys.stderr)
        return []
    return comparison(Path(program).resolve())


def _download() -> list[Figure]:
    cards: list[RecordingCard] = []

    def recorded(card: SoftCard) -> RecordingCard:
        cards.append(RecordingCard(card))
        return cards[0]

    with Gateway(wrap=recorded, baud=BAUD, settings={"log": "warning"}) as gateway:
        gateway.client.refresh(CARD, wait=PATIENCE).check()
        card, process = cards[0], gateway.process
        assert process is not None, "it runs"
        profile, what = _profile()
        code = gateway.order(profile)
        gateway.server.counters.reset()
        card.log.clear()
        counted, cpu = gateway.modem.counters, usage(process.pid).cpu_seconds
        start = time.perf_counter()
        gateway.download(code).check()
        wait_until_quiet(gateway)
        wall = card.last_at - start
        used = usage(process.pid)
        after = gateway.modem.counters
        log = list(card.log)
        connects, handshakes = gateway.server.counters.tcp_connects, gateway.server.counters.tls_handshakes
        there, back = download_minimum.least_characters(log)
        idle = _idle(process.pid)
        times = [(wall, _least_seconds(log)), *_repeated(gateway, card, profile)]
        ratio = min(wall / least for wall, least in times)
        to_modem = after.characters_in - counted.characters_in
        from_modem = after.characters_out - counted.characters_out
        print(
            f"{what} profile, {len(profile)} bytes; ES10 functions: {download_minimum.functions(log)}",
            file=sys.stderr,
        )
        return [
            Figure("APDUs", len(log), download_minimum.least_apdus(log), "APDUs", 1.05),
            Figure("characters to the modem", to_modem, there, "characters", 1.05),
            Figure("characters from the modem", from_modem, back, "characters", 1.05),
            Figure("TCP connects", connects, 1, "connects", 1.0),
            Figure("TLS handshakes", handshakes, 1, "handshakes", 1.0),
            at_most("wall time against wire and card", ratio, 1.10, "times", spread=SPREAD),
            Figure("daemon's CPU time for a download, against wall", used.cpu_seconds - cpu, wall, "s", 1.0),
            Figure("daemon's resident memory after the download", used.resident_mib, 64, "MiB", 1.0),
            Figure("daemon's peak memory", used.peak_mib, 64, "MiB", 1.0),
            *idle,
        ]


def _repeated(gateway: Gateway, card: RecordingCard, profile: bytes) -> Iterator[tuple[float, float]]:
    """Delete the profile and download it again; yield each download's seconds and the least possible seconds.

    A download ends with its last command, which removes its last notification.
    The download that comes closest to its minimum counts, because other work on the machine only adds time.
    """
    for _ in range(RUNS - 1):
        (installed,) = gateway.client.profiles(CARD)
        gateway.client.delete(CARD, installed.iccid, wait=PATIENCE).check()
        wait_until_quiet(gateway)
        code = gateway.order(profile)
        card.log.clear()
        start = time.perf_counter()
        gateway.download(code).check()
        wait_until_quiet(gateway)
        wall = card.last_at - start
        yield wall, _least_seconds(list(card.log))


def _least_seconds(log: list[Exchange]) -> float:
    """Return the time of the characters on the wire, plus the time that the card itself needed."""
    there, back = download_minimum.least_characters(log)
    return (there + back) * BITS_PER_CHARACTER / BAUD + sum(each.seconds for each in log)


def _idle(pid: int) -> list[Figure]:
    """Measure an idle daemon: its wake-ups, its CPU time, and its written bytes, extrapolated to a day."""
    _quiet(SETTLING_SECONDS)
    before = usage(pid)
    _quiet(IDLE_SECONDS)
    after = usage(pid)
    wakes = after.wake_ups - before.wake_ups
    days = 24 * 3600 / IDLE_SECONDS
    return [
        Figure("wake-ups while idle", wakes, IDLE_SECONDS / 60, "wake-ups", 1.0),
        Figure("CPU time while idle", after.cpu_seconds - before.cpu_seconds, 0.0, "s", 0.0),
        at_most("bytes written to flash per idle day", (after.written - before.written) * days, 0, "bytes"),
    ]


def _start() -> Figure:
    """Measure lpad's start and the import of `IMPORTS` alternately, because a machine's speed changes."""
    pairs = []
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {IMPORTS}"], check=True)
        imports = time.perf_counter() - start
        with Gateway() as gateway:
            pairs.append((gateway.ready_seconds, imports))
    ready, imports = (median(each) for each in zip(*pairs, strict=True))
    return Figure("start to ready against the imports", ready, imports, "s", 1.5)


def _quiet(seconds: float) -> None:
    """Wait in real time, while the idle daemon is measured."""
    threading.Event().wait(seconds)


def _profile() -> tuple[bytes, str]:
    data = os.environ.get("LPAD_TEST_DATA")
    if data is not None:
        path = Path(data) / "upp" / "TS48V3-SAIP2-3-BERTLV-UNIQUE.der"
        return path.read_bytes(), "TS.48 v3"
    return made_up_profile(Iccid.parse("8944000000000000001"), size=12_166), "made up"


if __name__ == "__main__":
    sys.exit(main())
