"""Answers to a download's questions: their effects, and which questions need not be repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import Cancelled, ConfirmationCodeRequired
from lpad.engine.change.change import QuestionKind
from lpad.engine.change.notes import DownloadNotes
from lpad.lpa.download_interface import Decision
from lpad.lpa.download_refusals import code_required, declined
from lpad.lpa.owner_install_policy import CONFIRM

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
    Decision.TIMEOUT: "the profile was shown, but no answer came",
}
"""The text of each decision in the log and in the event `decision`."""


def decided_before(run: Run, shown: ShownProfile | None) -> Decision | None:
    """Return the earlier decision on an offered profile; None if there was none on this profile."""
    consent = run.notes_of(DownloadNotes).consent
    return _noted(run) if consent is not None and consent.profile == shown else None


def end_of(run: Run) -> LpadError | None:
    """Return the error that ends a download after an answer; None: the download continues.

    The download also continues after a rejection, because the server can be informed only in another session.
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
    """Return the error with which a failed download ends.

    A rejected profile is not installed, whatever error occurs in the session that informs the server.
    """
    if isinstance(error, Cancelled) or _noted(run) is not Decision.REJECT:
        return error
    return declined(Decision.REJECT)


def unanswered(run: Run) -> LpadError:
    """Return the error of a download whose question was not answered in time; publish a missing consent."""
    question = run.change.question
    if question is not None and question.kind is QuestionKind.CONSENT:
        run.decided(Decision.TIMEOUT.value, rule=CONFIRM, sentence=SENTENCES[Decision.TIMEOUT])
        return declined(Decision.TIMEOUT)
    return code_required()


def tell(run: Run) -> None:
    """Publish the decision on an offered profile, if the last question asked for it."""
    decision = _noted(run)
    if decision is not None and run.notes.asked == QuestionKind.CONSENT:
        run.decided(decision.value, rule=CONFIRM, sentence=SENTENCES[decision])


def _noted(run: Run) -> Decision | None:
    consent = run.notes.consent if isinstance(run.notes, DownloadNotes) else None
    return DECISIONS.get(consent.decision or "") if consent is not None else None
