"""Flipped bits in journals: they can be repeated, lpad handles them, and unhandled ones are reported."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from faults.flip_trials.flip_trial import FlipStage
from faults.flip_trials.parallel_flips import flip_outcomes, told
from faults.flip_trials.sample_journal import CLOSED, KILLED, make
from faults.injected.flip import JOURNAL, Flip, chosen
from lpad.engine.journal import journal
from lpad.engine.journal.file import database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZES = {JOURNAL: 100, f"{JOURNAL}-wal": 50}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> FlipStage:
    """A stage with journals that the tests damage."""
    folder = tmp_path_factory.mktemp("flips")
    return FlipStage(folder, folder / "trial", make(folder))


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Keep thousands of repairs out of the log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_a_flip_is_read_as_it_is_printed() -> None:
    """A flip's text form, as in a report, is parsed to the same flip."""
    for flip in chosen(SIZES, 150, 1):
        assert Flip.parse(str(flip)) == flip


@pytest.mark.parametrize("text", ["other:1:1", f"{JOURNAL}:1:8", f"{JOURNAL}:-1:0", f"{JOURNAL}:1", "x"])
def test_an_invalid_flip_is_refused(text: str) -> None:
    """The text of an invalid flip raises ValueError."""
    with pytest.raises(ValueError):  # noqa: PT011 - Python's own message
        Flip.parse(text)


def test_flips_are_chosen_from_all_bits_by_a_seed() -> None:
    """No bit is chosen twice, enough flips cover all bits, and a seed always leads to the same flips."""
    assert len(set(chosen(SIZES, 10_000, 1))) == 150 * 8
    assert chosen(SIZES, 20, 1) == chosen(SIZES, 20, 1)
    assert chosen(SIZES, 20, 1) != chosen(SIZES, 20, 2)
    (flip,) = chosen({JOURNAL: 1}, 1, 1)
    assert flip.done_to(flip.done_to(b"a")) == b"a"
    assert flip.done_to(b"a") != b"a"


@pytest.mark.parametrize("name", [CLOSED, KILLED])
def test_lpad_handles_each_flip(stage: FlipStage, name: str) -> None:
    """Lpad handles each of 60 flips in a journal; script/faults makes many more."""
    outcomes = [stage.run(name, flip) for flip in chosen(stage.sizes[name], 60, 5)]
    assert [each for each in outcomes if each.violations] == []
    assert any(each.repaired for each in outcomes)


def test_unhandled_flips_are_reported(stage: FlipStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the journal neither examines nor repairs itself, the trial reports wrong or missing rows."""
    monkeypatch.setattr(database, "examine", lambda *_: None)
    monkeypatch.setattr(database, "examine_header", lambda *_: None)
    monkeypatch.setattr(database.Database, "_mend", lambda _self, damage: (_ for _ in ()).throw(damage))
    outcomes = [stage.run(CLOSED, flip) for flip in chosen(stage.sizes[CLOSED], 60, 5)]
    assert len([each for each in outcomes if each.violations]) > 10


def test_exceptions_of_the_journal_are_reported(stage: FlipStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flip after which the journal raises an unexpected exception counts as not handled."""
    monkeypatch.setattr(journal, "CHECKS", {"changes": lambda row: 1 / 0})
    outcome = stage.run(CLOSED, Flip(JOURNAL, 60, 0))
    assert outcome.violations


def test_flips_are_made_in_parallel(tmp_path: Path) -> None:
    """Flips made in parallel are each reported once, and the summary counts those not handled."""
    outcomes = list(flip_outcomes(tmp_path, number=8, seed=1, jobs=2))
    assert len({(each.folder, each.flip) for each in outcomes}) == 8
    assert {each.folder for each in outcomes} == {CLOSED, KILLED}
    assert told(outcomes).endswith("not handled 0.")
    (once_more,) = flip_outcomes(
        tmp_path / "more", number=0, seed=1, jobs=1, only=[f"{CLOSED}/{JOURNAL}:60:0"]
    )
    assert once_more.repaired
