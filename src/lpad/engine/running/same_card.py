"""A change is made for the card that its caller saw: before anything irreversible its EID is compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.engine.change.change import EID
from lpad.lpa.swapped_card import swapped

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.engine.running.run import Run
    from lpad.lpa.euicc import Euicc


def check_same_card(run: Run, euicc: Euicc, *, deadline: Deadline) -> None:
    """See that this is the card that the change was made for.

    Raises:
        Conflict: it is another; nothing was done.
        CardError: the card can't be asked.
    """
    meant = run.secret(EID)
    if meant is not None and str(euicc.get_eid(deadline=deadline)) != meant:
        raise swapped(run.change.kind.replace("-", " "))


def check_same_eid(run: Run, eid: str | None) -> None:
    """See that a card that was just read is the one that the change was made for.

    Raises:
        Conflict: it is another; nothing was done.
    """
    meant = run.secret(EID)
    if meant is not None and eid != meant:
        raise swapped(run.change.kind.replace("-", " "))
