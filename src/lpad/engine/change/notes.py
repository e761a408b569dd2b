"""What is noted while a change is carried out, for after a restart; nobody is shown it.

One type for each kind of change. In the journal they lie flat in one object, and what this lpad does not know
there stays. `noting` names the fields that are noted anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import msgspec

from lpad.base.errors import InternalError
from lpad.engine.change.results import ShownProfile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Fields = ParamSpec("Fields")


class NotedLimit(msgspec.Struct, frozen=True, kw_only=True):
    """A time limit and the clocks when it began; see `TimeLimit`."""

    seconds: float = 0.0
    wall: float = 0.0
    boot: float = 0.0
    boot_id: str = ""
    renewed: bool = False


class NotedConsent(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided on an offered profile, and the profile as it was shown."""

    decision: str | None = None
    profile: ShownProfile | None = None


class Notes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is noted of a change of any kind.

    restarts: how often it was taken up after the end of the daemon.
    due: when it goes on that is paused, on the steady clock.
    sessions: attempts in which a download's order was named to the server.
    answer_by, asked: until when an answer is awaited, and to what kind of question.
    absence: how long a card is waited for that holds the outcome.
    absence_at_start: how long one is waited for that was absent when lpad was started again.
    """

    restarts: int = 0
    due: float | None = None
    sessions: int | None = None
    answer_by: NotedLimit | None = None
    asked: str | None = None
    absence: NotedLimit | None = None
    absence_at_start: NotedLimit | None = None


class ProfileNotes(Notes, frozen=True, kw_only=True, omit_defaults=True):
    """Of a change to one profile: the ICCID, and the AID that the profile had."""

    iccid: str | None = None
    aid: str | None = None


class SwitchNotes(ProfileNotes, frozen=True, kw_only=True, omit_defaults=True):
    """Of a switch that may be guarded.

    limit: of the guard's conditions; previous_aid: the AID of the profile that was enabled before.
    confirmed: the caller's answer; looked_again: the conditions had their last look.
    candidate, tries: the place in the order of profiles to go back to, and how often that one was tried.
    reason, why: why the switch is taken back, as `Reason` has it.
    """

    limit: NotedLimit | None = None
    previous_aid: str | None = None
    confirmed: bool | None = None
    looked_again: bool = False
    candidate: int = 0
    tries: int = 0
    reason: str | None = None
    why: str | None = None


class DownloadNotes(SwitchNotes, frozen=True, kw_only=True, omit_defaults=True):
    """Of a download, which may end with a switch.

    iccid: of the profile whose first segment was sent; held_before: whether the card held it before;
    last_number: the last notification before that, by which the card's own result is known.
    consent, code_declined, code_refused: the answers to its questions.
    tried: how often each course of `retry_rules` was taken.
    spent, spent_since: see `TriedTime`; waited: what an older lpad noted in their place.
    """

    held_before: bool = False
    last_number: int | None = None
    consent: NotedConsent | None = None
    code_declined: bool = False
    code_refused: bool = False
    tried: dict[str, int] = {}
    spent: float | None = None
    spent_since: float | None = None
    waited: float | None = None


class ProvisionNotes(DownloadNotes, frozen=True, kw_only=True, omit_defaults=True):
    """Of a download through a platform: whether a person allowed another order, or the oldest profile."""

    second_order: bool | None = None
    adopt: bool | None = None


class ResetNotes(Notes, frozen=True, kw_only=True, omit_defaults=True):
    """Of a reset: whether the card was asked for it."""

    reset: bool = False


class DropNotes(Notes, frozen=True, kw_only=True, omit_defaults=True):
    """Of a notification that is given up: the EID of the card that was asked to remove it."""

    eid: str | None = None


N = TypeVar("N", bound=Notes)


@dataclass(frozen=True, slots=True)
class Noting:
    """Fields that are noted anew, of one type of notes; made by `noting`."""

    type: type[Notes]
    fields: Mapping[str, object]

    def __or__(self, others: Noting) -> Noting:
        """Return what both note; where both do, the other is right."""
        narrower = others.type if issubclass(others.type, self.type) else self.type
        return Noting(narrower, {**self.fields, **others.fields})

    def on(self, notes: N) -> N:
        """Return the notes with these fields.

        Raises:
            InternalError: they are the notes of a kind that has no such fields.
        """
        if not isinstance(notes, self.type):
            raise InternalError(f"{type(notes).__name__} cannot hold what belongs into {self.type.__name__}")
        return msgspec.structs.replace(notes, **self.fields)


NOTHING = Noting(Notes, {})


def noting(of: Callable[Fields, N], *_none: Fields.args, **fields: Fields.kwargs) -> Noting:
    """Return the fields to note; a type checker sees that the type of notes has them.

    Args:
        of: the type of notes.
        fields: by name.
    """
    assert isinstance(of, type)
    assert issubclass(of, Notes)
    return Noting(of, fields)
