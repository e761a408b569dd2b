"""What each kind of change does to a card: one function each, in the table `OPERATIONS`.

All of them ask the card what holds before they act, since a verb whose wish is already true is done, and
again afterwards, since the card is the truth: an answer that was lost on the way is no failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError, CardRefused, Conflict, LpadError, NotFound
from lpad.base.identifiers import Iccid
from lpad.engine.change.change import RESCUE, Kind
from lpad.engine.operations.download import download
from lpad.engine.operations.probe import probe
from lpad.engine.operations.trust_check import check_trust
from lpad.engine.running.same_card import check_same_card
from lpad.engine.snapshot import reading
from lpad.engine.switch.asking_again import when_not_busy
from lpad.engine.switch.guarded_switch import guarded_switch
from lpad.engine.switch.switch import PLAIN, Purpose, attempt, prepared, switch, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lpad.engine.change.change import Json
    from lpad.engine.running.context import Means
    from lpad.engine.running.run import Job

    Operation = Callable[[Job, Means], dict[str, Json]]


def enable(job: Job, means: Means) -> dict[str, Json]:
    """Enable a profile; the one enabled before is disabled by the card."""
    if job.params.get("guard") is not None:
        return guarded_switch(job, means, iccid=str(job.params["iccid"]))
    return switch(job, means, iccid=str(job.params["iccid"]), enabled=True, purpose=_purpose(job))


def disable(job: Job, means: Means) -> dict[str, Json]:
    """Disable a profile."""
    return switch(job, means, iccid=str(job.params["iccid"]), enabled=False, purpose=_purpose(job))


def _purpose(job: Job) -> Purpose:
    # As it is on the way back from a guarded switch: neither refused by the settings nor counted.
    return Purpose(step="go-back") if job.change.origin == RESCUE else PLAIN


def delete(job: Job, means: Means) -> dict[str, Json]:
    """Delete a profile that is not enabled; with `missing_ok` one that isn't there is done."""
    iccid = str(job.params["iccid"])
    deadline = Deadline.after(means.patience.switch)
    job.step("read-profiles")
    with means.card.session(deadline=deadline) as euicc:
        check_same_card(job, euicc, deadline=deadline)
        profile = reading.find(reading.read_profiles(euicc, deadline=deadline), iccid)
        if profile is None:
            if job.params.get("missing_ok"):
                return {"iccid": iccid, "already": True}
            raise NotFound(f"can't delete: the card holds no profile {iccid}")
        means.card.port.policy.check_delete(iccid)
        if profile.enabled:
            raise Conflict(f"can't delete profile {iccid}: it is enabled; disable it or enable another first")
        # What earlier events of this profile have to tell must not go with it.
        means.outbox.collect(euicc, means.observe(euicc, deadline).eid or "", deadline=deadline)
        job.irreversible("delete-profile", iccid=iccid)
        lost = attempt(lambda: euicc.delete_profile(Iccid.parse(iccid), deadline=deadline))
    verify(
        job,
        means,
        lambda seen: reading.find(seen, iccid) is None,
        lost=lost,
        wanted=f"profile {iccid} is deleted",
        deadline=deadline,
    )
    return {"iccid": iccid, "already": False}


def rename(job: Job, means: Means) -> dict[str, Json]:
    """Give a profile a nickname; an empty one takes it away."""
    iccid, nickname = str(job.params["iccid"]), str(job.params["nickname"])
    deadline = Deadline.after(means.patience.read)
    job.step("read-profiles")
    with means.card.session(deadline=deadline) as euicc:
        check_same_card(job, euicc, deadline=deadline)
        profile = reading.find(reading.read_profiles(euicc, deadline=deadline), iccid)
        if profile is None:
            raise NotFound(f"can't rename: the card holds no profile {iccid}")
        already = (profile.nickname or "") == nickname
        if not already:
            job.irreversible("set-nickname", iccid=iccid)
            euicc.set_nickname(Iccid.parse(iccid), nickname, deadline=deadline)
        means.observe(euicc, deadline)
    return {"iccid": iccid, "nickname": nickname, "already": already}


def set_default_smdp(job: Job, means: Means) -> dict[str, Json]:
    """Write the default SM-DP+ address into the card; an empty one takes it away."""
    address = str(job.params["default_smdp"])
    deadline = Deadline.after(means.patience.read)
    job.step("read-addresses")
    with means.card.session(deadline=deadline) as euicc:
        check_same_card(job, euicc, deadline=deadline)
        already = (reading.read_addresses(euicc, deadline=deadline).default_smdp or "") == address
        if not already:
            job.irreversible("set-default-dp-address")
            euicc.set_default_dp_address(address, deadline=deadline)
        means.observe(euicc, deadline, whole=True)
    return {"default_smdp": address, "already": already}


def reset(job: Job, means: Means) -> dict[str, Json]:
    """Delete profiles by class, enabled ones too, and the default SM-DP+ address, as asked."""
    operational = bool(job.params["operational_profiles"])
    test = bool(job.params["test_profiles"])
    address = bool(job.params["default_smdp"])
    deadline = Deadline.after(means.patience.switch)
    doomed = reading.classes(operational=operational, test=test)
    refresh = prepared(job, means, deadline=deadline)

    def ask() -> tuple[bool, CardError | None]:
        """Return whether there was nothing to do, and what came in place of an answer."""
        job.step("read-profiles")
        with means.card.session(deadline=deadline) as euicc:
            check_same_card(job, euicc, deadline=deadline)
            seen = means.observe(euicc, deadline)
            means.card.port.policy.check_reset(seen.profiles, doomed=doomed)
            job.irreversible("euicc-memory-reset", reset=True)
            try:
                return False, attempt(
                    lambda: euicc.euicc_memory_reset(
                        operational_profiles=operational,
                        test_profiles=test,
                        default_smdp_address=address,
                        deadline=deadline,
                    )
                )
            except CardRefused as error:
                if error.details.get("reason") != "nothingToDelete":
                    raise
                return True, None

    already, lost = when_not_busy(ask, job=job, refresh=refresh, deadline=deadline)
    verify(
        job,
        means,
        lambda seen: not [profile for profile in seen if profile.profile_class in doomed],
        lost=lost,
        wanted="the memory is reset",
        refresh=None if already else refresh,
        refreshing=True,
        deadline=deadline,
    )
    return {"already": already}


def deliver_notifications(job: Job, means: Means) -> dict[str, Json]:
    """Try to deliver every pending notification now; with `seq` that one's recipient, set aside or not."""
    deadline = Deadline.after(means.patience.read)
    job.step("collect-notifications")
    with means.card.session(deadline=deadline) as euicc:
        eid = means.observe(euicc, deadline).eid or ""
    job.step("deliver-notifications")
    seq = job.params.get("seq")
    if seq is not None:
        means.outbox.make_due(eid, address=means.outbox.retry(eid, int(str(seq))).address)
    else:
        means.outbox.make_due(eid)
    delivery = means.outbox.deliver(eid=eid)
    if delivery.delivered:
        deadline = Deadline.after(means.patience.read)
        job.follow("remove-notifications")
        with means.card.session(deadline=deadline) as euicc:
            means.outbox.collect(euicc, eid, deadline=deadline)
    if delivery.errors:
        address, error = next(iter(delivery.errors.items()))
        raise _undelivered(delivery.delivered, address, error)
    return {"delivered": delivery.delivered}


def drop_notification(job: Job, means: Means) -> dict[str, Json]:
    """Give a notification up that was not delivered, and take it off the card."""
    seq = int(str(job.params["seq"]))
    deadline = Deadline.after(means.patience.read)
    job.step("collect-notifications")
    with means.card.session(deadline=deadline) as euicc:
        check_same_card(job, euicc, deadline=deadline)
        eid = means.observe(euicc, deadline).eid or ""
        stored = means.outbox.find(eid, seq)
        job.irreversible("drop-notification", eid=eid)
        means.outbox.drop(euicc, eid, seq, deadline=deadline)
    return {"seq": seq, "event": stored.event, "address": stored.address}


def refresh(job: Job, means: Means) -> dict[str, Json]:
    """Read the whole card anew."""
    deadline = Deadline.after(means.patience.read)
    job.step("read-card")
    with means.card.session(deadline=deadline) as euicc:
        means.observe(euicc, deadline, whole=True)
    return {}


def _undelivered(delivered: int, address: str, error: LpadError) -> LpadError:
    """Return the recipient's error, told as the change's."""
    again = type(error)(
        f"{delivered} delivered, but not all: {address}: {error.sentence} What was not delivered stays in the"
        " outbox and is tried again.",
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
}
