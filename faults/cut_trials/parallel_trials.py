"""Parallel trials: a pool of processes runs trials, each process on its own stage."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TYPE_CHECKING

from faults.cut_trials.trial import Stage
from faults.injected.cut_kinds import Cut

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from faults.cut_trials.trial import Outcome

_stage: Stage | None = None


def on_stage(root: Path, number: int, port: int) -> Stage:
    """Create and return a stage with its own folder and loopback address.

    Args:
        root: the common folder of all stages.
        number: the stage's number.
        port: the port of all servers.
    """
    folder = root / str(number)
    folder.mkdir(parents=True)
    (root / "bases").mkdir(exist_ok=True)
    return Stage(root / "bases", folder, f"127.0.77.{number + 1}", port)


def outcomes(
    cuts: Sequence[tuple[str, Cut]], root: Path, port: int, *, jobs: int, keep: bool
) -> Iterator[Outcome]:
    """Run trials, and yield the outcome of each when it ends.

    Args:
        cuts: the cuts, each with the key of its scenario.
        root: the folder with the scenarios' prepared devices.
        port: the port of all servers.
        jobs: the number of trials at a time.
        keep: whether to keep the devices' folders.
    """
    context = multiprocessing.get_context("spawn")
    numbers = context.Queue()
    for number in range(1, jobs + 1):
        numbers.put(number)
    with ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_enter, initargs=(numbers, root, port)
    ) as pool:
        futures = [pool.submit(_trial, key, str(cut), keep) for key, cut in cuts]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)  # running trials continue to their end


def _enter(numbers: multiprocessing.Queue[int], root: Path, port: int) -> None:
    global _stage  # noqa: PLW0603 - one stage for each process of the pool
    _stage = on_stage(root, numbers.get(), port)


def _trial(key: str, cut: str, keep: bool) -> Outcome:  # noqa: FBT001 - called by a pool
    assert _stage is not None, "each process of the pool sets its stage at its start"
    return _stage.run(key, Cut.parse(cut), keep=keep)
