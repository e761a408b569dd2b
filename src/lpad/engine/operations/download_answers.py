"""Answers to what a download has asked: what each leads to, and what need not be asked again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import Cancelled, ConfirmationCodeRequired
from lpad.engine.change.change import QuestionKind
from lpad.engine.change.notes import DownloadNotes
from lpad.lpa.download_interface import Decision
from lpad.lpa.install_policy import CONFIRM
from lpad.lpa.offered_profile import code_required, declined

if TYPE_CHECKING:
    from lpad.base.errors import LpadError
    from lpad.engine.change.results import ShownProfile
    from lpad.engine.running.run import Run

DECISIONS = {
    "accept": Decision.ACCEPT,
    "reject": Decision.REJECT,
    "postpone": Decision.POSTPONE,
}

SENTENCES = {
    Decision.ACCEPT: "the profile was shown and accepted",
    Decision.REJECT: "the profile was shown and rejected",
    Decision.POSTPONE: "the profile was shown and postponed",
    Decision.TIMEOUT: "the profile was shown and nobody answered",
}
"""What is logged of each decision."""


def decided_before(run: Run, shown: ShownProfile | None) -> Decision | None:
    """Return what was decided on an offered profile in an earlier session; None: on this one, nothing.

    Args:
        run: the download.
        shown: the profile, as the caller is shown it.
    """
    consent = run.notes_of(DownloadNotes).consent
    return _noted(run) if consent is not None and consent.profile == shown else None


def end_of(run: Run) -> LpadError | None:
    """Return the error that ends a download whose question was answered; None: it goes on.

    A rejection goes on, too: only in another session can the server be told that the order is not wanted.
    """
    notes = run.notes_of(DownloadNotes)
    if notes.code_declined:
        return code_required()
    if notes.code_refused:
        return ConfirmationCodeRequired(
            "the server has refused this confirmation code before, and counts the attempts; start the"
            " download again with the right code"
        )
    return declined(Decision.POSTPONE) if _noted(run) is Decision.POSTPONE else None


def error_to_tell(run: Run, error: LpadError) -> LpadError:
    """Return the error that ends a download which has met one.

    A profile that was rejected is not installed, whatever is met in the session that tells the server so.
    """
    if isinstance(error, Cancelled) or _noted(run) is not Decision.REJECT:
        return error
    return declined(Decision.REJECT)


def unanswered(run: Run) -> LpadError:
    """Return the error that ends a download whose question nobody answered in time, and tell of it."""
    question = run.change.question
    if question is not None and question.kind is QuestionKind.CONSENT:
        run.decided(Decision.TIMEOUT.value, rule=CONFIRM, sentence=SENTENCES[Decision.TIMEOUT])
        return declined(Decision.TIMEOUT)
    return code_required()


def tell(run: Run) -> None:
    """Tell what was decided on an offered profile, where that was asked last."""
    decision = _noted(run)
    if decision is not None and run.notes.asked == QuestionKind.CONSENT:
        run.decided(decision.value, rule=CONFIRM, sentence=SENTENCES[decision])


def _noted(run: Run) -> Decision | None:
    consent = run.notes.consent if isinstance(run.notes, DownloadNotes) else None
    return DECISIONS.get(consent.decision or "") if consent is not None else None
