"""The meanings and remedies of servers' status codes."""

from __future__ import annotations

import re

import pytest

from lpad.codec.server_status_codes import PAIRS, REASONS, SUBJECTS, Meaning, Remedy, meaning_of

MET_BY_AN_LPA = {
    ("8.8.1", "3.8"): Remedy.PERMANENT,
    ("8.8.2", "3.1"): Remedy.PERMANENT,
    ("8.8.3", "3.1"): Remedy.PERMANENT,
    ("8.8.4", "3.7"): Remedy.PERMANENT,
    ("8.9.1", "3.8"): Remedy.PERMANENT,
    ("8.9.2", "3.1"): Remedy.PERMANENT,
    ("8.9.3", "3.1"): Remedy.PERMANENT,
    ("8.9.4", "3.7"): Remedy.PERMANENT,
    ("8.1.2", "6.1"): Remedy.PERMANENT,
    ("8.1.2", "6.3"): Remedy.PERMANENT,
    ("8.1.3", "6.1"): Remedy.PERMANENT,
    ("8.1.3", "6.3"): Remedy.PERMANENT,
    ("8.1", "6.1"): Remedy.RESTART_SESSION,
    ("8.1", "4.8"): Remedy.PERMANENT,
    ("8.11.1", "3.9"): Remedy.PERMANENT,
    ("8.10.1", "3.9"): Remedy.RESTART_SESSION,
    ("8.2", "1.2"): Remedy.RETRY,
    ("8.2", "3.7"): Remedy.RETRY,
    ("8.2.6", "3.8"): Remedy.PERMANENT,
    ("8.1.1", "3.8"): Remedy.PERMANENT,
    ("8.2.5", "4.3"): Remedy.PERMANENT,
    ("8.8.5", "4.10"): Remedy.PERMANENT,
    ("8.8.5", "6.4"): Remedy.PERMANENT,
    ("8.2.7", "2.2"): Remedy.CONFIRMATION_CODE,
    ("8.2.7", "3.8"): Remedy.CONFIRMATION_CODE,
    ("8.2.7", "6.4"): Remedy.PERMANENT,
    ("8.9.5", "3.9"): Remedy.PERMANENT,
    ("8.9", "4.2"): Remedy.RETRY,
    ("8.9", "5.1"): Remedy.RETRY,
    ("1.6", "2.1"): Remedy.PERMANENT,
}


@pytest.mark.parametrize(("pair", "remedy"), MET_BY_AN_LPA.items())
def test_known_pairs_have_their_remedy(pair: tuple[str, str], remedy: Remedy) -> None:
    """Each pair of codes that an LPA can get is in the table with its remedy."""
    assert pair in PAIRS
    assert meaning_of(*pair).remedy is remedy


@pytest.mark.parametrize("pair", PAIRS)
def test_pairs_are_made_of_known_codes(pair: tuple[str, str]) -> None:
    """The subject and the reason of each pair are in the tables from which unknown pairs are composed."""
    assert pair[0] in SUBJECTS
    assert pair[1] in REASONS


@pytest.mark.parametrize("meaning", PAIRS.values(), ids=lambda meaning: meaning.sentence)
def test_meanings_read_inside_a_sentence(meaning: Meaning) -> None:
    """Sentence and advice are lower-case clauses without a full stop, so one sentence can hold both."""
    for clause in (meaning.sentence, meaning.advice):
        assert clause == clause.strip(" .")
        assert re.match(r"[a-z]", clause)


def test_time_to_live_is_not_reason_4_1() -> None:
    """Codes are text: 4.10 and 4.1 are different reasons."""
    assert meaning_of("8.8.5", "4.10").sentence == "the download order has expired"
    assert meaning_of("8.8.5", "4.1").sentence != meaning_of("8.8.5", "4.10").sentence


def test_unknown_pair_is_composed() -> None:
    """An unknown pair of status codes is explained by its subject and its reason."""
    assert meaning_of("8.2.1", "3.11").sentence == "the profile's ICCID has changed"


def test_unknown_subject_falls_back_to_its_parent() -> None:
    """A subject from a later version is reported as the subject that it is a part of."""
    assert meaning_of("8.2.99", "3.8").sentence == "the profile is refused"


def test_unknown_reason_and_subject_still_read() -> None:
    """Unknown codes lead to a sentence, not to an exception."""
    assert meaning_of("77", "99.9").sentence == "something is at fault"


def test_no_codes_at_all() -> None:
    """A refusal without codes is permanent, and its sentence states that the server gave no reason."""
    meaning = meaning_of("", "")
    assert meaning.sentence == "the server gave no reason"
    assert meaning.remedy is Remedy.PERMANENT


def test_passing_reasons_are_retried() -> None:
    """The reasons busy, inaccessible and unanswered are temporary, whatever the subject is."""
    assert meaning_of("8.8", "4.4").remedy is Remedy.RETRY
    assert meaning_of("8.8", "5.1").remedy is Remedy.RETRY


def test_malformed_requests_are_ours() -> None:
    """If a server calls the request itself malformed, the error suggests a bug report."""
    assert "report" in meaning_of("1.3.1", "2.2").advice
