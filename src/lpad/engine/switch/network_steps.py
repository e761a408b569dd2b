"""The network settings within a switch: before it, when the modem reads the profile, and when it is returned.

    pre-switch, prepare-network      before the card is asked; a failure stops an ordinary enable
    apply-network                    card and modem agree on the profile, and lpad holds the modem
    return-modem, connect-network the modem is back with its user
    post-switch                      the owner's hooks
    undo-network the switch is rolled back; apply and connect of the previous profile follow

Each is a step of the change. `pending_switch.py` keeps the unfinished switch on disk, so that after a power
cut at any point, the enabled profile has the right settings. After the switch was sent to the card, a failure
is only reported: the guard decides whether the device is reachable.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from lpad.base.deadline import Deadline
from lpad.base.errors import Cancelled, CardError, LpadError, NetworkFailed
from lpad.engine.change.change import FAILOVER, RESCUE, now
from lpad.engine.change.notes import DownloadNotes, noting
from lpad.engine.change.results import NetworkFailure, NetworkResult
from lpad.engine.network_settings.pending_switch import PendingSwitch
from lpad.engine.network_settings.unforgotten_profiles import UnforgottenProfile
from lpad.engine.policy.networking import OnFailure
from lpad.engine.running.card.modem_for_appliers import ModemAtHand
from lpad.engine.running.run import Suspended
from lpad.engine.switch.registration_look import look_at_registration
from lpad.engine.switch.step_receivers import StepsOfRun
from lpad.engine.switch.switch import PLAIN, switch
from lpad.network.applier import Applied, Connection, Failed, State, TryAgain, Wanted
from lpad.network.chosen_settings import choose
from lpad.network.hooks import HookEvent
from lpad.network.layer_names import Layer, OwnersProgram
from lpad.network.network_settings import EMPTY, GivenBy
from lpad.network.no_applier import NO_APPLIER

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.cancellation import Cancellation
    from lpad.engine.change.results import SwitchResult
    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run
    from lpad.engine.switch.alternative_network_settings import OtherSettings
    from lpad.engine.switch.step_receivers import Steps
    from lpad.engine.switch.switch import Purpose
    from lpad.network.applier import Modem, Outcome
    from lpad.network.chosen_settings import Chosen
    from lpad.network.layer_names import Culprit
    from lpad.network.network_settings import NetworkSettings

    Act = Callable[[Wanted, Deadline], Outcome]

log = logging.getLogger(__name__)

_CONNECT = "connect-network"
_LEAST = 1.0
"""The minimum number of seconds for a step, even if the guard's time has nearly passed."""


class NetworkReport(Struct):
    """The result of the steps so far."""

    applier: str
    given_by: GivenBy = GivenBy.NOTHING
    failures: list[NetworkFailure] = field(default_factory=list)
    worked: str | None = None
    """The other settings that brought the connection up, if the profile's own did not."""
    connection: Connection | None = None

    def told(self) -> NetworkResult:
        """Return the result in the form for the change's result."""
        seen = self.connection
        return NetworkResult(
            applier=self.applier,
            given_by=self.given_by.value,
            failures=tuple(self.failures),
            worked=self.worked,
            bearer=None if seen is None else seen.bearer.state.value,
            address=None if seen is None else seen.address.state.value,
            addresses=() if seen is None else seen.addresses,
            interface=None if seen is None else seen.interface,
        )


class NetworkSteps:
    """The steps of one switch to one profile; without applier and hooks there are none."""

    def __init__(self, steps: Steps, context: Context, iccid: str, *, until: Deadline | None = None) -> None:
        """Prepare; nothing is done.

        Args:
            iccid: the profile's ICCID or AID.
            until: when the guard's time ends; None: there is no guard.
        """
        self._steps = steps
        self._context = context
        self._named = iccid
        self.until = until
        """When the guard's time ends; None: there is no guard."""
        self._policy = context.card.port.network
        self._euicc = context.card.port.name
        self._has_applier = self._policy.applier is not NO_APPLIER
        self._has_hooks = self._policy.hooks.runner is not None
        self._modem: Modem | None = None
        self._asked_modem = False
        self._tried: OtherSettings | None = None
        self._connected = False
        self._unsettled = False
        """Whether some of the steps must be repeated once the card can be read again."""
        self.report = NetworkReport(self._policy.applier.name)

    @property
    def has_hooks(self) -> bool:
        """Whether the settings request hooks."""
        return self._has_hooks

    @property
    def active(self) -> bool:
        """Whether there is anything to do."""
        return self._has_applier or self._has_hooks

    def prepare(self) -> None:
        """Run the hooks before a switch, and have the applier get ready.

        A resumed switch is already prepared, and keeps the remembered data.

        Raises:
            NetworkFailed: one of them failed, and the settings have that stop an ordinary enable.
            JournalUnavailable: the beginning cannot be written.
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
            begun = msgspec.structs.replace(begun, prepared=True)
            self._context.pending.begin(self._euicc, begun)
            self._steps.step("prepare-network")
            outcome = self._try(
                wanted,
                lambda each, deadline: self._policy.applier.prepare(each, deadline=deadline),
                ends=ends,
            )
            ends.check()
            self._demand(outcome)
            if isinstance(outcome, Applied) and outcome.memory:
                begun = msgspec.structs.replace(begun, memory=dict(outcome.memory))
                self._context.pending.begin(self._euicc, begun)

    def _take_back(self) -> None:
        """Undo the preparations for a switch that does not happen."""
        self._unsettled = False
        self.undo()
        if not self._unsettled:
            self._context.pending.end(self._euicc)

    def _demand(self, outcome: Outcome) -> None:
        """Stop an ordinary enable whose applier or hook has failed, unless the settings ignore that."""
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
        """Have the applier store the profile's settings; card and modem agree on the profile."""
        if self._has_applier and (wanted := self._wanted()) is not None:
            self._steps.follow("apply-network")
            outcome = self._try(
                wanted, lambda each, deadline: self._policy.applier.apply(each, deadline=deadline)
            )
            self._unsettled = isinstance(outcome, TryAgain)

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
            self._try(wanted, lambda each, deadline: self._policy.applier.connect(each, deadline=deadline))
        if self._has_hooks:
            self._steps.follow(HookEvent.POST_SWITCH.value)
            self._hook(HookEvent.POST_SWITCH, wanted)

    def connect_again(self) -> None:
        """Have a lost connection made again, if no other program does so."""
        if not self._policy.applier.reconnects or (wanted := self._wanted()) is None:
            return
        self._steps.follow(_CONNECT)
        self.report.failures = [each for each in self.report.failures if each.step != _CONNECT]
        self._try(
            wanted,
            lambda each, deadline: self._policy.applier.connect(each, deadline=deadline),
            ends=self._steps.cancellation,
        )

    def renew(self) -> None:
        """Bring the settings into force for a profile that is already enabled, if they are not."""
        if not self._has_applier or (wanted := self._wanted()) is None:
            return
        self._steps.follow("verify-network")
        failures = len(self.report.failures)
        outcome = self._try(
            wanted,
            lambda each, deadline: self._policy.applier.verify(each, deadline=deadline),
            once=True,
        )
        if isinstance(outcome, Applied):
            return
        del self.report.failures[failures:]  # which the following steps correct
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
        """Return the result of the steps; None: there were none."""
        return self.report.told() if self.active else None

    def end(self, event: HookEvent | None = None) -> None:
        """Record the end of the switch, whatever its outcome, and run the hooks for this event."""
        if not self.active:
            return
        if self._tried is not None and event is HookEvent.CONFIRMED:
            self.report.worked = self._tried.told
        if event is not None and self._has_hooks and (wanted := self._wanted()) is not None:
            self._steps.follow(event.value)
            self._hook(event, wanted)
        if not self._unsettled:  # otherwise the settings are settled as soon as the card can be read
            self._context.pending.end(self._euicc)

    def forget(self, iccid: str) -> str | None:
        """Have the applier remove its data of a profile that is no longer on the card.

        A failure is kept in the journal, and lpad repeats this later.

        Returns:
            A sentence about the failure; None if there is nothing left to remove.
        """
        kept = self._context.unforgotten
        if not self._has_applier:
            return None
        self._steps.follow("forget-network")
        outcome = self._try(
            Wanted(eid=self._context.snapshot().eid or "", iccid=iccid, settings=EMPTY),
            lambda _, deadline: self._policy.applier.forget(iccid, deadline=deadline),
        )
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
            self._hook(event, self._wanted_for(iccid))

    def check_ended(self) -> None:
        """Check that the end of lpad has cut off none of the steps.

        Raises:
            Suspended: lpad ends, and a step was cut off.
        """
        if self._unsettled:
            raise Suspended("lpad is stopping, and continues with the next start")

    def look(self) -> Connection:
        """Return the states of bearer and address by the applier."""
        wanted = self._wanted()
        if not self._has_applier or wanted is None:
            return Connection()
        try:
            deadline = self._deadline(self._steps.ending)
            self.report.connection = self._policy.applier.look(wanted, deadline=deadline)
        except Cancelled:
            return Connection()
        except Exception:  # an error in an applier must not end the switch
            log.exception("change %d: internal-error", self._steps.change_id)
            return Connection()
        connection = self.report.connection
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
        self._context.layers.saw(layer, up=up, iccid=self._iccid(), cause=cause, told=told)

    def try_instead(self, other: OtherSettings) -> None:
        """Try other settings than the profile's own; the stored settings stay."""
        self._tried = other
        self._steps.follow(other.step)
        self.apply()
        if self._connected:
            self.connect()

    @property
    def settings(self) -> NetworkSettings | None:
        """The profile's own settings; None: the card gives no ICCID for it."""
        iccid = self._iccid()
        return None if iccid is None or not self._has_applier else self._chosen(iccid).settings

    @property
    def restores(self) -> bool:
        """Whether undoing has restored the previous profile's settings."""
        pending = self._context.pending.of(self._euicc)
        chosen = self._chosen(self._iccid() or "")
        return bool(pending and pending.memory) and chosen.given_by is GivenBy.NOTHING

    def _undo(self, pending: PendingSwitch) -> None:
        if not (self._has_applier and pending.prepared):
            return
        self._steps.follow("undo-network")
        wanted = replace(self._wanted_for(pending.iccid), eid=pending.eid, previous_iccid=pending.previous)
        self._try(
            wanted,
            lambda each, deadline: self._policy.applier.undo(each, pending.memory, deadline=deadline),
        )

    def _hook(self, event: HookEvent, wanted: Wanted, *, ends: Cancellation | None = None) -> Outcome:
        return self._try(
            wanted,
            lambda each, deadline: self._policy.hooks.run(event, each, deadline=deadline),
            ends=ends,
            culprit=OwnersProgram.HOOK,
        )

    def _try(
        self,
        wanted: Wanted,
        act: Act,
        *,
        ends: Cancellation | None = None,
        once: bool = False,
        culprit: Culprit = Layer.MODEM,
    ) -> Outcome:
        """Repeat a step until it is done, has failed, or its time is over; a failure is reported.

        Args:
            wanted: the profile and its settings.
            act: one attempt.
            ends: ends the wait early; None: only the end of lpad does.
            once: whether to make one attempt only.
            culprit: what a report names if the attempt is cancelled, or fails because of a fault in lpad.
        """
        ends = ends or self._steps.ending
        deadline = self._deadline(ends)
        woken = threading.Event()
        while True:
            try:
                deadline.check()
                outcome = act(wanted, deadline)
            except Cancelled as error:
                self._unsettled = True
                outcome = TryAgain(layer=culprit, told=error.sentence)
                break
            except Exception:  # a fault in an applier must not prevent the rollback
                log.exception("change %d: internal-error", self._steps.change_id)
                outcome = Failed(layer=culprit, told="this failed because of a fault in lpad; see lpad's log")
            if once or not isinstance(outcome, TryAgain) or deadline.remaining() <= outcome.after:
                break
            with ends.waking(woken.set):
                woken.wait(outcome.after)
        step = self._steps.name
        if isinstance(outcome, Applied):
            log.info("change %d: %s: %s", self._steps.change_id, step, outcome.told)
            return outcome
        log.warning("change %d: %s: %s", self._steps.change_id, step, outcome.told)
        cause = outcome.cause if isinstance(outcome, Failed) else None
        failure = NetworkFailure(
            step=step,
            layer=outcome.layer.value,
            told=outcome.told,
            cause=None if cause is None else str(cause),
        )
        self.report.failures.append(failure)
        return outcome

    def _deadline(self, ends: Cancellation) -> Deadline:
        limit = Deadline.after(self._policy.limit, cancellation=ends)
        return limit if self.until is None else limit.within(max(_LEAST, self.until.remaining()))

    def _wanted(self) -> Wanted | None:
        """Return the profile with its settings; None: the card gives no ICCID for it, so it has none."""
        iccid = self._iccid()
        if iccid is None:
            return None
        chosen = self._chosen(iccid)
        self.report.given_by = chosen.given_by
        wanted = self._wanted_for(iccid)
        return wanted if self._tried is None else replace(wanted, settings=self._tried.settings)

    def _wanted_for(self, iccid: str) -> Wanted:
        card = self._context.snapshot()
        pending = self._context.pending.of(self._euicc)
        enabled = card.listed.enabled
        if pending is None:
            previous = None if enabled is None else enabled.iccid
        else:
            previous = pending.previous if pending.iccid == iccid else pending.iccid
        return Wanted(
            eid=card.eid or "",
            iccid=iccid,
            settings=self._chosen(iccid).settings,
            previous_iccid=previous if previous != iccid else None,
            modem=self._modem_at_hand(),
        )

    def _chosen(self, iccid: str) -> Chosen:
        profile = self._context.snapshot().listed.named(iccid)
        stored = self._context.networks.get(iccid)
        return choose(
            iccid,
            owner=stored.owner,
            order=stored.order,
            patterns=self._policy.patterns,
            provider=None if profile is None else profile.provider,
        )

    def _iccid(self) -> str | None:
        profile = self._context.snapshot().listed.named(self._named)
        return None if profile is None else profile.iccid

    def _modem_at_hand(self) -> Modem | None:
        """Return the modem; None: the card is in a reader. A returned modem is not borrowed."""
        port = self._context.card.port
        if port.device is not None:
            return ModemAtHand(self._context.card, port.device)
        if not self._asked_modem:
            deadline = Deadline.after(self._context.timeouts.open)
            try:
                with self._context.card.open(deadline=deadline).lend_modem(deadline=deadline) as lent:
                    found = lent is not None
            except CardError as error:
                log.info("change %d: %s", self._steps.change_id, error)
                return ModemAtHand(self._context.card, self._context.card.port.device)
            self._asked_modem = True
            self._modem = ModemAtHand(self._context.card, self._context.card.port.device) if found else None
        return self._modem


def downloaded(run: Run, context: Context, iccid: str) -> None:
    """Run the hooks after a download, once for each installed profile; a failure is logged.

    Raises:
        Suspended: lpad is stopping; it repeats these steps at its next start.
    """
    steps = NetworkSteps(StepsOfRun(run), context, iccid)
    if not steps.has_hooks or run.notes_of(DownloadNotes).announced:
        return
    steps.happened(HookEvent.DOWNLOADED, iccid)
    steps.check_ended()
    run.note(noting(DownloadNotes, announced=True), needed=False)


def deleted(run: Run, context: Context, iccid: str) -> str | None:
    """Have the applier forget a profile that is deleted, and run the hooks; a failure is logged.

    Returns:
        A sentence about the applier's failure, which lpad will repeat; None if it has not failed.

    Raises:
        Suspended: lpad is stopping; its next start repeats this.
    """
    steps = NetworkSteps(StepsOfRun(run), context, iccid)
    failed = steps.forget(iccid)
    steps.happened(HookEvent.DELETED, iccid)
    steps.check_ended()
    context.unforgotten.tried(context.card.port.name)
    return failed


def enable_with_network(run: Run, context: Context, *, iccid: str, purpose: Purpose = PLAIN) -> SwitchResult:
    """Enable a profile without a guard, and bring its network settings into force.

    The change is done when card and modem agree and the settings were tried; higher layers are only reported.

    Args:
        iccid: the profile's ICCID or AID.

    Raises:
        NetworkFailed: an applier or a hook failed before the card was asked.
        NotFound, Conflict, CardError: as in `switch`.
    """
    steps = NetworkSteps(StepsOfRun(run), context, iccid)
    profile = context.snapshot().listed.named(iccid)
    if steps.active and not (profile is not None and profile.enabled):
        steps.prepare()
    done = switch(run, context, iccid=iccid, enabled=True, purpose=purpose)
    if steps.active:
        if done.already:
            steps.renew()
        else:
            steps.apply()
            steps.connect()
        steps.look()
        steps.end()
    registration = None if done.already else look_at_registration(context, steps.report.connection)
    return msgspec.structs.replace(done, network=steps.told(), registration=registration)
