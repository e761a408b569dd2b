"""Repeated requests to a card that has done nothing: it was busy, or refused one form of the request.

EastcomPeace cards refuse to enable a profile by ICCID with a REFRESH, but accept a request without a REFRESH,
or by AID (lpac#13, SimAdmin#31, SimAdmin#33). lpad does not repeat a request after a final refusal, such as a
refusal by a policy rule.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from lpad.base.errors import CardBusy, CardError, CardRefused, CardStatus, CardUnreachable
from lpad.base.frozen import Frozen
from lpad.base.identifiers import Aid, Iccid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lpad.base.deadline import Deadline
    from lpad.card.modem_refresh import Refresh
    from lpad.engine.running.run import Run
    from lpad.engine.snapshot.profile_list import Listed, ProfileList

_T = TypeVar("_T")

BUSY = 30.0
"""Seconds for which a card may answer catBusy, both before and after a restart of its modem."""
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 5.0

_NOTHING_DONE = ("undefinedError", "iccidOrAidNotFound")
_NOT_UNDERSTOOD = ("6A80", "6A86", "6A88")
"""Status words with which cards refuse a form of request: wrong data, wrong parameters, no such data."""


class Way(Frozen):
    """One form of request for a switch."""

    target: Iccid | Aid
    refresh: bool

    def step(self, verb: str) -> str:
        """Return the step's name."""
        by = "aid" if isinstance(self.target, Aid) else "iccid"
        return f"{verb}-profile-by-{by}-{'with' if self.refresh else 'without'}-refresh"


def ways(profiles: ProfileList, profile: Listed, *, refresh: bool) -> Iterator[Way]:
    """Yield the forms of a request in order: by ICCID, then by AID.

    For each name, the wanted value of the REFRESH flag comes first, then the other value.

    An ambiguous name is not used, and an uncertain ICCID comes last.

    Args:
        profile: a profile of the list, or an unreadable entry.
        refresh: whether the card should ask the modem for a REFRESH, if the card allows a choice.
    """
    targets: list[Iccid | Aid] = []
    unlisted = not profiles.holds(profile)
    if profile.iccid is not None and (unlisted or profiles.named(profile.iccid) is profile):
        targets.append(Iccid.parse(profile.iccid))
    if profile.isdp_aid is not None and (unlisted or profiles.named(profile.isdp_aid) is profile):
        targets.append(Aid.parse(profile.isdp_aid))
    for target in targets if profile.sure else reversed(targets):
        yield Way(target, refresh)
        yield Way(target, not refresh)


def did_nothing(error: CardError) -> bool:
    """Return whether an error means that the card has done nothing and may accept the request's next form."""
    if isinstance(error, CardRefused):
        return error.details.get("reason") in _NOTHING_DONE
    return isinstance(error, CardStatus) and error.details.get("sw") in _NOT_UNDERSTOOD


def when_not_busy(act: Callable[[], _T], *, run: Run, refresh: Refresh, deadline: Deadline) -> _T:
    """Call a function that opens an ISD-R session, and repeat the call while the card answers catBusy.

    The answer catBusy means that a proactive session between card and modem is in progress. Such a session
    usually ends soon; otherwise a restart of the modem ends it (reported by openpilot).

    Raises:
        CardRefused: the card is still busy, or refuses for another reason.
        CardError: raised by `act`.
    """
    until = deadline.within(BUSY)
    pause = _FIRST_PAUSE
    restarted = False
    while True:
        try:
            return act()
        except CardRefused as error:
            if error.details.get("reason") != "catBusy":
                raise
            run.nothing_done()
            if until.remaining() <= pause:
                if restarted or not refresh.restart_modem():
                    raise
                restarted, until, pause = True, until.after(BUSY), _FIRST_PAUSE
        except (CardUnreachable, CardBusy):
            if not restarted or until.remaining() <= pause:  # otherwise the modem is still starting
                raise
        run.step("card-busy")
        threading.Event().wait(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
