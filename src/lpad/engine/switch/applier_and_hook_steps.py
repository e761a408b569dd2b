"""The network settings within a switch: before it, on the borrowed modem, and once the modem was returned.

    pre-switch, prepare-network     before the command to switch; a failure stops an enable by request
    apply-network                   card and modem agree on the profile, and lpad holds the modem
    return-modem, connect-network   the modem was returned to its user
    post-switch                     the owner's hooks
    undo-network                    the switch is rolled back; the previous profile's apply and connect follow

Each name is a step of the change. `pending_switch.py` keeps the unfinished switch on disk, so that after a
power cut at any point, the enabled profile gets the right settings. After the switch was sent to the card, a
failure is only reported: the guard decides whether the device is reachable. `network_settings_target.py` has
the profile, its settings and the modem; `network_settings_attempts.py` repeats a step that is not ready, and
keeps the failures.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.base.errors import Cancelled, LpadError, NetworkFailed
from lpad.engine.change.change import FAILOVER, RESCUE, now
from lpad.engine.change.results import NetworkResult
from lpad.engine.network_settings.deleted_profile_leftovers import UnforgottenProfile
from lpad.engine.network_settings.pending_switch import PendingSwitch
from lpad.engine.policy.network_policy import OnFailure
from lpad.engine.running.run import Suspended
from lpad.engine.switch.network_settings_attempts import NetworkAttempts
from lpad.engine.switch.network_settings_target import NetworkTarget
from lpad.network.applier_interface import Applied, Connection, Failed, State, TryAgain, Wanted
from lpad.network.connection_layer_names import Layer, OwnersProgram
from lpad.network.network_settings import GivenBy
from lpad.network.no_applier import NO_APPLIER
from lpad.network.owner_hooks import HookEvent

if TYPE_CHECKING:
    from lpad.base.cancellation import Cancellation
    from lpad.base.deadline import Deadline
    from lpad.engine.change.results import NetworkFailure
    from lpad.engine.running.operation_context import Context
    from lpad.engine.switch.alternative_network_settings import OtherSettings
    from lpad.engine.switch.network_step_reporting import Steps
    from lpad.network.applier_interface import Outcome
    from lpad.network.network_settings import NetworkSettings

log = logging.getLogger(__name__)

_CONNECT = "connect-network"


class NetworkSteps:
    """The network steps of one switch to one profile; there are none without an applier or hooks."""

    def __init__(self, steps: Steps, context: Context, iccid: str, *, until: Deadline | None = None) -> None:
        """Create the object without taking a step.

        Args:
            iccid: the profile's ICCID or AID.
            until: when the guard's time ends; None: there is no guard.
        """
        self._steps = steps
        self._context = context
        self._named = iccid
        self._policy = context.card.port.network
        self._euicc = context.card.port.name
        self._has_applier = self._policy.applier is not NO_APPLIER
        self._has_hooks = self._policy.hooks.runner is not None
        self._target = NetworkTarget(context, iccid, change_id=steps.change_id)
        self._attempts = NetworkAttempts(steps, limit=self._policy.limit, until=until)
        self._given_by = GivenBy.NOTHING
        self._tried: OtherSettings | None = None
        self._worked: str | None = None
        self._connected = False
        self.connection: Connection | None = None
        """The connection as the applier last saw it; None: the applier was not asked."""

    @property
    def until(self) -> Deadline | None:
        """When the guard's time ends; None: there is no guard."""
        return self._attempts.until

    @until.setter
    def until(self, until: Deadline | None) -> None:
        self._attempts.until = until

    @property
    def failures(self) -> tuple[NetworkFailure, ...]:
        """The failures so far, one for each failed step."""
        return tuple(self._attempts.failures)

    @property
    def has_hooks(self) -> bool:
        """Whether the settings request hooks."""
        return self._has_hooks

    @property
    def active(self) -> bool:
        """Whether an applier or hooks are set up."""
        return self._has_applier or self._has_hooks

    def prepare(self) -> None:
        """Run the hooks that precede a switch, and have the applier prepare the switch.

        A resumed switch is already prepared, and keeps the data that the applier has recorded.

        Raises:
            NetworkFailed: a hook or the applier failed, and the settings do not ignore this.
            JournalUnavailable: the start of the switch cannot be recorded.
            Cancelled: the change was cancelled.
        """
        if not self.active or (wanted := self._wanted()) is None:
            return
        pending = self._context.pending.of(self._euicc)
        if pending is not None and pending.change == self._steps.change_id:
            return
        if pending is not None:
            self._undo(pending)
        begun = PendingSwitch(
            change=self._steps.change_id,
            eid=wanted.eid,
            iccid=wanted.iccid,
            previous=wanted.previous_iccid,
            prepared=False,
        )
        try:
            self._before(wanted, begun)
        except LpadError:
            self._take_back()
            raise

    def _before(self, wanted: Wanted, begun: PendingSwitch) -> None:
        ends = self._steps.cancellation
        if self._has_hooks:
            self._context.pending.begin(self._euicc, begun)
            self._steps.step(HookEvent.PRE_SWITCH.value)
            outcome = self._hook(HookEvent.PRE_SWITCH, wanted, ends=ends)
            ends.check()
            self._demand(outcome)
        if self._has_applier:
            begun = replace(begun, prepared=True)
            self._context.pending.begin(self._euicc, begun)
            self._steps.step("prepare-network")
            outcome = self._attempts.make(
                lambda deadline: self._policy.applier.prepare(wanted, deadline=deadline),
                ends=ends,
            )
            ends.check()
            self._demand(outcome)
            if isinstance(outcome, Applied) and outcome.memory:
                begun = replace(begun, memory=dict(outcome.memory))
                self._context.pending.begin(self._euicc, begun)

    def _take_back(self) -> None:
        """Undo the preparations for a switch that does not happen."""
        self._attempts.cut_off = False
        self.undo()
        if not self._attempts.cut_off:
            self._context.pending.end(self._euicc)

    def _demand(self, outcome: Outcome) -> None:
        """Stop an ordinary enable whose applier or hook has failed, unless the settings ignore a failure."""
        if isinstance(outcome, Applied):
            return
        recovering = self._steps.origin in (FAILOVER, RESCUE)
        if recovering or self._policy.on_failure is OnFailure.IGNORE:
            return
        cause = outcome.cause if isinstance(outcome, Failed) else None
        raise NetworkFailed(
            f"cannot switch to profile {self._named}: {outcome.told}; set network.on_failure to 'ignore' to"
            " switch anyway",
            layer=outcome.layer.value,
            cause=str(cause or ""),
        )

    def apply(self) -> None:
        """Have the applier store the profile's settings, once card and modem agree on the profile."""
        if self._has_applier and (wanted := self._wanted()) is not None:
            self._steps.follow("apply-network")
            outcome = self._attempts.make(
                lambda deadline: self._policy.applier.apply(wanted, deadline=deadline)
            )
            self._attempts.cut_off = isinstance(outcome, TryAgain)

    def connect(self) -> None:
        """Return the modem to its user, have the connection made, and run the hooks after a switch."""
        if not self.active or (wanted := self._wanted()) is None:
            return
        if self._has_applier:
            if self._context.card.port.loan.was_lent:
                self._steps.follow("return-modem")
                self._context.card.give_back()
            self._steps.follow(_CONNECT)
            self._connected = True
            self._attempts.make(lambda deadline: self._policy.applier.connect(wanted, deadline=deadline))
        if self._has_hooks:
            self._steps.follow(HookEvent.POST_SWITCH.value)
            self._hook(HookEvent.POST_SWITCH, wanted)

    def connect_again(self) -> None:
        """Have the applier restore a lost connection, unless another program restores it."""
        if not self._policy.applier.reconnects or (wanted := self._wanted()) is None:
            return
        self._steps.follow(_CONNECT)
        self._attempts.failures = [each for each in self._attempts.failures if each.step != _CONNECT]
        self._attempts.make(
            lambda deadline: self._policy.applier.connect(wanted, deadline=deadline),
            ends=self._steps.cancellation,
        )

    def renew(self) -> None:
        """Bring the settings into force for a profile that is already enabled, if necessary."""
        if not self._has_applier or (wanted := self._wanted()) is None:
            return
        self._steps.follow("verify-network")
        failures = len(self._attempts.failures)
        outcome = self._attempts.make(
            lambda deadline: self._policy.applier.verify(wanted, deadline=deadline),
            once=True,
        )
        if isinstance(outcome, Applied):
            return
        del self._attempts.failures[failures:]  # the following steps remove this failure's cause
        begun = PendingSwitch(change=self._steps.change_id, eid=wanted.eid, iccid=wanted.iccid)
        try:
            self._context.pending.begin(self._euicc, begun)
        except LpadError as error:  # the record is needed only after a power cut
            log.warning("change %d: cannot record the step that begins: %s", self._steps.change_id, error)
        self.apply()
        self.connect()

    def undo(self) -> None:
        """Undo the steps for the rejected profile, before the card switches back."""
        pending = self._context.pending.of(self._euicc)
        if self.active and pending is not None:
            self._undo(pending)

    def told(self) -> NetworkResult | None:
        """Return the result of the steps; None without an applier or hooks."""
        if not self.active:
            return None
        seen = self.connection
        return NetworkResult(
            applier=self._policy.applier.name,
            given_by=self._given_by.value,
            failures=self.failures,
            worked=self._worked,
            bearer=None if seen is None else seen.bearer.state.value,
            address=None if seen is None else seen.address.state.value,
            addresses=() if seen is None else seen.addresses,
            interface=None if seen is None else seen.interface,
        )

    def end(self, event: HookEvent | None = None) -> None:
        """Record the end of the switch, whatever its outcome, and run the hooks for the event, if any."""
        if not self.active:
            return
        if self._tried is not None and event is HookEvent.CONFIRMED:
            self._worked = self._tried.told
        if event is not None and self._has_hooks and (wanted := self._wanted()) is not None:
            self._steps.follow(event.value)
            self._hook(event, wanted)
        if not self._attempts.cut_off:  # otherwise the settings are settled as soon as the card can be read
            self._context.pending.end(self._euicc)

    def forget(self, iccid: str) -> str | None:
        """Have the applier remove its data on a profile that is no longer on the card.

        A failure is kept in the journal, and lpad tries again later.

        Returns:
            A sentence about the failure; None if there is nothing left to remove.
        """
        kept = self._context.unforgotten
        if not self._has_applier:
            return None
        self._steps.follow("forget-network")
        outcome = self._attempts.make(lambda deadline: self._policy.applier.forget(iccid, deadline=deadline))
        if isinstance(outcome, Applied):
            kept.forgotten(self._euicc, iccid)
            return None
        told = outcome.told
        failed = UnforgottenProfile(iccid=iccid, applier=self._policy.applier.name, since=now(), told=told)
        kept.failed(self._euicc, failed)
        return told

    def happened(self, event: HookEvent, iccid: str) -> None:
        """Run the hooks for an event other than a switch."""
        if self._has_hooks:
            self._steps.follow(event.value)
            self._hook(event, self._target.wanted(iccid))

    def check_ended(self) -> None:
        """Check that the end of lpad has cut off none of the steps.

        Raises:
            Suspended: lpad is stopping, and a step was cut off.
        """
        if self._attempts.cut_off:
            raise Suspended("lpad is stopping, and continues the change at its next start")

    def look(self) -> Connection:
        """Return the connection as the applier sees it, and report its layers."""
        wanted = self._wanted()
        if not self._has_applier or wanted is None:
            return Connection()
        try:
            deadline = self._attempts.deadline(self._steps.ending)
            self.connection = self._policy.applier.look(wanted, deadline=deadline)
        except Cancelled:
            return Connection()
        except Exception:  # an error in an applier must not end the switch
            log.exception("change %d: internal-error", self._steps.change_id)
            return Connection()
        connection = self.connection
        for layer, sight in (
            (Layer.REGISTERED, connection.registered),
            (Layer.BEARER, connection.bearer),
            (Layer.ADDRESS, connection.address),
        ):
            if sight.state is not State.UNKNOWN:
                cause = None if sight.cause is None else str(sight.cause)
                self.saw(layer, up=sight.state is State.UP, cause=cause, told=sight.told)
        return connection

    def saw(self, layer: Layer, *, up: bool, cause: str | None = None, told: str = "") -> None:
        """Report the state of a layer of the profile's connection."""
        self._context.layers.saw(layer, up=up, iccid=self._target.iccid, cause=cause, told=told)

    def try_instead(self, other: OtherSettings) -> None:
        """Try settings other than the profile's own; the stored settings do not change."""
        self._tried = other
        self._steps.follow(other.step)
        self.apply()
        if self._connected:
            self.connect()

    @property
    def settings(self) -> NetworkSettings | None:
        """The profile's own settings; None without an applier, or without an ICCID of the profile."""
        iccid = self._target.iccid
        return None if iccid is None or not self._has_applier else self._target.chosen(iccid).settings

    @property
    def restores(self) -> bool:
        """Whether undoing restores the previous profile's settings, because the applier has recorded them."""
        pending = self._context.pending.of(self._euicc)
        chosen = self._target.chosen(self._target.iccid or "")
        return bool(pending and pending.memory) and chosen.given_by is GivenBy.NOTHING

    def _undo(self, pending: PendingSwitch) -> None:
        if not (self._has_applier and pending.prepared):
            return
        self._steps.follow("undo-network")
        wanted = replace(self._target.wanted(pending.iccid), eid=pending.eid, previous_iccid=pending.previous)
        self._attempts.make(
            lambda deadline: self._policy.applier.undo(wanted, pending.memory, deadline=deadline),
        )

    def _hook(self, event: HookEvent, wanted: Wanted, *, ends: Cancellation | None = None) -> Outcome:
        return self._attempts.make(
            lambda deadline: self._policy.hooks.run(event, wanted, deadline=deadline),
            ends=ends,
            culprit=OwnersProgram.HOOK,
        )

    def _wanted(self) -> Wanted | None:
        """Return the profile with its settings; None if the card gives no ICCID for the profile."""
        iccid = self._target.iccid
        if iccid is None:
            return None
        self._given_by = self._target.chosen(iccid).given_by
        wanted = self._target.wanted(iccid)
        return wanted if self._tried is None else replace(wanted, settings=self._tried.settings)
