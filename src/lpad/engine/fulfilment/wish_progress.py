"""A card's open wish in one turn of a change: the wish's record, stored before each step, and its events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.base.deadline import Deadline
from lpad.engine.change.change import CALLER, EID
from lpad.engine.change.notes import ProvisionNotes
from lpad.engine.change.params import ProvisionParams
from lpad.engine.provisioning.wish_record import WishRecord
from lpad.provisioning.platform_interface import Wish

if TYPE_CHECKING:
    from lpad.engine.change.change import Json
    from lpad.engine.provisioning.platforms import NamedPlatform
    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run
    from lpad.provisioning.platform_interface import Reservation

CONVERSATION = 120.0
"""Seconds for one call to the platform."""


class OpenWish:
    """The wish that a change works on: the card's open wish, or a new one."""

    def __init__(self, run: Run, context: Context) -> None:
        self.run = run
        self.context = context
        self.eid = run.secret(EID) or context.snapshot().eid or ""
        known = context.wishes.get(self.eid)
        resumed = known is not None and (
            known.paid or bool(known.unfinished_step) or known.change == run.change.id
        )
        self.record = known if known is not None and resumed else _new_wish(run)
        """The progress; the journal contains it after the first `keep`."""
        self.is_hint = resumed and self.record.change != run.change.id and run.change.origin == CALLER
        """Whether a caller's new request continues a wish that lpad already had."""

    def keep(self, **changes: object) -> None:
        """Store the progress of the wish before the next action.

        Raises:
            JournalUnavailable: the journal cannot be written, so the action must not be taken.
        """
        self.record = replace(self.record, **changes)
        self.context.wishes.put(self.eid, self.record)

    def close(self, phase: str | None = None) -> None:
        """Delete a fulfilled or abandoned wish, and report the last phase."""
        self.context.wishes.close(self.eid)
        if phase is not None:
            self.tell(phase)

    def tell(self, phase: str, *, reservation: Reservation | None = None, **more: Json) -> None:
        """Publish the event of a phase."""
        data: dict[str, Json] = {"phase": phase, "platform": self.record.platform, **more}
        if reservation is not None:
            data |= {"profile": reservation.profile.value, "line": reservation.line.value}
        self.run.tell("provisioning", **data)

    @property
    def platform(self) -> NamedPlatform | None:
        """The wish's platform; None: the settings no longer list it."""
        return self.context.platforms.get(self.record.platform)

    @property
    def reservation(self) -> Reservation:
        """The known reservation; may be used only if the wish has a reservation."""
        assert self.record.reservation is not None, "the caller has checked this"
        return self.record.reservation.reservation(self.record.platform)

    @property
    def notes(self) -> ProvisionNotes:
        """The change's notes, with the answers to its questions."""
        return self.run.notes_of(ProvisionNotes)

    def request(self) -> Wish:
        """Return the request to the platform."""
        imei = self.context.card.imei()
        return Wish(
            reference=self.record.reference(self.eid),
            eid=self.eid,
            product=self.record.product,
            options=self.record.options,
            imei=None if imei is None else str(imei),
        )

    def deadline(self) -> Deadline:
        """Return the time limit of one call, which also ends when the change is cancelled or overtaken."""
        return Deadline.after(CONVERSATION, cancellation=self.run.interruption)

    def steady(self) -> float:
        """Return the present moment on the steady clock."""
        return self.run.now().steady


def _new_wish(run: Run) -> WishRecord:
    asked = run.change.params_of(ProvisionParams)
    return WishRecord(platform=asked.platform, product=asked.product, options=asked.options)
