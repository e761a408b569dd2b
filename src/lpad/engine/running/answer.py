"""An answer to a change's question, and what of it outlives a restart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lpad.engine.change.change import QuestionKind

if TYPE_CHECKING:
    from lpad.engine.change.change import Json, Question

ANSWER_BY = "answer_by"
"""The note that says until when an answer is awaited, on clocks that outlive a restart."""

ASKED = "asked"
"""The note that says what was asked last."""

CONSENT = "consent"
"""The note that keeps the decision on an offered profile, and the profile as it was shown."""

CODE = "confirmation_code"
"""The name of the secret that keeps the confirmation code, whether it was given before or when asked for."""

CODE_DECLINED = "code_declined"
"""The note that says that whoever was asked for the code gave none."""

CODE_REFUSED = "code_refused"
"""The note that says that the code given last is the one that the server has refused before."""

SECOND_ORDER = "second_order"
"""The note that says whether another profile may be ordered."""

ADOPT = "adopt"
"""The note that says whether the oldest of several profiles is taken."""

_YES_OR_NO = {
    QuestionKind.CONFIRMATION: "confirmed",
    QuestionKind.SECOND_ORDER: SECOND_ORDER,
    QuestionKind.ADOPT: ADOPT,
}
"""The questions that are answered by yes or no, and the notes that keep the answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a caller gives to a waiting change: a code, or `accept`, `reject`, `postpone`, or yes or no."""

    confirmation_code: str | None = None
    decision: str | None = None
    confirm: bool | None = None

    def fits(self, question: Question) -> bool:
        """Whether this is an answer to the question."""
        if question.kind in _YES_OR_NO:
            return self.confirm is not None
        if question.kind is QuestionKind.CONFIRMATION_CODE:
            # A caller who is asked for the code may also give up.
            return self.confirmation_code is not None or self.decision in ("reject", "postpone")
        return self.decision is not None

    def notes(self, question: Question, *, code: str | None) -> dict[str, Json]:
        """Return what is noted: an answer was given, even if lpad is killed before it makes use of it.

        Args:
            question: what was asked.
            code: the confirmation code that was given before.
        """
        if question.kind in _YES_OR_NO:
            return {_YES_OR_NO[question.kind]: self.confirm}
        if question.kind is QuestionKind.CONFIRMATION_CODE:
            given = self.confirmation_code
            return {CODE_DECLINED: not given, CODE_REFUSED: question.code_refused and given == code}
        return {CONSENT: {"decision": self.decision, "profile": question.profile}}

    @property
    def secrets(self) -> dict[str, str]:
        """What is kept with the change's secrets."""
        return {CODE: self.confirmation_code} if self.confirmation_code else {}
