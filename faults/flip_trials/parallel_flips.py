"""Parallel trials of flips, and the report's sentence about them."""

from __future__ import annotations

import logging
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

from faults.flip_trials.flip_trial import FlipStage
from faults.flip_trials.sample_journal import CLOSED, KILLED, make
from faults.injected.flip import Flip, chosen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from faults.flip_trials.flip_trial import FlipOutcome
    from faults.flip_trials.sample_journal import Contents

ALL = 30_000
"""The number of flips in a full run."""
_TOGETHER = 100
"""The number of flips that a process makes before it reports their outcomes."""

_stage: FlipStage | None = None


def flip_outcomes(
    root: Path, *, number: int, seed: int, jobs: int, only: Sequence[str] = ()
) -> Iterator[FlipOutcome]:
    """Make flips, half in a closed journal and half after a power cut, and yield the outcome of each.

    Args:
        root: the folder for the journals.
        number: the number of flips.
        seed: selects the flips.
        jobs: the number of processes.
        only: the flips to make, in their printed form; empty: those that the seed selects.
    """
    bases = root / "flips"
    bases.mkdir(parents=True)
    contents = make(bases)
    sizes = FlipStage(bases, bases / "none", contents).sizes
    flips = [
        (folder, str(flip))
        for folder, share in ((CLOSED, number - number // 2), (KILLED, number // 2))
        for flip in chosen(sizes[folder], share, seed)
    ]
    if only:
        flips = [(folder, each) for folder, _, each in (text.partition("/") for text in only)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        min(jobs, os.cpu_count() or 1), mp_context=context, initializer=_enter, initargs=(bases, contents)
    ) as pool:
        parts = [flips[at : at + _TOGETHER] for at in range(0, len(flips), _TOGETHER)]
        try:
            for outcomes in pool.map(_trials, parts):
                yield from outcomes
        finally:
            pool.shutdown(cancel_futures=True)


def told(outcomes: Sequence[FlipOutcome]) -> str:
    """Return a sentence with the number of flips and their outcomes."""
    repaired = sum(each.repaired for each in outcomes)
    wrong = sum(bool(each.violations) for each in outcomes)
    harmless = sum(not each.repaired and not each.violations for each in outcomes)
    return (
        f"Wrong bits in the journal: {len(outcomes)}; of no consequence {harmless}, repaired {repaired},"
        f" not handled {wrong}."
    )


def _enter(bases: Path, contents: Mapping[str, Contents]) -> None:
    global _stage  # noqa: PLW0603 - one stage for each process of the pool
    logging.disable(logging.CRITICAL)  # thousands of repairs would log a line each
    _stage = FlipStage(bases, bases / str(os.getpid()), contents)


def _trials(flips: Sequence[tuple[str, str]]) -> list[FlipOutcome]:
    assert _stage is not None, "each process of the pool sets its stage at its start"
    return [_stage.run(folder, Flip.parse(flip)) for folder, flip in flips]
