"""A switch that is rolled back unless its guard is met; `guard.py` defines its phases.

The guard and the previous profile are in the journal before the new profile is enabled. So if lpad or the
device stops during the switch, lpad resumes and completes the change once the card has been read. The change
occupies the card's worker until its end, because nothing else may alter the card during a guarded switch.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

from msgspec.structs import replace

from lpad.base.deadline import Deadline
from lpad.base.errors import Cancelled, CardError, CardRefused, Conflict, InvalidValue, LpadError
from lpad.base.guard_condition import Condition, ConditionKind
from lpad.base.untrusted_number import noted_number
from lpad.codec.messages.metadata import PPR1, UNREADABLE_RULES
from lpad.engine.change.change import now
from lpad.engine.change.guard import LONGEST, MOST_CONDITIONS, Guard, Phase, Requirement, Turn
from lpad.engine.change.notes import NotedLimit, SwitchNotes, noting
from lpad.engine.change.params import Params
from lpad.engine.change.results import SwitchResult
from lpad.engine.change.steady_clock import Moment
from lpad.engine.change.time_limit import TimeLimit
from lpad.engine.running.run import Suspended
from lpad.engine.running.same_card_check import check_same_eid
from lpad.engine.snapshot.profile import UnreadableProfile
from lpad.engine.switch.applier_and_hook_steps import NetworkSteps
from lpad.engine.switch.condition_feasibility import check_possible
from lpad.engine.switch.condition_watch import ConditionWatch, UnmetError
from lpad.engine.switch.network_step_reporting import StepsOfRun
from lpad.engine.switch.registration_query import look_at_registration
from lpad.engine.switch.rollback import Reason, Rollback, failed_layer
from lpad.engine.switch.standstill_detection import Standstill
from lpad.engine.switch.verified_switch import Purpose, switch
from lpad.network.connection_layer_names import Layer
from lpad.network.owner_hooks import HookEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpad.engine.change.params import GuardParams
    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run
    from lpad.engine.snapshot.profile_list import Listed, ProfileList
    from lpad.protocol.iccid_answer import IccidReport

log = logging.getLogger(__name__)


_WITHIN = 180.0
"""The time limit in seconds for a guard whose own limit was damaged on the disk."""
_MISTAKE = Reason(kind="internal-error", sentence="the switch failed because of a fault in lpad")
"""The reason for a rollback after a fault in lpad; the device must still get its connection back."""


def check_guard(until: Sequence[str], within: float) -> tuple[str, ...]:
    """Check a requested guard, and return its conditions.

    Raises:
        InvalidValue: no condition, too many, a duplicate or invalid condition, or a time out of range.
    """
    texts = tuple(str(Condition.parse(text)) for text in until)
    if not 0 < len(texts) <= MOST_CONDITIONS or len(set(texts)) < len(texts):
        raise InvalidValue(f"a guard must have 1 to {MOST_CONDITIONS} conditions, each named once")
    if not 1 <= within <= LONGEST:
        raise InvalidValue(f"the time limit of a guard must be 1 to {LONGEST:.0f} seconds")
    return texts


def conditions_of(asked: GuardParams | None) -> tuple[Condition, ...]:
    """Return the requested conditions; empty without a guard."""
    return () if asked is None else tuple(map(Condition.parse, asked.until))


def guarded_switch(
    run: Run, context: Context, asked: GuardParams, *, iccid: str, by_default: bool = False
) -> SwitchResult:
    """Enable a profile, wait for its guard, and roll back if the guard is not met; or resume after a restart.

    Args:
        by_default: whether this is the default guard, which ends as soon as the SIM requires a PIN.

    Raises:
        NetworkFailed, NotFound, Conflict, CardError: nothing was switched.
        SwitchRolledBack: the guard was not met; the device has its previous profile again (or none, if none
            was enabled), or a profile of the fallback order.
        SwitchStuck: none of the profiles could be enabled.
        Cancelled: the change was cancelled, and the switch rolled back.
        Suspended: the card was lost, or lpad is stopping; the change is resumed later.
    """
    return _GuardedSwitch(run, context, asked, iccid, by_default=by_default).run()


def return_from_unreadable(run: Run, context: Context) -> None:
    """Roll back to the previous profile if this version of lpad cannot read the switch's parameters.

    Raises: SwitchRolledBack, SwitchStuck, Suspended: as in `guarded_switch`.
    """
    guard = run.change.guard
    if guard is None or isinstance(run.change.params, Params):
        return
    notes = run.notes_of(SwitchNotes)
    reason = Reason(kind="not-evaluated", sentence="this version of lpad cannot read the switch's parameters")
    iccid = notes.iccid or notes.aid or ""
    network = NetworkSteps(StepsOfRun(run), context, iccid)
    raise Rollback(run, context, guard, reason, iccid=iccid, network=network).run()


class _GuardedSwitch:
    def __init__(
        self, run: Run, context: Context, asked: GuardParams, iccid: str, *, by_default: bool
    ) -> None:
        self._by_default = by_default
        self._run = run
        self._context = context
        self._asked = asked
        self._iccid = iccid
        self._within = noted_number(asked.within, default=_WITHIN, most=LONGEST)
        self._standstill = Standstill()
        self._network = NetworkSteps(StepsOfRun(run), context, iccid)

    def run(self) -> SwitchResult:
        with self._standstill:
            return self._begin()

    def _begin(self) -> SwitchResult:
        guard = self._run.change.guard
        if guard is None:
            # After a restart, conditions are not checked: another version of lpad may have accepted them.
            self._conditions = conditions_of(self._asked)
            check_possible(
                self._context, self._conditions, deadline=Deadline.after(self._context.timeouts.switch)
            )
            profile = self._context.snapshot().listed.named(self._iccid)
            self._network.until = Deadline.after(self._within)
            if profile is None or not profile.enabled:
                self._network.prepare()
            return self._switch(
                Purpose(before=self._intend),
                seconds=min(self._within, self._network.until.remaining() or 1.0),
            )
        return self._take_up(guard)

    def _intend(self, profiles: ProfileList, wanted: Listed, reads: IccidReport | None) -> None:
        """Store the guard and the previous profile, before the switch is sent.

        Raises:
            Conflict: a rollback would be impossible, or the previous profile is unknown.
        """
        enabled = profiles.enabled
        if profiles.contested:
            # Profiles can be enabled on several ports of a card (MEP), and a card may report an old state.
            enabled = profiles.enabled_for(reads)
            if enabled is None or enabled is wanted:
                raise Conflict(
                    f"cannot guard the switch to profile {self._iccid}: the card reports several profiles as"
                    " enabled, and the modem does not report which of them it uses, so lpad does not know to"
                    " which one it would roll back. Switch without a guard"
                )
        previous = None if enabled is None else profiles.address(enabled)
        if previous is None and (enabled is not None or not profiles.complete):
            raise Conflict(
                f"cannot guard the switch to profile {self._iccid}: the card's list of profiles cannot be"
                " read in full, so lpad does not know which profile is enabled now and could not return to"
                " it; 'lpactl profiles' shows the readable part. Switch without a guard"
            )
        if isinstance(wanted, UnreadableProfile) and not wanted.whole:
            raise Conflict(
                f"cannot guard the switch to profile {self._iccid}: its entry in the card's list is broken,"
                " so lpad does not know whether its operator forbids disabling it; enable it without a guard"
            )
        if PPR1 in wanted.policy_rules:
            raise Conflict(
                f"cannot guard the switch to profile {self._iccid}: its operator forbids disabling it "
                f"(ppr1), so a rollback would be impossible; enable it without a guard"
            )
        if UNREADABLE_RULES in wanted.policy_rules:
            raise Conflict(
                f"cannot guard the switch to profile {self._iccid}: lpad cannot read its policy rules, and"
                " its operator may forbid disabling it; enable it without a guard"
            )
        self._note(
            self._begun(previous=previous),
            TimeLimit.starting(self._within, at=Moment.now()),
            wanted=wanted,
            enabled=enabled,
        )

    def _note(self, guard: Guard, limit: TimeLimit, *, wanted: Listed, enabled: Listed | None) -> None:
        self._run.check()
        with self._standstill.writing():
            notes = noting(
                SwitchNotes,
                limit=limit.noted(),
                aid=wanted.isdp_aid,
                previous_aid=enabled.isdp_aid if enabled is not None else None,
            )
            self._run.guarded(guard, notes)

    def _take_up(self, guard: Guard) -> SwitchResult:
        """Continue an interrupted switch for the remaining time of its guard."""
        check_same_eid(self._run, self._context.snapshot().eid)
        notes = self._run.notes_of(SwitchNotes)
        if guard.phase is Phase.GOING_BACK:
            self._go_back(guard, Reason(kind=str(notes.reason), sentence=str(notes.why)))
        moment = Moment.now()
        before = TimeLimit.read(notes.limit or NotedLimit())
        limit = before.carried_on(moment)
        left = limit.left(moment)
        self._standstill.restarted()
        guard = replace(guard, until=now() + timedelta(seconds=left))
        self._run.guarded(guard, noting(SwitchNotes, limit=limit.noted()), needed=False)
        listed = self._context.snapshot().listed
        profile = listed.named(self._iccid) or listed.named(notes.aid)
        if profile is None or not profile.enabled:
            self._go_back(
                guard,
                Reason(kind="cut-off", sentence=("lpad or the device restarted before the switch was done")),
            )
        if not left and self._is_lost(guard):
            self._go_back(
                guard, Reason(kind="time-limit", sentence=("the time limit had passed after a restart"))
            )
        if guard.phase is Phase.SWITCHING:
            return self._switch(Purpose(step="enable-profile-again"), seconds=left)
        self._network.apply()  # applies the profile's own settings, whatever was tried before
        return self._watch(guard, seconds=left, started_anew=before.began.boot_id != moment.boot_id)

    def _is_lost(self, guard: Guard) -> bool:
        """Return whether a last check is useless: it was made already, or a confirmation is missing."""
        missing = any(each.condition == ConditionKind.CONFIRM for each in guard.unmet)
        notes = self._run.notes_of(SwitchNotes)
        return notes.looked_again or (missing and not notes.confirmed)

    def _switch(self, purpose: Purpose, *, seconds: float) -> SwitchResult:
        """Make card and modem use the new profile, then watch the guard in the remaining time."""
        deadline = Deadline.after(seconds)
        self._began = time.monotonic()
        try:
            done = switch(self._run, self._context, iccid=self._iccid, enabled=True, purpose=purpose)
        except LpadError as error:
            self._not_switched(error)
        except Exception:
            guard = self._run.change.guard
            if guard is None:
                raise  # nothing was sent to the card
            log.exception("change %d: internal-error", self._run.change.id)
            self._go_back(guard, _MISTAKE)
        guard = self._run.change.guard
        if guard is None:  # the profile was already enabled
            self._network.renew()
            if self._by_default:
                self._network.end()
                return done
            return self._watch_enabled(deadline)
        self._network.apply()
        # If the time has passed, the modem has had no time to find its network.
        return self._watch(guard.after(Turn.READ), seconds=deadline.remaining(), started_anew=deadline.passed)

    def _watch_enabled(self, deadline: Deadline) -> SwitchResult:
        """Evaluate the requested guard of an already enabled profile, which stays enabled in any case."""
        listed = self._context.snapshot().listed
        profile = listed.named(self._iccid)
        if profile is None:
            raise Conflict(f"cannot check the guard of profile {self._iccid}: it is no longer on the card")
        # Without a switch, this profile is also the previous one.
        guard = self._begun(previous=listed.address(profile) or self._iccid)
        limit = TimeLimit.starting(self._within, at=Moment.now())
        self._note(guard, limit, wanted=profile, enabled=profile)
        return self._watch(guard.after(Turn.READ), seconds=deadline.remaining(), started_anew=deadline.passed)

    def _begun(self, *, previous: str | None) -> Guard:
        return Guard(
            requirements=tuple(Requirement(condition=str(each)) for each in self._conditions),
            until=now() + timedelta(seconds=self._within),
            previous=previous,
        )

    def _was_enabled(self, guard: Guard) -> bool:
        """Return whether the profile was enabled before, so that nothing was switched."""
        listed = self._context.snapshot().listed
        return guard.previous is not None and (
            guard.previous == self._iccid or listed.means(guard.previous, listed.named(self._iccid))
        )

    def _not_switched(self, error: LpadError) -> NoReturn:
        guard = self._run.change.guard
        if guard is None:
            raise error  # nothing was sent to the card
        if isinstance(error, Cancelled):
            if self._run.stopped:
                raise Suspended("lpad is stopping during a guarded switch") from None
            self._go_back(guard, Reason(kind="taken-back", sentence="the switch was cancelled"))
        if isinstance(error, CardError) and not isinstance(error, CardRefused):
            # Deadlines have passed during a standstill, so the card must be read again.
            if self._standstill.last > self._began:
                raise Suspended("lpad was suspended during a guarded switch", cause=error) from error
            sentence = f"the modem did not start to use the new profile: {error.sentence}"
            layer = str(error.details.get("layer") or Layer.CARD)
            self._go_back(guard, Reason(kind="not-enabled", sentence=sentence, layer=layer))
        if isinstance(error, CardRefused):
            self._run.show_guard(guard.after(Turn.UNMET).after(Turn.RETURNED))
        raise error

    def _watch(self, guard: Guard, *, seconds: float, started_anew: bool) -> SwitchResult:
        deadline = Deadline.after(seconds)
        self._run.follow("watch")
        with self._standstill.writing():
            self._run.guarded(guard, needed=False)
        condition_watch = ConditionWatch(
            self._run,
            self._context,
            guard,
            deadline=deadline,
            standstill=self._standstill,
            network=self._network,
            ends_on_lock=self._by_default,
            started_anew=started_anew,
        )
        try:
            condition_watch.run()
            kept = condition_watch.guard.after(Turn.MET)
        except UnmetError as unmet:
            self._go_back(
                condition_watch.guard,
                Reason(
                    kind=unmet.reason,
                    sentence=str(unmet),
                    layer=failed_layer(condition_watch.guard),
                    cause=None if condition_watch.cause is None else str(condition_watch.cause),
                ),
            )
        except Suspended:
            raise
        except Exception:
            log.exception("change %d: internal-error", self._run.change.id)
            self._go_back(condition_watch.guard, _MISTAKE)
        self._run.show_guard(kept)
        if self._network.connection is None:
            self._network.look()  # the result shows the connection
        already = self._was_enabled(guard)
        self._network.end(None if already else HookEvent.CONFIRMED)
        return SwitchResult(
            iccid=self._iccid,
            already=already,
            guard="met",
            previous=guard.previous,
            registration=self._registration(kept),
            network=self._network.told(),
        )

    def _registration(self, guard: Guard) -> str | None:
        """Return the registration that the guard or applier has seen, or else the modem's; None: unknown."""
        seen = (each.seen for each in guard.requirements if each.condition == ConditionKind.REGISTERED)
        return next(seen, None) or look_at_registration(self._context, self._network.connection)

    def _go_back(self, guard: Guard, reason: Reason) -> NoReturn:
        rollback = Rollback(self._run, self._context, guard, reason, iccid=self._iccid, network=self._network)
        raise rollback.stayed() if self._was_enabled(guard) else rollback.run()
