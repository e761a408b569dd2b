"""Cut the daemon off at every point of each scenario, and flip bits of its journal.

Prints the results; exits with 1 if a check is violated.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from faults.cut_trials.parallel_trials import on_stage, outcomes
from faults.cut_trials.report_table import table
from faults.cut_trials.scenario import SCENARIOS
from faults.flip_trials.parallel_flips import ALL, flip_outcomes, told
from faults.injected.cut_kinds import Cut, every_cut

if TYPE_CHECKING:
    from faults.cut_trials.trial import Outcome
    from faults.flip_trials.flip_trial import FlipOutcome

_MEMORY = Path("/dev/shm")  # noqa: S108 - the trials create their own folder in it


def main() -> int:
    """Run the trials that the command line requests; return 1 if a check is violated."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    began = time.monotonic()
    root = Path(tempfile.mkdtemp(prefix="lpad-faults-", dir=_MEMORY if _MEMORY.is_dir() else None))
    try:
        flips = _flips(asked, root)
        if asked.only_flips or asked.only_flip:
            return 1 if any(each.violations for each in flips) else 0
        first = on_stage(root, 0, _free_port())
        cuts: list[tuple[str, Cut]] = []
        every: dict[str, int] = {}
        for key in asked.scenario or SCENARIOS:
            first.prepare(key)
            found = every_cut(first.count(key))
            every[key] = len(found)
            if asked.only:
                chosen = [Cut.parse(each) for each in asked.only]
            elif asked.sample:
                chosen = random.Random(f"{asked.seed} {key}").sample(found, min(asked.sample, len(found)))  # noqa: S311 - not secret
            else:
                chosen = found
            cuts += [(key, cut) for cut in chosen]
        random.Random(asked.seed).shuffle(cuts)  # noqa: S311 - not secret; it mixes the scenarios
        print(f"{len(cuts)} of {sum(every.values())} cuts, {asked.jobs} at a time", file=sys.stderr)
        found_out: list[Outcome] = []
        for outcome in outcomes(cuts, root, first.port, jobs=asked.jobs, keep=asked.keep):
            found_out.append(outcome)
            _tell(outcome, len(found_out), len(cuts))
        print(table(every, found_out))
        if flips:
            print(told(flips))
        print(f"{time.monotonic() - began:.0f} s; seed {asked.seed}")
        return (
            1 if any(each.violations for each in found_out) or any(each.violations for each in flips) else 0
        )
    finally:
        if asked.keep:
            print(f"kept: {root}", file=sys.stderr)
        else:
            shutil.rmtree(root, ignore_errors=True)


def _flips(asked: argparse.Namespace, root: Path) -> list[FlipOutcome]:
    """Make the requested flips (by default all, or none if cuts are selected), and return their outcomes."""
    partial = asked.scenario or asked.only or asked.sample
    number = (0 if partial else ALL) if asked.flips is None else asked.flips
    if not number and not asked.only_flip:
        return []
    found: list[FlipOutcome] = []
    for each in flip_outcomes(root, number=number, seed=asked.seed, jobs=asked.jobs, only=asked.only_flip):
        found.append(each)
        for violation in each.violations:
            print(f"{each.folder}/{each.flip}: {violation}", file=sys.stderr, flush=True)
    print(told(found), file=sys.stderr, flush=True)
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/faults", description=__doc__)
    parser.add_argument(
        "--scenario", action="append", choices=SCENARIOS, help="run only this scenario; repeatable"
    )
    parser.add_argument("--sample", type=int, help="make only this number of cuts of each scenario")
    parser.add_argument("--seed", type=int, default=1, help="number that selects the sample and the flips")
    parser.add_argument(
        "--only", action="append", metavar="CUT", help="make only this cut, in its printed form; repeatable"
    )
    parser.add_argument("--flips", type=int, help="number of wrong bits in the journal; 30000 in a full run")
    parser.add_argument("--only-flips", action="store_true", help="flip bits, and make no cuts")
    parser.add_argument(
        "--only-flip",
        action="append",
        default=[],
        metavar="FLIP",
        help="make only this flip, in its printed form; repeatable",
    )
    parser.add_argument(
        "--jobs", type=int, default=3 * (os.cpu_count() or 1), help="number of trials at a time"
    )
    parser.add_argument("--keep", action="store_true", help="keep the folders of the devices")
    return parser.parse_args()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def _tell(outcome: Outcome, number: int, of: int) -> None:
    verdict = "; ".join(outcome.violations) or ("ok" if outcome.met else "not reached")
    what = f"{outcome.scenario} {outcome.cut} [{outcome.change}] {outcome.seconds:.1f} s"
    print(f"{number}/{of} {what}: {verdict}", file=sys.stderr, flush=True)
    for line in outcome.log:
        print(f"    {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
