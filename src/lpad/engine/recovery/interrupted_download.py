"""The result of an interrupted download attempt: the card decides, and nothing is installed twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.engine.change.notes import DownloadNotes
from lpad.engine.running.same_card_check import check_same_card
from lpad.engine.snapshot import card_reading

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lpad.base.deadline import Deadline
    from lpad.base.errors import CardRefused
    from lpad.engine.journal import StoredNotification
    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run
    from lpad.engine.snapshot.profile_list import Listed

INTERRUPTED = "installFailedDueToInterruption"
"""The only refusal after which the same order is retried: the card lost power, or was reset."""


def left_behind(run: Run, context: Context, *, deadline: Deadline) -> Listed | None:
    """Return the profile that an earlier attempt of this change has installed; None: no attempt has.

    Raises:
        CardRefused: the card's ProfileInstallationResult shows that it will never accept this profile.
        Conflict: the card was swapped.
        CardError: the card cannot be read.
    """
    notes = run.notes_of(DownloadNotes)
    if not notes.iccid:
        return None  # no segment was sent to the card
    run.step("look-what-is-there")
    with context.card.session(deadline=deadline) as euicc:
        check_same_card(run, euicc, deadline=deadline)
        seen = context.observe(euicc, deadline)
    profile = seen.listed.named(notes.iccid)
    if profile is not None and not notes.held_before:
        return profile
    refusal = refusal_of(notes, context.outbox.copies(seen.eid or ""))
    if refusal is not None and refusal.details["reason"] != INTERRUPTED:
        raise refusal
    return None


def refusal_of(notes: DownloadNotes, notifications: Iterable[StoredNotification]) -> CardRefused | None:
    """Return the card's refusal of the attempt that the notes describe; None: no refusal is known."""
    for stored in sorted(notifications, key=lambda each: each.seq, reverse=True):
        if notes.last_number is not None and stored.seq <= notes.last_number:
            break  # the result belongs to an earlier attempt
        if stored.iccid == notes.iccid and stored.event == "install":
            refusal = card_reading.installation_error(stored.raw)
            if refusal is not None:
                return refusal
    return None
