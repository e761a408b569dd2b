"""Failover: if a profile fails its health rule for too long, lpad switches to the next one under a guard.

    unwatched ──▶ well ◀──▶ ailing ──▶ switching ──▶ resting ──▶ unwatched

Without a policy there is no thread and no wake-up.
"""

from __future__ import annotations

import enum
import logging
import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from lpad.base.cancellation import Cancellation
from lpad.base.deadline import Deadline
from lpad.base.errors import Cancelled, InternalError, LpadError
from lpad.base.frozen import Frozen
from lpad.base.guard_condition import ConditionKind
from lpad.base.liveness import resting
from lpad.engine.change.change import FAILOVER, Kind, State, now
from lpad.engine.change.event_subscriptions import PROGRESS
from lpad.engine.change.overtaking_by_switch import SWITCHING, switches
from lpad.engine.change.params import GuardParams, ProfileParams
from lpad.engine.running.condition_check import LAYERS, Look, Source, ask_network, look
from lpad.engine.snapshot.snapshot import CardState
from lpad.engine.unattended.failover_exhaustion_check import is_exhausted
from lpad.network.applier_interface import State as LayerState
from lpad.network.connection_layer_names import Layer

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.guard_condition import Condition
    from lpad.engine.change.change import Change, Json
    from lpad.engine.change.event_subscriptions import Hub
    from lpad.engine.policy.health_rules import FailoverPolicy, HealthRule
    from lpad.engine.running.card.idle_registration_query import RegistrationQuery
    from lpad.engine.running.card.last_seen_layers import LayerStates
    from lpad.engine.snapshot.profile_list import ProfileList
    from lpad.engine.snapshot.snapshot import Snapshot
    from lpad.engine.unattended.failover_provisioning import OnFailover

log = logging.getLogger(__name__)

BLIND = 60.0
"""The minimum number of seconds for which a download may prevent checks before it makes way for a check."""
_LOOK = 20.0
"""Seconds to check one condition."""


class Standing(enum.StrEnum):
    """The states of failover."""

    UNWATCHED = "unwatched"  # the profile has no rule, or was not checked yet
    WELL = "well"
    AILING = "ailing"
    SWITCHING = "switching"  # the next profile is on trial
    RESTING = "resting"  # a switch was tried; failover does nothing until the cool-down ends


class Sign(enum.StrEnum):
    """The events that lead from one state to the next."""

    NO_RULE = "no-rule"
    GOOD = "good"
    BAD = "bad"
    LASTED = "lasted"
    TRIED = "tried"
    RESTED = "rested"


TRANSITIONS: dict[tuple[Standing, Sign], Standing] = {
    (Standing.UNWATCHED, Sign.NO_RULE): Standing.UNWATCHED,
    (Standing.UNWATCHED, Sign.GOOD): Standing.WELL,
    (Standing.UNWATCHED, Sign.BAD): Standing.AILING,
    (Standing.WELL, Sign.NO_RULE): Standing.UNWATCHED,
    (Standing.WELL, Sign.GOOD): Standing.WELL,
    (Standing.WELL, Sign.BAD): Standing.AILING,
    (Standing.AILING, Sign.NO_RULE): Standing.UNWATCHED,
    (Standing.AILING, Sign.GOOD): Standing.WELL,
    (Standing.AILING, Sign.BAD): Standing.AILING,
    (Standing.AILING, Sign.LASTED): Standing.SWITCHING,
    (Standing.SWITCHING, Sign.TRIED): Standing.RESTING,
    (Standing.RESTING, Sign.RESTED): Standing.UNWATCHED,
}


class FailoverStatus(Frozen, kw_only=True):
    """The status for the API; the profile became unhealthy at `since`, and failover acts next at `until`."""

    standing: Standing = Standing.UNWATCHED
    profile: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    seen: str | None = None


class Failover:
    """The failover of one card, in its own thread.

    The thread checks the profile, and requests a switch like any caller.
    """

    def __init__(
        self,
        euicc: str,
        policy: FailoverPolicy,
        *,
        hub: Hub,
        snapshot: Callable[[], Snapshot],
        changes: Callable[[], list[Change]],
        since_end: Callable[[Change], float],
        registration_query: RegistrationQuery,
        cause: Callable[[str | None], str],
        switch: Callable[[str, GuardParams], Change],
        layers: LayerStates,
        provisioning: OnFailover | None = None,
    ) -> None:
        """Create the failover; nothing is checked before `start`."""
        self._euicc = euicc
        self._policy = policy
        self._hub = hub
        self._snapshot = snapshot
        self._changes = changes
        self._since_end = since_end
        self._registration_query = registration_query
        self._cause = cause
        self._switch = switch
        self._layers = layers
        self._provisioning = provisioning
        self._healthy_at = 0
        self._eyes = {
            Source.MODEM: self._ask_modem,
            Source.CONNECTION: self._ask_connection,
            Source.NETWORK: ask_network,
        }
        self._news = threading.Event()
        self._stopping = False
        self._stop = Cancellation()
        self._ailing_until: Deadline | None = None
        self._blind_until: Deadline | None = None
        self.status = FailoverStatus()
        """The present status of failover."""
        self._thread = threading.Thread(target=self._run, name=f"failover-{euicc}", daemon=True)

    def start(self) -> None:
        """Begin to check the health of the enabled profile."""
        self._subscription = self._hub.subscribe(self._news.set, ignored=PROGRESS)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the failover's thread runs."""
        return self._thread.is_alive()

    def looks_at(self, registration_query: RegistrationQuery) -> bool:
        """Return whether failover uses this query; a card that was removed and re-added has a new query."""
        return self._registration_query is registration_query

    def stop(self) -> None:
        """Have failover end soon; a switch that it has begun continues."""
        self._stopping = True
        self._stop.cancel("lpad was stopped")
        self._news.set()

    def join(self, *, deadline: Deadline) -> None:
        """Wait until failover has ended, at most until the deadline; only the modem can delay the end."""
        if self._thread.is_alive():
            self._thread.join(deadline.remaining())

    def _run(self) -> None:
        act = self._take_up
        while not self._stopping:
            try:
                act()
            except Cancelled:
                break  # during a check
            except Exception as error:
                # Nothing may end this thread, which may be the device's only way to recover.
                if isinstance(error, LpadError) and not isinstance(error, InternalError):
                    log.warning("%s: failover: %s (%s)", self._euicc, error, error.kind)
                else:
                    log.exception("%s: failover: internal-error", self._euicc)
                self._goes(Standing.UNWATCHED)
                self._pause(self._policy.cooldown, early=False)
            act = self._step
        self._subscription.close()

    def _take_up(self) -> None:
        """Continue after a restart of lpad: with a running switch, or in the cool-down after it."""
        last = self._latest()
        if last is None:
            return
        if not last.state.ended:
            self._goes(Standing.SWITCHING, profile=_asked(last))
            self._await_end(last)
            self._rest()
            return
        gone = self._since_end(last)
        if gone < self._policy.cooldown:
            left = self._policy.cooldown - gone
            self._goes(Standing.RESTING, until=now() + timedelta(seconds=left))
            self._pause(left, early=False)
            self._sign(Sign.RESTED)

    def _step(self) -> None:
        """Check once, act if necessary, and wait until the next check."""
        card = self._snapshot()
        rule = self._policy.rule(card.listed)
        enabled = rule.iccid if rule is not None else card.listed.enabled_address
        if rule is None or card.state is not CardState.READY:
            self._sign(Sign.NO_RULE, profile=enabled)
            self._ailing_until = None
            self._pause(None)
            return
        if enabled != self.status.profile:
            self._ailing_until = None
        seen = self._seen(rule)
        if seen and card.listed.enabled is not None and (cause := self._cause(card.listed.enabled.iccid)):
            seen = f"{seen}; {cause}"
        if seen == "":
            self._ailing_until = None
            self._recovered()
            self._sign(Sign.GOOD, profile=enabled)
        elif seen is not None and self._lasts(rule, seen):
            self._fail_over(rule, card)
            return
        self._pause(rule.interval)

    def _seen(self, rule: HealthRule) -> str | None:
        """Return the profile's fault as `_look` does; None: the fault is unknown, or a switch is running."""
        if self._others_at_work():
            return None
        seen = self._look(rule)
        if seen is not None:
            self._blind_until = None
        elif self._blind_until is None:
            self._blind_until = Deadline.after(max(rule.lasting, BLIND))
        return seen

    @property
    def _urgent(self) -> bool:
        """Whether checks were prevented for so long that a download must make way for a check."""
        return self._blind_until is not None and self._blind_until.passed

    def _look(self, rule: HealthRule) -> str | None:
        """Return the profile's fault in words; empty: no fault; None: unknown.

        An unknown condition does not hide the fault of another condition, and never counts as healthy.
        """
        told = True
        path_checked = False
        for condition in rule.conditions:
            found = look(condition, self._eyes, deadline=Deadline.after(_LOOK, cancellation=self._stop))
            path_checked = path_checked or LAYERS.get(condition.kind) is Layer.PATH
            if found.met is False:
                if LAYERS.get(condition.kind) is Layer.PATH:
                    self._saw_path(up=False, told=found.seen)
                return f"{condition}: {found.seen}"
            told = told and found.met is True
        if path_checked and told:
            self._saw_path(up=True)
        return "" if told else None

    def _saw_path(self, *, up: bool, told: str = "") -> None:
        """Report the state of the path; other code queries and reports the other layers."""
        enabled = self._snapshot().listed.enabled
        if enabled is not None:
            self._layers.saw(Layer.PATH, up=up, iccid=enabled.iccid, told=told)

    def _ask_modem(self, _condition: Condition, deadline: Deadline) -> Look:
        status = self._registration_query.ask(deadline=deadline, urgent=self._urgent)
        return Look(
            met=any(each.registered for each in status) if status else None,
            seen=", ".join(map(str, status or ())) or "lpad cannot query the modem",
        )

    def _ask_connection(self, condition: Condition, deadline: Deadline) -> Look:
        """Query the applier for the state of the connection; an unknown state is not a fault."""
        connection = self._registration_query.connection(deadline=deadline, urgent=self._urgent)
        if connection is None:
            return Look(met=None, seen="lpad cannot query the connection now")
        sight = connection.bearer if condition.kind is ConditionKind.BEARER else connection.address
        met = {LayerState.UP: True, LayerState.DOWN: False}.get(sight.state)
        return Look(met=met, seen=sight.told or f"whether there is a {condition.kind} is unknown")

    def _lasts(self, rule: HealthRule, seen: str) -> bool:
        """Record a fault, and return whether it has lasted long enough for a switch."""
        if self._ailing_until is None:
            self._ailing_until = Deadline.after(rule.lasting)
            self._sign(
                Sign.BAD,
                profile=rule.iccid,
                since=now(),
                until=now() + timedelta(seconds=rule.lasting),
                seen=seen,
            )
        else:
            same = self.status
            self._sign(Sign.BAD, profile=rule.iccid, since=same.since, until=same.until, seen=seen)
        return self._ailing_until.passed

    def _fail_over(self, rule: HealthRule, card: Snapshot) -> None:
        """Request a switch to the next profile, if any; then make no check until the cool-down is over."""
        self._ailing_until = None
        wanted = self._policy.following(
            self._tried_last(rule.iccid, card.listed), listed=card.listed, enabled=rule.iccid
        )
        seen = self.status.seen
        if wanted is None:
            log.warning("%s: failover: the card contains no other profile of the order", self._euicc)
        self._sign(Sign.LASTED, profile=wanted.iccid if wanted else rule.iccid, seen=seen)
        if wanted is not None:
            log.warning(
                "%s: failover from profile %s to profile %s: %s", self._euicc, rule.iccid, wanted.iccid, seen
            )
            until = tuple(map(str, wanted.conditions))
            self._await_end(self._switch(wanted.iccid, GuardParams(until=until, within=self._policy.within)))
        self._ask_platform(rule)
        self._rest()

    def _ask_platform(self, rule: HealthRule) -> None:
        """Ask a platform for another profile if every profile has failed, and the settings allow it."""
        listed = self._snapshot().listed
        if self._provisioning is None or self._stopping or not listed.means(rule.iccid, listed.enabled):
            return
        if is_exhausted(
            self._policy,
            self._changes(),
            listed,
            enabled=rule.iccid,
            healthy_at=self._healthy_at,
            since_end=self._since_end,
        ):
            log.warning(
                "%s: failover: every profile has failed; asking a platform for another one", self._euicc
            )
            self._provisioning.begin(
                GuardParams(until=tuple(map(str, rule.conditions)), within=self._policy.within)
            )

    def _recovered(self) -> None:
        """Record that a profile is healthy, and withdraw the request for another unless an order was made."""
        last = self._latest()
        self._healthy_at = last.id if last is not None else 0
        if self._provisioning is not None and self.status.standing is not Standing.WELL:
            self._provisioning.withdraw()

    def _rest(self) -> None:
        """Make no check until the cool-down is over."""
        self._sign(Sign.TRIED, until=now() + timedelta(seconds=self._policy.cooldown))
        self._pause(self._policy.cooldown, early=False)
        self._sign(Sign.RESTED)

    def _await_end(self, change: Change) -> None:
        while True:
            # The event is cleared before the check for stopping, because `stop` sets the event last
            self._news.clear()
            if self._stopping:
                return
            current = next((each for each in self._changes() if each.id == change.id), None)
            if current is None or current.state.ended:
                return
            with resting():
                self._news.wait()

    def _tried_last(self, enabled: str, listed: ProfileList) -> str:
        """Return the profile after which the order continues.

        This is the profile that was last tried without success, otherwise the enabled one.
        """
        last = self._latest()
        in_vain = last is not None and last.state is State.FAILED and last.guard is not None
        if last is not None and in_vain and last.guard is not None:
            previous = last.guard.previous
            if previous == enabled or listed.means(previous, listed.named(enabled)):
                return _asked(last) or enabled
        return enabled

    def _latest(self) -> Change | None:
        """Return failover's latest switch; None: the journal contains none."""
        own = (each for each in self._changes() if each.origin == FAILOVER and each.kind is Kind.ENABLE)
        return next(own, None)

    def _others_at_work(self) -> bool:
        """Return whether a switch is running, whose own guard then checks the profile."""
        return any(not each.state.ended and switches(each) for each in self._changes())

    def _sign(
        self,
        sign: Sign,
        *,
        profile: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        seen: str | None = None,
    ) -> None:
        following = TRANSITIONS.get((self.status.standing, sign))
        if following is None:
            raise InternalError(f"failover that is {self.status.standing} cannot take the sign '{sign}'")
        self._goes(following, profile=profile, since=since, until=until, seen=seen)

    def _goes(
        self,
        standing: Standing,
        *,
        profile: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        seen: str | None = None,
    ) -> None:
        before = self.status
        self.status = FailoverStatus(standing=standing, profile=profile, since=since, until=until, seen=seen)
        if replace(before, seen=None) != replace(self.status, seen=None):
            log.info("%s: failover: %s", self._euicc, standing)
            self._hub.publish(
                "failover", {"euicc": self._euicc, **msgspec.to_builtins(self.status)}, euicc=self._euicc
            )

    def _pause(self, seconds: float | None, *, early: bool = True) -> None:
        """Wait until the next check; if `early`, an event about the card also ends the wait."""
        deadline = None if seconds is None else Deadline.after(seconds)
        while deadline is None or not deadline.passed:
            self._news.clear()  # cleared before the check, because `stop` sets this event last
            if self._stopping:
                return
            if early and any(self._matters(event.type, event.data) for event in self._subscription.take()):
                return
            with resting():
                self._news.wait(None if deadline is None else deadline.remaining())

    def _matters(self, type_: str, data: dict[str, Json]) -> bool:
        if type_ == "change":
            ended = data["state"] in (State.DONE, State.FAILED, State.CANCELLED)
            return ended and data["euicc"] == self._euicc and data["kind"] in SWITCHING
        return type_ == "lost" or (type_ == "euicc" and data["name"] == self._euicc)


def _asked(change: Change) -> str | None:
    """Return the ICCID or AID of a switch's target; None if the parameters name no profile."""
    return change.params.iccid if isinstance(change.params, ProfileParams) else None
