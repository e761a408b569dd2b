"""The line of an installed profile: shown, activated, suspended or retired at its platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.base.deadline import Deadline
from lpad.base.errors import (
    Conflict,
    NotFound,
    PlatformBusy,
    PlatformRefused,
    PlatformUnclear,
    ServerFailed,
    ServerMalformed,
    ServerUnreachable,
)
from lpad.engine.change.change import CALLER
from lpad.engine.change.params import LineParams
from lpad.engine.change.results import LineResult
from lpad.engine.lines.line_search import find_line
from lpad.engine.lines.line_watch import CHANGING, CONVERSATION, DAILY
from lpad.engine.policy.going_offline import check_offline
from lpad.provisioning.platform_interface import Line, LineAction

if TYPE_CHECKING:
    from lpad.engine.provisioning.platforms import NamedPlatform, OpenPlatform
    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run
    from lpad.provisioning.platform_interface import Reservation

_REACHED = {
    LineAction.SHOW: frozenset(Line),
    LineAction.ACTIVATE: frozenset({Line.LIVE}),
    LineAction.SUSPEND: frozenset({Line.IDLE}),
    LineAction.RETIRE: frozenset({Line.ENDED}),
}
"""The states in which an action has nothing left to do."""
_DOUBTFUL = (PlatformUnclear, ServerUnreachable, ServerFailed, ServerMalformed)
"""Errors after which it is unclear whether the platform carried out the request."""


def line(run: Run, context: Context) -> LineResult:
    """Carry out the request in the change's parameters for the line of a profile.

    lpad reads the line's state first, so that a repetition changes nothing twice.

    Raises:
        NotFound: the card lacks the profile, or no platform knows its line.
        Conflict: the platform cannot do this, or the line has ended.
        WouldGoOffline: the device would lose its connection, which the request does not accept.
        PlatformRefused, PlatformBusy, PlatformUnclear, ServerError, Cancelled: see `Platform`.
    """
    return _Asked(run, context).carry_out()


class _Asked:
    def __init__(self, run: Run, context: Context) -> None:
        self._run = run
        self._context = context
        self._params = run.change.params_of(LineParams)

    def carry_out(self) -> LineResult:
        action = self._params.action
        self._context.environment.clock.check()
        iccid = self._iccid()
        self._run.step("look-at-line")
        found = find_line(
            iccid, self._context.platforms, known=self._context.lines.get(iccid), deadline=self._deadline
        )
        if found is None:
            raise NotFound(
                f"no platform in the settings knows the line of profile {iccid}; use the operator's portal"
                " ('lpad platform list' shows what each platform can do)"
            )
        named, seen = found
        self._learn(iccid, seen)
        already = seen.line in _REACHED[action]
        if not already:
            self._check(named, seen, iccid)
            self._run.on_record(f"{action}-line")
            with named.opened() as platform:
                seen = self._changed(platform, seen, iccid)
            self._learn(iccid, seen)
        return LineResult(
            iccid=iccid,
            platform=named.name,
            line=seen.line.value,
            word=seen.line_word,
            imei=seen.imei,
            already=already and action is not LineAction.SHOW,
        )

    def _iccid(self) -> str:
        """Return the profile's ICCID, by which a platform knows its line."""
        listed, port = self._context.snapshot().listed, self._context.card.port
        profile = listed.find(self._params.iccid)
        if profile is None:
            raise listed.missing(self._params.iccid, attempted=f"{self._params.action} the line")
        if profile.iccid is None:
            raise Conflict(
                f"cannot {self._params.action} the line of profile {self._params.iccid}: the card reports no"
                " ICCID, by which a platform finds a line; use the operator's portal"
            )
        if self._run.change.origin == CALLER:
            check_offline(self._params, listed, port.policy, behind_modem=port.device is not None)
        return profile.iccid

    def _check(self, platform: NamedPlatform, seen: Reservation, iccid: str) -> None:
        action = self._params.action
        if action not in platform.can.lines:
            raise Conflict(
                f"cannot {action} the line of profile {iccid}: the description of the platform"
                f" '{platform.name}' has no call for this ('lpad platform list'); use the operator's portal"
            )
        if seen.line is Line.ENDED:
            raise Conflict(
                f"cannot {action} the line of profile {iccid}: the line has ended at the platform"
                f" '{platform.name}', which cannot be undone; use another profile"
            )

    def _changed(self, platform: OpenPlatform, seen: Reservation, iccid: str) -> Reservation:
        """Change the line, and return the platform's report after the change."""
        change = {
            LineAction.ACTIVATE: platform.activate_line,
            LineAction.SUSPEND: platform.suspend,
            LineAction.RETIRE: platform.retire,
        }[self._params.action]
        reached = _REACHED[self._params.action]
        try:
            seen = change(seen, deadline=self._deadline())
        except _DOUBTFUL:
            now = self._after(platform, iccid)
            if now is None or now.line not in {*reached, Line.CHANGING}:
                raise
            return now
        # An answer may lack the state, and the request may have ended the device's own connection.
        taken = seen if seen.line in reached else replace(seen, line=Line.CHANGING, line_word=None)
        return self._after(platform, iccid) or taken

    def _after(self, platform: OpenPlatform, iccid: str) -> Reservation | None:
        """Return the present state of the line; None if the platform does not report one."""
        try:
            return platform.line_of(iccid, deadline=self._deadline())
        except (PlatformBusy, PlatformRefused, *_DOUBTFUL):
            return None

    def _learn(self, iccid: str, seen: Reservation) -> None:
        card = self._context.snapshot()
        due_in = CHANGING.after(1) if seen.line is Line.CHANGING else DAILY.after(1)
        self._context.lines.learned(iccid, seen, euicc=card.name, own_imei=card.imei, due_in=due_in)

    def _deadline(self) -> Deadline:
        return Deadline.after(CONVERSATION, cancellation=self._run.interruption)
