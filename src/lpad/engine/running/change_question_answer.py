"""An answer to a change's question, and the part of it that survives a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.frozen import Frozen
from lpad.engine.change.change import QuestionKind
from lpad.engine.change.notes import DownloadNotes, NotedConsent, ProvisionNotes, SwitchNotes, noting

if TYPE_CHECKING:
    from lpad.engine.change.change import Question
    from lpad.engine.change.notes import Noting

CODE = "confirmation_code"
"""The name of the secret with the confirmation code, given in the request or as an answer."""

_YES_OR_NO = (QuestionKind.CONFIRMATION, QuestionKind.SECOND_ORDER, QuestionKind.ADOPT)
"""The questions that are answered with yes or no."""


class Answer(Frozen, kw_only=True):
    """A caller's answer to a waiting change: a code; `accept`, `reject` or `postpone`; or yes or no."""

    confirmation_code: str | None = None
    decision: str | None = None
    confirm: bool | None = None

    def fits(self, question: Question) -> bool:
        """Return whether the answer fits the kind of the question."""
        if question.kind in _YES_OR_NO:
            return self.confirm is not None
        if question.kind is QuestionKind.CONFIRMATION_CODE:
            # A caller who is asked for the code may also reject or postpone the profile.
            return self.confirmation_code is not None or self.decision in ("reject", "postpone")
        return self.decision is not None

    def notes(self, question: Question, *, code: str | None) -> Noting:
        """Return notes that store the answer, so that it counts even if lpad is killed before using it."""
        if question.kind is QuestionKind.SECOND_ORDER:
            return noting(ProvisionNotes, second_order=self.confirm)
        if question.kind is QuestionKind.ADOPT:
            return noting(ProvisionNotes, adopt=self.confirm)
        if question.kind is QuestionKind.CONFIRMATION:
            return noting(SwitchNotes, confirmed=self.confirm)
        if question.kind is QuestionKind.CONFIRMATION_CODE:
            given = self.confirmation_code
            refused = question.code_refused and given == code
            return noting(DownloadNotes, code_declined=not given, code_refused=refused)
        consent = NotedConsent(decision=self.decision, profile=question.profile)
        return noting(DownloadNotes, consent=consent)

    @property
    def secrets(self) -> dict[str, str]:
        """The answer's secrets."""
        return {CODE: self.confirmation_code} if self.confirmation_code else {}
