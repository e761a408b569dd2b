"""The operation of each kind of change: one function each, in the table `OPERATIONS`.

An operation that alters profiles or addresses reads the card before it acts, because a change whose goal is
already reached is done. The operation then reads the card again, because the card's state decides: a lost
answer is not a failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError, CardRefused, Conflict, LpadError
from lpad.base.identifiers import Iccid
from lpad.engine.change import params, results
from lpad.engine.change.change import CALLER, RESCUE, Kind
from lpad.engine.change.notes import DropNotes, ProfileNotes, ResetNotes, noting
from lpad.engine.operations.deleted_profile_cleanup import forget_deleted
from lpad.engine.operations.discover import discover
from lpad.engine.operations.download import download
from lpad.engine.operations.line_control import line
from lpad.engine.operations.probe import probe
from lpad.engine.operations.provision import provision, take_back
from lpad.engine.operations.restart_modem import restart_modem
from lpad.engine.operations.trust_check import check_trust
from lpad.engine.policy.going_offline import check_offline
from lpad.engine.running.same_card_check import check_same_card
from lpad.engine.snapshot import card_reading
from lpad.engine.switch.card_request_retry import ways, when_not_busy
from lpad.engine.switch.default_guard import enable_guarded
from lpad.engine.switch.verified_switch import (
    PLAIN,
    Purpose,
    attempt,
    prepared,
    switch,
    unaddressable,
    verify,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lpad.engine.change.results import Outcome, SwitchResult
    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run
    from lpad.engine.snapshot.profile_list import Listed, ProfileList

    Operation = Callable[[Run, Context], Outcome]


def enable(run: Run, context: Context) -> SwitchResult:
    """Enable a profile; the card disables the previous one."""
    asked = run.change.params_of(params.EnableParams)
    return enable_guarded(
        run, context, asked.guard, iccid=asked.iccid, without=asked.unguarded, purpose=_purpose(run)
    )


def disable(run: Run, context: Context) -> SwitchResult:
    """Disable a profile."""
    asked = run.change.params_of(params.DisableParams)
    purpose = _purpose(run)
    if run.change.origin == CALLER:

        def before(profiles: ProfileList, _wanted: Listed, _reads: object) -> None:
            _check_offline(context, asked, profiles)

        purpose = Purpose(before=before)
    return switch(run, context, iccid=asked.iccid, enabled=False, purpose=purpose)


def _check_offline(context: Context, asked: params.Params, profiles: ProfileList) -> None:
    port = context.card.port
    check_offline(asked, profiles, port.policy, behind_modem=port.device is not None)


def _purpose(run: Run) -> Purpose:
    # As in a rollback, the settings do not refuse this switch, and `switching.per_day` does not count it.
    return Purpose(step="go-back") if run.change.origin == RESCUE else PLAIN


def delete(run: Run, context: Context) -> results.DeleteResult:
    """Delete a profile that is not enabled; with `missing_ok`, a missing profile is not an error."""
    asked = run.change.params_of(params.DeleteParams)
    iccid = asked.iccid
    deadline = Deadline.after(context.timeouts.switch)
    run.step("read-profiles")
    with context.card.session(deadline=deadline) as euicc:
        check_same_card(run, euicc, deadline=deadline)
        profiles = card_reading.read_profiles(euicc, deadline=deadline)
        profile = profiles.find(iccid)
        if profile is None:
            if asked.missing_ok and profiles.lacks_name(iccid):
                return results.DeleteResult(iccid=iccid, already=True)
            raise profiles.missing(iccid, attempted="delete")
        context.card.port.policy.check_delete(profile)
        if profile.enabled:
            raise Conflict(
                f"cannot delete profile {iccid}: it is enabled; disable it or enable another first"
            )
        way = next(ways(profiles, profile, refresh=False), None)
        if way is None:
            raise unaddressable(iccid, attempted="delete")
        # Notifications of the profile's earlier events must not be lost with the profile.
        context.outbox.collect(euicc, context.observe(euicc, deadline).eid or "", deadline=deadline)
        run.irreversible("delete-profile", noting(ProfileNotes, iccid=profile.iccid, aid=profile.isdp_aid))
        lost = attempt(lambda: euicc.delete_profile(way.target, deadline=deadline))
    verify(
        run,
        context,
        # An unreadable entry may be the profile, unless the card has reported its deletion.
        lambda seen: seen.same(profile) is None and (lost is None or seen.lacks(profile)),
        lost=lost,
        wanted=f"profile {iccid} is deleted",
        deadline=deadline,
    )
    remark = forget_deleted(run, context, () if profile.iccid is None else (profile.iccid,))
    return results.DeleteResult(iccid=iccid, already=False, remark=remark)


def rename(run: Run, context: Context) -> results.RenameResult:
    """Give a profile a nickname; an empty nickname removes the present one."""
    asked = run.change.params_of(params.RenameParams)
    iccid, nickname = asked.iccid, asked.nickname
    deadline = Deadline.after(context.timeouts.read)
    run.step("read-profiles")
    with context.card.session(deadline=deadline) as euicc:
        check_same_card(run, euicc, deadline=deadline)
        profiles = card_reading.read_profiles(euicc, deadline=deadline)
        profile = profiles.find(iccid)
        if profile is None:
            raise profiles.missing(iccid, attempted="rename")
        already = (profile.nickname or "") == nickname
        if not already:
            # SGP.22 v2.5, 5.7.21 allows only the ICCID here.
            if profile.iccid is None or not profiles.means(profile.iccid, profile):
                raise Conflict(
                    f"cannot rename profile {iccid}: the card stores a nickname by ICCID only, which this"
                    " profile lacks or shares with another; only its AID identifies it"
                )
            twin = next((each for each in profiles.profiles if nickname and each.nickname == nickname), None)
            if twin is not None:
                raise Conflict(
                    f"cannot give profile {iccid} this nickname: profile {twin.iccid} has it already; choose"
                    " another one, or rename that profile first"
                )
            run.irreversible("set-nickname", noting(ProfileNotes, iccid=iccid))
            euicc.set_nickname(Iccid.parse(profile.iccid), nickname, deadline=deadline)
        context.observe(euicc, deadline)
    return results.RenameResult(iccid=iccid, nickname=nickname, already=already)


def set_default_smdp(run: Run, context: Context) -> results.SetDefaultSmdpResult:
    """Write the default SM-DP+ address into the card; an empty address removes the present one."""
    address = run.change.params_of(params.SetDefaultSmdpParams).default_smdp
    deadline = Deadline.after(context.timeouts.read)
    run.step("read-addresses")
    with context.card.session(deadline=deadline) as euicc:
        check_same_card(run, euicc, deadline=deadline)
        already = (card_reading.read_addresses(euicc, deadline=deadline).default_smdp or "") == address
        if not already:
            run.irreversible("set-default-dp-address")
            euicc.set_default_dp_address(address, deadline=deadline)
        context.observe(euicc, deadline, whole=True)
    return results.SetDefaultSmdpResult(default_smdp=address, already=already)


def reset(run: Run, context: Context) -> results.ResetResult:
    """Delete profiles by class, even enabled ones, and restore the default SM-DP+ address, as requested."""
    asked = run.change.params_of(params.ResetParams)
    operational, test = asked.operational_profiles, asked.test_profiles
    deadline = Deadline.after(context.timeouts.switch)
    doomed = card_reading.classes(operational=operational, test=test)
    refresh = prepared(run, context, deadline=deadline)
    iccids: list[str] = []

    def ask() -> tuple[bool, CardError | None]:
        """Send the reset; return whether there was nothing to delete, and `attempt`'s error, if any."""
        run.step("read-profiles")
        with context.card.session(deadline=deadline) as euicc:
            check_same_card(run, euicc, deadline=deadline)
            seen = context.observe(euicc, deadline)
            iccids[:] = [
                each.iccid for each in seen.listed.profiles if each.profile_class in doomed and each.iccid
            ]
            context.card.port.policy.check_reset(seen.listed, doomed=doomed)
            if run.change.origin == CALLER:
                _check_offline(context, asked, seen.listed)
            run.irreversible("euicc-memory-reset", noting(ResetNotes, reset=True, iccids=tuple(iccids)))
            try:
                return False, attempt(
                    lambda: euicc.euicc_memory_reset(
                        operational_profiles=operational,
                        test_profiles=test,
                        default_smdp_address=asked.default_smdp,
                        deadline=deadline,
                    )
                )
            except CardRefused as error:
                if error.details.get("reason") != "nothingToDelete":
                    raise
                return True, None

    already, lost = when_not_busy(ask, run=run, refresh=refresh, deadline=deadline)
    remark = verify(
        run,
        context,
        lambda seen: (
            not [profile for profile in seen if profile.profile_class in doomed]
            and (lost is None or not doomed or not seen.unreadable)
        ),
        lost=lost,
        wanted="the memory is reset",
        refresh=None if already else refresh,
        refreshing=True,
        deadline=deadline,
    )
    gone = () if already else tuple(iccids)
    left = forget_deleted(run, context, gone)
    return results.ResetResult(already=already, remark=remark or left, deleted=gone)


def deliver_notifications(run: Run, context: Context) -> results.DeliverNotificationsResult:
    """Try to deliver every pending notification of the card now.

    With `seq`, only the queue of the recipient of this notification becomes due, including the notification
    itself if it was set aside.
    """
    deadline = Deadline.after(context.timeouts.read)
    run.step("collect-notifications")
    with context.card.session(deadline=deadline) as euicc:
        context.outbox.ask_again(str(euicc.get_eid(deadline=deadline)))
        eid = context.observe(euicc, deadline).eid or ""
    run.step("deliver-notifications")
    seq = run.change.params_of(params.DeliverNotificationsParams).seq
    if seq is not None:
        context.outbox.make_due(eid, address=context.outbox.retry(eid, seq).address)
    else:
        context.outbox.make_due(eid)
    delivery = context.outbox.deliver(eid=eid, interruption=run.interruption)
    if delivery.delivered:
        deadline = Deadline.after(context.timeouts.read)
        run.follow("remove-notifications")
        with context.card.session(deadline=deadline) as euicc:
            context.outbox.collect(euicc, eid, deadline=deadline)
    if delivery.errors:
        address, error = next(iter(delivery.errors.items()))
        raise _undelivered(delivery.delivered, address, error)
    return results.DeliverNotificationsResult(delivered=delivery.delivered)


def drop_notification(run: Run, context: Context) -> results.DropNotificationResult:
    """Drop an undelivered notification, and remove it from the card."""
    seq = run.change.params_of(params.DropNotificationParams).seq
    deadline = Deadline.after(context.timeouts.read)
    run.step("collect-notifications")
    with context.card.session(deadline=deadline) as euicc:
        check_same_card(run, euicc, deadline=deadline)
        eid = context.observe(euicc, deadline).eid or ""
        stored = context.outbox.find(eid, seq)
        run.irreversible("drop-notification", noting(DropNotes, eid=eid))
        context.outbox.drop(euicc, eid, seq, deadline=deadline)
    return results.DropNotificationResult(seq=seq, event=stored.event, address=stored.address)


def refresh(run: Run, context: Context) -> results.RefreshResult:
    """Read the whole card again."""
    deadline = Deadline.after(context.timeouts.read)
    run.step("read-card")
    with context.card.session(deadline=deadline) as euicc:
        context.observe(euicc, deadline, whole=True)
    return results.RefreshResult()


def _undelivered(delivered: int, address: str, error: LpadError) -> LpadError:
    """Return the recipient's error as the change's error."""
    again = type(error)(
        f"{delivered} delivered, but not all: {address}: {error.sentence}; undelivered notifications "
        "stay in the outbox and are retried",
        retryable=error.retryable,
        **error.details,
    )
    again.__cause__ = error
    return again


OPERATIONS: Mapping[Kind, Operation] = {
    Kind.DOWNLOAD: download,
    Kind.ENABLE: enable,
    Kind.DISABLE: disable,
    Kind.DELETE: delete,
    Kind.RENAME: rename,
    Kind.SET_DEFAULT_SMDP: set_default_smdp,
    Kind.RESET: reset,
    Kind.DELIVER_NOTIFICATIONS: deliver_notifications,
    Kind.DROP_NOTIFICATION: drop_notification,
    Kind.REFRESH: refresh,
    Kind.PROBE: probe,
    Kind.CHECK_TRUST: check_trust,
    Kind.RESTART_MODEM: restart_modem,
    Kind.PROVISION: provision,
    Kind.LINE: line,
    Kind.DISCOVER: discover,
}

TAKEN_BACK: Mapping[Kind, Callable[[Run, Context], str | None]] = {Kind.PROVISION: take_back}
"""Functions that undo a cancelled change at a server; each returns a sentence about the remaining
reservation, or None if nothing remains."""
