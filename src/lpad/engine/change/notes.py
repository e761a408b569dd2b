"""Notes made while a change is carried out, for use after a restart; they are not shown.

Each kind of change has its own type of notes. In the journal the notes of a change are one flat object, in
which unknown fields stay. `noting` gives the fields to update.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, TypeVar

import msgspec

from lpad.base.errors import InternalError
from lpad.base.frozen import Frozen
from lpad.engine.change.results import ShownProfile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Fields = ParamSpec("Fields")


class NotedLimit(msgspec.Struct, frozen=True, kw_only=True):
    """A time limit, and the readings of the clocks when it began; see `TimeLimit`."""

    seconds: float = 0.0
    wall: float = 0.0
    boot: float = 0.0
    boot_id: str = ""
    renewed: bool = False


class NotedConsent(msgspec.Struct, frozen=True, kw_only=True):
    """The decision on an offered profile, and the profile as shown."""

    decision: str | None = None
    profile: ShownProfile | None = None


class Notes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Notes of a change of any kind.

    restarts: how often the change was resumed after a restart of lpad.
    due: when a paused change continues, on the steady clock.
    sessions: the number of attempts in which the server received a download's order.
    answer_by, asked: the time limit for an answer, and the kind of question.
    absence: how long lpad waits for a card that shows the outcome.
    absence_at_start: how long an interrupted change waits for its card after a start of lpad.
    """

    restarts: int = 0
    due: float | None = None
    sessions: int | None = None
    answer_by: NotedLimit | None = None
    asked: str | None = None
    absence: NotedLimit | None = None
    absence_at_start: NotedLimit | None = None


class ProfileNotes(Notes, frozen=True, kw_only=True, omit_defaults=True):
    """Notes of a change to one profile: its ICCID, and the AID that it had."""

    iccid: str | None = None
    aid: str | None = None


class SwitchNotes(ProfileNotes, frozen=True, kw_only=True, omit_defaults=True):
    """Notes of a switch, with or without a guard.

    limit: the guard's time limit; previous_aid: the AID of the previously enabled profile.
    confirmed: the caller's answer; looked_again: whether the last check of the conditions has begun.
    candidate, tries: the position in the order of profiles for the rollback, and the attempts with that
        profile.
    reason, why: why the switch is rolled back, see `Reason`.
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
    """Notes of a download, which may end with a switch.

    iccid: the ICCID of the profile whose first segment was sent; held_before: whether the card already
        contained this profile; last_number: the sequence number of the card's last earlier notification,
        lower than that of the installation's result.
    consent, code_declined, code_refused: the answers to the download's questions.
    announced: whether the owner's hooks have run for the installed profile.
    tried: how often lpad has taken each course of action of `retry_rules`.
    spent, spent_since: see `TriedTime`; waited: the note of older versions of lpad in place of `spent`.
    """

    held_before: bool = False
    last_number: int | None = None
    consent: NotedConsent | None = None
    code_declined: bool = False
    code_refused: bool = False
    announced: bool = False
    tried: dict[str, int] = {}
    spent: float | None = None
    spent_since: float | None = None
    waited: float | None = None


class ProvisionNotes(DownloadNotes, frozen=True, kw_only=True, omit_defaults=True):
    """Notes of a platform's download: the answers about a second order and an available reservation."""

    second_order: bool | None = None
    adopt: bool | None = None


class ResetNotes(Notes, frozen=True, kw_only=True, omit_defaults=True):
    """Notes of a reset: whether lpad has sent it to the card, and the ICCIDs of the profiles to delete."""

    reset: bool = False
    iccids: tuple[str, ...] = ()


class DropNotes(Notes, frozen=True, kw_only=True, omit_defaults=True):
    """Notes of a dropped notification: the EID of the card that was asked to remove the notification."""

    eid: str | None = None


N = TypeVar("N", bound=Notes)


class Noting(Frozen):
    """Fields to update in one type of notes; created by `noting`."""

    type: type[Notes]
    fields: Mapping[str, object]

    def __or__(self, others: Noting) -> Noting:
        """Return the fields of both objects; if both have a field, the value in `others` counts."""
        narrower = others.type if issubclass(others.type, self.type) else self.type
        return Noting(narrower, {**self.fields, **others.fields})

    def on(self, notes: N) -> N:
        """Return the notes with these fields.

        Raises:
            InternalError: the notes of this kind have no such fields.
        """
        if not isinstance(notes, self.type):
            raise InternalError(f"{type(notes).__name__} cannot store the notes of {self.type.__name__}")
        return msgspec.structs.replace(notes, **self.fields)


NOTHING = Noting(Notes, {})


def noting(of: Callable[Fields, N], *_none: Fields.args, **fields: Fields.kwargs) -> Noting:
    """Return the fields to update; a type checker verifies that the type of notes has them."""
    assert isinstance(of, type)
    assert issubclass(of, Notes)
    return Noting(of, fields)
