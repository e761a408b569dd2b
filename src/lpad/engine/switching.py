"""Changing which profile is enabled, and making sure afterwards that the card did what it said."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from lpad.deadline import Deadline
from lpad.engine import reading
from lpad.errors import CardError, CardRefused, CardUnreachable, NotFound
from lpad.identifiers import Iccid

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.change import Json
    from lpad.engine.job import Job
    from lpad.engine.means import Means
    from lpad.engine.snapshot import Profile

RESTART = 45.0
"""Seconds that a modem and its card may take for the REFRESH that follows a switch."""

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 4.0


def switch(job: Job, means: Means, *, iccid: str, enabled: bool) -> dict[str, Json]:
    """Enable or disable a profile and see that the card reports it so.

    Raises:
        NotFound: the card holds no such profile.
        CardRefused: the card says no, or reports the old state when its time to restart is over.
        CardError: the card did not come back.
    """
    verb = "enable" if enabled else "disable"
    deadline = Deadline.after(means.patience.switch)
    job.step("read-profiles")
    with means.card.session(deadline=deadline) as euicc:
        profile = reading.find(reading.read_profiles(euicc, deadline=deadline), iccid)
        if profile is None:
            raise NotFound(f"can't {verb}: the card holds no profile {iccid}; 'lpactl profiles' lists them")
        if profile.enabled is enabled:
            means.observe(euicc, deadline)
            return {"iccid": iccid, "already": True}
        job.irreversible(f"{verb}-profile", iccid=iccid)
        act = euicc.enable_profile if enabled else euicc.disable_profile
        lost = attempt(lambda: act(Iccid.parse(iccid), refresh=means.card.port.refresh, deadline=deadline))

    def holds(seen: tuple[Profile, ...]) -> bool:
        found = reading.find(seen, iccid)
        return found is not None and found.enabled is enabled

    verify(job, means, holds, lost=lost, wanted=f"profile {iccid} is {verb}d", deadline=deadline)
    return {"iccid": iccid, "already": False}


def attempt(act: Callable[[], object]) -> CardError | None:
    """Do something irreversible; an answer that never came, or that says nothing clear, is returned.

    A card that its modem resets before its answer is fetched answers the fetching with 6F00: then the
    card's state tells what came of it, and no status word does.

    Raises:
        CardRefused: the card said no.
    """
    try:
        act()
    except CardRefused:
        raise
    except CardError as error:
        return error
    return None


def verify(
    job: Job,
    means: Means,
    holds: Callable[[tuple[Profile, ...]], bool],
    *,
    lost: CardError | None,
    wanted: str,
    deadline: Deadline,
) -> None:
    """Read the card until what was wanted holds, and publish what was read.

    After a REFRESH the modem resets the card: for some seconds channels are refused, and some cards
    still report the old state until the modem has carried out the REFRESH.

    Raises:
        CardError: it doesn't hold when the time is over, or the card did not come back.
    """
    job.follow("verify")
    if isinstance(lost, CardUnreachable):
        means.card.drop()
    restart = deadline.within(RESTART)
    pause = FIRST_PAUSE
    while True:
        error: CardError | None = None
        try:
            within = restart.within(means.patience.read)
            with means.card.session(deadline=within) as euicc:
                if holds(reading.read_profiles(euicc, deadline=within)):
                    means.observe(euicc, within)
                    means.outbox.wake()
                    return
        except CardError as met:
            # Busy, no channel, or profileChangeOngoing of SGP.22 v3: the REFRESH is still to come.
            error = met
        if restart.remaining() <= pause:
            break
        # Nothing announces that a card is back, so it is asked, less and less often.
        threading.Event().wait(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
    if lost is not None:
        raise lost
    if error is not None:
        raise error
    raise CardError(
        f"the card said yes, but doesn't report that {wanted}; read it again with 'lpactl info --refresh',"
        " and restart the modem if it still doesn't",
        retryable=True,
    )
