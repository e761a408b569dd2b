"""Flips made side by side, and the line of the report that tells of them."""

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
"""Flips of a full run."""
_TOGETHER = 100
"""Flips that a process makes before it reports."""

_stage: FlipStage | None = None


def flip_outcomes(
    root: Path, *, number: int, seed: int, jobs: int, only: Sequence[str] = ()
) -> Iterator[FlipOutcome]:
    """Make flips, and yield what came of each: half in a journal that was closed, half after a power cut.

    Args:
        root: a folder, for the journals.
        number: of flips.
        seed: chooses them.
        jobs: how many at a time.
        only: these, as they are printed, in the place of chosen ones.
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
    """Return how many flips were made, and what came of them."""
    repaired = sum(each.repaired for each in outcomes)
    wrong = sum(bool(each.violations) for each in outcomes)
    harmless = sum(not each.repaired and not each.violations for each in outcomes)
    return (
        f"Wrong bits in the journal: {len(outcomes)}; of no consequence {harmless}, repaired {repaired},"
        f" not handled {wrong}."
    )


def _enter(bases: Path, contents: Mapping[str, Contents]) -> None:
    global _stage  # noqa: PLW0603 - what a process of the pool keeps
    logging.disable(logging.CRITICAL)  # each repair says so, thousands of times
    _stage = FlipStage(bases, bases / str(os.getpid()), contents)


def _trials(flips: Sequence[tuple[str, str]]) -> list[FlipOutcome]:
    assert _stage is not None, "a process of the pool has entered it"
    return [_stage.run(folder, Flip.parse(flip)) for folder, flip in flips]
