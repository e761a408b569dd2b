"""Switches profiles, and makes sure that card and modem agree on the enabled profile."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError, CardRefused, CardUnreachable, Conflict, LpadError
from lpad.base.frozen import Frozen
from lpad.base.identifiers import Iccid
from lpad.card.modem_refresh import Holding, Refresh
from lpad.engine.change.notes import ProfileNotes, noting
from lpad.engine.change.results import RemarkResult, SwitchResult
from lpad.engine.running.same_card_check import check_same_card
from lpad.engine.snapshot import card_reading
from lpad.engine.snapshot.profile_list import SURE_STATES
from lpad.engine.switch.card_request_retry import did_nothing, ways, when_not_busy
from lpad.network.connection_layer_names import Layer

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.change.results import Result
    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run
    from lpad.engine.snapshot.profile_list import Listed, ProfileList
    from lpad.engine.switch.card_request_retry import Way
    from lpad.lpa.euicc import Euicc
    from lpad.protocol.iccid_answer import IccidReport


log = logging.getLogger(__name__)


class Purpose(Frozen, kw_only=True):
    """The purpose of a switch.

    `step` is the name of the switch's step in the change; None: the verb names the step. `before` is called
    right before the switch is sent, and may refuse the switch; its arguments are the card's profiles, the
    requested profile, and the ICCID that the modem reads. `aid` is the profile's earlier AID, by which lpad
    finds the profile if the card no longer gives its ICCID.
    """

    step: str | None = None
    before: Callable[[ProfileList, Listed, IccidReport | None], None] | None = None
    aid: str | None = None


PLAIN = Purpose()


def switch(
    run: Run, context: Context, *, iccid: str, enabled: bool, purpose: Purpose = PLAIN
) -> SwitchResult:
    """Enable or disable a profile, and make sure that card and modem agree on the result.

    Args:
        iccid: the profile's ICCID or AID.

    Raises:
        NotFound: the card contains no such profile.
        Conflict: the card was swapped, the settings forbid the switch, or several profiles have this ICCID.
        CardRefused: the card refuses the request, and no other form of it helps.
        CardError: the card did not come back, reports the old state when its time to restart is over, or the
            modem still reads another profile after all steps.
    """
    verb = "enable" if enabled else "disable"
    deadline = Deadline.after(context.timeouts.switch)
    refresh = prepared(run, context, deadline=deadline)
    asked = _Switch(run, context, refresh, iccid=iccid, enabled=enabled, purpose=purpose)
    sent = when_not_busy(lambda: asked.ask(deadline=deadline), run=run, refresh=refresh, deadline=deadline)
    if not sent and refresh.agreed(holding_of(context.snapshot().listed)):
        return SwitchResult(iccid=asked.address, already=True)

    meant = None if asked.meant is None else str(asked.meant)
    try:
        remark = verify(
            run,
            context,
            asked.holds,
            lost=asked.lost,
            meant=asked.meant,
            wanted=f"profile {asked.address} is {verb}d",
            refresh=refresh,
            refreshing=sent and asked.refreshing,
            switched=True,
            deadline=deadline,
        )
    except CardError as error:
        if error.details.get("layer") == Layer.MODEM:
            context.layers.saw(Layer.MODEM, up=False, iccid=meant)
        raise
    if enabled and refresh.has_modem:
        for layer in (Layer.CARD, Layer.MODEM):
            context.layers.saw(layer, up=True, iccid=meant)
    return SwitchResult(iccid=asked.address, already=not sent, remark=remark)


def see_through(run: Run, context: Context, result: Result) -> Result:
    """Complete an interrupted switch that the card has done: make sure that the modem reads the profile.

    The card is read, but not altered.

    Raises:
        CardError: the modem still reads another profile after all steps, or its port has disappeared.
    """
    deadline = Deadline.after(context.timeouts.switch)
    run.follow("resume")
    refresh = _acquainted(run, context, deadline=deadline)
    if refresh.agreed(holding_of(context.snapshot().listed)):
        return result
    remark = verify(
        run,
        context,
        lambda _seen: True,
        lost=None,
        wanted=f"the {run.change.kind} is done",
        refresh=refresh,
        deadline=deadline,
    )
    if remark is None or not isinstance(result, RemarkResult):
        return result
    return msgspec.structs.replace(result, remark=remark)


def prepared(run: Run, context: Context, *, deadline: Deadline) -> Refresh:
    """Query the modem, and return the prepared modem refresh.

    Raises:
        CardError: the port has disappeared, or the modem does not answer.
    """
    run.step("ask-modem")
    return _acquainted(run, context, deadline=deadline)


def _acquainted(run: Run, context: Context, *, deadline: Deadline) -> Refresh:
    refresh = _refresh(run, context)
    refresh.prepare(holding_of(context.snapshot().listed), deadline=deadline)
    return refresh


def _refresh(run: Run, context: Context) -> Refresh:
    return Refresh(context.card, tell=run.follow, resets=context.modem_resets, reading=context.timeouts.read)


class _Switch:
    """The request of a switch and its result."""

    def __init__(
        self, run: Run, context: Context, refresh: Refresh, *, iccid: str, enabled: bool, purpose: Purpose
    ) -> None:
        self._run = run
        self._context = context
        self._iccid = iccid
        self._profile: Listed | None = None
        self.address = iccid
        """The unambiguous name of the profile."""
        self._enabled = enabled
        self._verb = "enable" if enabled else "disable"
        self._purpose = purpose
        wanted = context.card.port.refresh  # the settings override the quirks
        if wanted is None:
            wanted = refresh.refresh_flag
        self._reads = refresh.read_before
        self.refreshing = wanted is not False
        """Whether the last form of the request made the card ask for a REFRESH."""
        self.lost: CardError | None = None
        """The error that replaced the card's answer; None: the card accepted the request."""

    def ask(self, *, deadline: Deadline) -> bool:
        """Send the request in a separate session if there is anything to do; return whether it was sent."""
        self._run.step("read-profiles")
        with self._context.card.session(deadline=deadline) as euicc:
            check_same_card(self._run, euicc, deadline=deadline)
            profiles = card_reading.read_profiles(euicc, deadline=deadline)
            self._profile = profile = self._found(profiles)
            self.address = self._address(profiles, profile)
            if profile.state == f"{self._verb}d" and not self._is_doubtful(profiles, profile):
                self._context.observe(euicc, deadline)
                return False
            if self._purpose.step is None:
                self._check_policy(profile)
            if self._purpose.before is not None:
                self._purpose.before(profiles, profile, self._reads)
            self._run.irreversible(
                self._purpose.step or f"{self._verb}-profile",
                noting(ProfileNotes, iccid=self.address, aid=profile.isdp_aid),
            )
            try:
                self._insist(euicc, profiles, profile, deadline=deadline)
            except CardRefused as error:
                if error.details.get("reason") == "iccidOrAidNotFound" and not profiles.holds(profile):
                    raise profiles.missing(self._iccid, attempted=self._verb) from error
                raise
        return True

    @property
    def meant(self) -> Iccid | None:
        """The ICCID of the profile to enable; None: the profile is disabled, or its ICCID is not certain."""
        profile = self._profile if self._enabled else None
        return Iccid.parse(profile.iccid) if profile is not None and profile.sure and profile.iccid else None

    @staticmethod
    def _is_doubtful(profiles: ProfileList, profile: Listed) -> bool:
        """Return whether the state of a profile is known only from the card's answer, not from its list."""
        return profile.state not in SURE_STATES or (profile.enabled and profiles.contested)

    def holds(self, seen: ProfileList) -> bool:
        """Return whether a list shows the wanted state; for an unreadable state, the card's answer counts."""
        if self._profile is None:
            return False
        found = seen.same(self._profile)
        if found is None:
            # The profile may be an entry that cannot be read. In that case only the card's answer counts.
            return self.lost is None and not seen.lacks(self._profile) and bool(seen.unreadable)
        unknown = found.state not in SURE_STATES
        return found.state == f"{self._verb}d" or (unknown and self.lost is None)

    def _insist(self, euicc: Euicc, profiles: ProfileList, profile: Listed, *, deadline: Deadline) -> None:
        refusal: CardError | None = None
        for way in ways(profiles, profile, refresh=self.refreshing):
            if refusal is not None:
                self._run.follow(way.step(self._verb))
            self.refreshing = way.refresh
            try:
                self.lost = attempt(lambda: self._send(euicc, way, deadline=deadline))  # noqa: B023 - called immediately
            except CardRefused as error:
                if (
                    self._is_doubtful(profiles, profile)
                    and error.details.get("reason") == _SO_ALREADY[self._enabled]
                ):
                    return  # the card has already switched, although its list did not show this
                met: CardError = error
            else:
                if self.lost is None or not did_nothing(self.lost):
                    return
                met = self.lost
            # Report the first answer, because the later ones often state only that the ICCID or AID is wrong.
            refusal = refusal or met
            if not did_nothing(met):
                raise met if _says_busy(met) else refusal
            found = self._found(seen := card_reading.read_profiles(euicc, deadline=deadline))
            if found.state == f"{self._verb}d" and not self._is_doubtful(seen, found):
                return  # the card refuses, but has carried out the request
        assert refusal is not None
        raise refusal

    def _check_policy(self, profile: Listed) -> None:
        policy = self._context.card.port.policy
        if not self._enabled:
            policy.check_disable(profile)
        # If the card was busy, the request is repeated, which is still the same switch.
        others = [each for each in self._context.changes() if each.id != self._run.change.id]
        try:
            policy.check_limit(others, present=self._run.now())
        except LpadError:
            raise
        except Exception:
            # An error in an old record must not prevent a switch that restores the connection.
            log.exception(
                "change %d: cannot count the day's switches, so no limit applies to this one: internal-error",
                self._run.change.id,
            )

    def _found(self, profiles: ProfileList) -> Listed:
        profile = profiles.named(self._iccid) or profiles.named(self._purpose.aid)
        if profile is None:
            profiles.find(self._iccid)  # raises an error if several profiles match
            profile = profiles.unlisted(self._iccid, aid=self._purpose.aid)
        if profile is None:
            raise profiles.missing(self._iccid, attempted=self._verb)
        return profile

    def _address(self, profiles: ProfileList, profile: Listed) -> str:
        address = profiles.address(profile) if profiles.holds(profile) else self._iccid
        if address is None:
            raise unaddressable(self._iccid, attempted=self._verb)
        return address

    def _send(self, euicc: Euicc, way: Way, *, deadline: Deadline) -> None:
        act = euicc.enable_profile if self._enabled else euicc.disable_profile
        act(way.target, refresh=way.refresh, deadline=deadline)


_SO_ALREADY = {True: "profileNotInDisabledState", False: "profileNotInEnabledState"}


def _says_busy(error: CardError) -> bool:
    return error.details.get("reason") == "catBusy"


def unaddressable(name: str, *, attempted: str) -> Conflict:
    """Return the error for a profile that a request to the card cannot name."""
    return Conflict(
        f"cannot {attempted} profile {name}: the card gives neither a unique ICCID nor a unique AID for "
        f"this profile; delete the other profile that shares it, or ask the card's maker"
    )


def attempt(act: Callable[[], object]) -> CardError | None:
    """Carry out an irreversible action; return the error if the answer is missing or unclear, else None.

    If the modem resets the card before the answer is fetched, the card answers the fetch with 6F00. Then only
    the card's state shows the result, not the status word.

    Raises:
        CardRefused: the card refused.
    """
    try:
        act()
    except CardRefused:
        raise
    except CardError as error:
        return error
    return None


def verify(
    run: Run,
    context: Context,
    holds: Callable[[ProfileList], bool],
    *,
    lost: CardError | None,
    wanted: str,
    meant: Iccid | None = None,
    refresh: Refresh | None = None,
    refreshing: bool = False,
    switched: bool = False,
    deadline: Deadline,
) -> str | None:
    """Read the card until it has the wanted state, publish it, and make sure that the modem reads it too.

    After a REFRESH the modem resets the card. For some seconds no channel can be opened, and some cards still
    report the old state until the modem has carried out the REFRESH.

    Args:
        holds: returns whether a list of profiles shows the wanted state.
        lost: the error that replaced the card's answer; None: the card accepted.
        wanted: the wanted state in words, for the error.
        meant: the profile to enable, which counts even if the card also lists others as enabled.
        refresh: refreshes the modem; None if the change does not concern the modem.
        refreshing: whether the card asks the modem for a REFRESH.
        switched: whether only the states of profiles were altered, so that nothing else is read again.
        deadline: the limit for the card if there is no modem.

    Returns:
        A remark about the modem, for the change's result; None: no remark.

    Raises:
        CardError: the state is not reached in time, the card did not come back, or the modem still reads
            another profile.
    """
    run.follow("verify")
    before = context.snapshot().listed
    if isinstance(lost, CardUnreachable):
        context.card.drop()

    def look(within: Deadline) -> Holding | None:
        with context.card.session(deadline=within) as euicc:
            seen = card_reading.read_profiles(euicc, deadline=within)
            if not holds(seen):
                return None
            context.observe(
                euicc, within, switched=seen if switched else None, copies_later=copies_later(run, context)
            )
        context.outbox.wake()
        return holding_of(seen, before, meant=meant)

    refresh = refresh or _refresh(run, context)
    outcome = refresh.settle(look, asked=refreshing, answered=lost is None, deadline=deadline)
    if outcome.good:
        return outcome.remark
    if outcome.holding is not None:
        tried = "after every step of the modem refresh (the change's steps list them)"
        done = tried if outcome.held_back is None else f"and {outcome.held_back}"
        raise CardError(
            f"the card reports that {wanted}, but the modem still reads another profile {done}; restart the"
            " modem, and check whether it registers",
            retryable=True,
            layer=Layer.MODEM.value,
        )
    if lost is not None:
        raise lost
    if isinstance(outcome.error, CardRefused):
        # The error is converted, because a card that refuses its list has not refused the request that it
        # accepted.
        raise CardError(
            f"the card accepted the request, but then did not report whether {wanted}:"
            f" {outcome.error.sentence}",
            retryable=True,
        )
    if outcome.error is not None:
        raise outcome.error
    raise CardError(
        f"the card accepted the request, but does not report that {wanted}; read the card again with 'lpactl"
        " info --refresh', and restart the modem if the card still does not report it",
        retryable=True,
    )


def copies_later(run: Run, context: Context) -> bool:
    """Return whether notifications are copied after the caller has the result.

    Notifications are copied immediately during a guarded switch, which has to wait for its guard, and on a
    borrowed port, which lpad would otherwise borrow again. The same applies if another change, such as an
    overtaken download, has not ended, because that change's notifications must come later.
    """
    others = (each for each in context.changes() if each.id != run.change.id)
    return run.change.guard is None and context.card.hold is None and all(each.state.ended for each in others)


def holding_of(
    profiles: ProfileList, before: ProfileList | None = None, *, meant: Iccid | None = None
) -> Holding:
    """Return the state that a modem should read from a card with these profiles.

    Args:
        before: the list before a switch.
        meant: the profile in the request to the card, which counts if the card lists several as enabled.
    """
    claimed = frozenset(Iccid.parse(each.iccid) for each in profiles.profiles if each.enabled)
    enabled = meant if meant in claimed else next(iter(claimed)) if len(claimed) == 1 else None
    doubtful = claimed if enabled is None else frozenset[Iccid]()
    # The modem may still read deleted profiles, too; a profile that no longer has an ICCID may be enabled.
    deleted = before.profiles if before is not None and not profiles.unreadable else ()
    known = (*profiles.profiles, *deleted)
    perhaps = {each.iccid for each in profiles.profiles if each.state not in SURE_STATES}
    others = frozenset(Iccid.parse(each.iccid) for each in known if each.iccid not in perhaps)
    return Holding(enabled=enabled, others=others - {enabled} - doubtful)
