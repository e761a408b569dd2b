"""A change applies only to the card that its caller saw: lpad checks the EID before any irreversible step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.engine.change.change import EID
from lpad.lpa.swapped_card import swapped

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.engine.running.run import Run
    from lpad.lpa.euicc import Euicc


def check_same_card(run: Run, euicc: Euicc, *, deadline: Deadline) -> None:
    """Check that an open session is with the card for which the change was requested.

    Raises:
        Conflict: the session is with another card; nothing was done.
        CardError: the card's EID cannot be read.
    """
    meant = run.secret(EID)
    if meant is not None and str(euicc.get_eid(deadline=deadline)) != meant:
        raise swapped(run.change.kind.replace("-", " "))


def check_same_eid(run: Run, eid: str | None) -> None:
    """Check that the change was requested for the card that was just read.

    Raises:
        Conflict: another card was read; nothing was done.
    """
    meant = run.secret(EID)
    if meant is not None and eid != meant:
        raise swapped(run.change.kind.replace("-", " "))
