"""Settling of changes that were cut off by a restart or by the loss of the card.

The card's state decides; the journal contains the request. A change whose goal is reached is done, even if
its answer was lost; any other change fails. Nothing is sent to the card: the caller decides whether to repeat
the request. A change that is done may still need work outside of the card (`takes_work`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import CardUnreachable, Conflict, LpadError
from lpad.engine.change import params, results
from lpad.engine.change.change import EID, Kind, State
from lpad.engine.change.notes import DownloadNotes, DropNotes, ProfileNotes, ResetNotes
from lpad.engine.recovery.interrupted_download import refusal_of
from lpad.engine.snapshot import card_reading
from lpad.engine.snapshot.profile_list import SURE_STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lpad.engine.change.change import Change
    from lpad.engine.change.notes import Notes
    from lpad.engine.change.results import Result
    from lpad.engine.journal import Private, StoredNotification
    from lpad.engine.snapshot.snapshot import Snapshot

    Verdict = Result | LpadError
    Judge = Callable[[Change, Private, Snapshot, list[StoredNotification]], Verdict]


RESTARTS = 10
"""The maximum number of repetitions of a download or a discovery that the daemon's end has cut off."""


def judge(
    change: Change, private: Private, card: Snapshot, notifications: list[StoredNotification]
) -> Verdict:
    """Return the result of an interrupted change that reached its goal, or the error of any other.

    Args:
        change: the record, running when lpad ended, or waiting for its card.
        private: the change's secrets and notes, which show the irreversible steps that were begun.
        notifications: copies of the card's notifications.
    """
    meant = private.secrets.get(EID)
    if meant is not None and card.eid != meant and JUDGES[change.kind] is not _harmless:
        return Conflict(
            f"{change.kind} was cut off by {_what(change)}, and another card (with another EID) is in its"
            " place now; once the first card is back, lpad determines what it did. 'lpactl info' shows"
            " the present card",
            interrupted=True,
        )
    return JUDGES[change.kind](change, private, card, notifications)


def goes_on(change: Change) -> bool:
    """Return whether an interrupted change is resumed instead of judged, as a guarded switch is."""
    return change.state is not State.QUEUED and change.guard is not None


def is_endless(change: Change) -> bool:
    """Return whether an interrupted change waits for its absent card without a time limit."""
    patient = isinstance(change.params, params.DownloadParams) and change.params.when_online
    return goes_on(change) or patient


def is_found_out(change: Change, notes: Notes) -> bool:
    """Return whether the card's state shows the result of an interrupted change; never for a guarded change.

    The card shows the result of a single command. The card also decides the result of a download whose
    loading has begun, because the last segment may have arrived.
    """
    loading = isinstance(notes, DownloadNotes) and bool(notes.iccid)
    return change.guard is None and (loading or change.kind in _ONE_COMMAND)


def is_left_to_card(notes: Notes) -> bool:
    """Return whether the change only waits for the card to show its result."""
    return notes.absence is not None


def takes_work(change: Change) -> bool:
    """Return whether a change whose goal is reached still needs work outside of the card.

    The modem may not have noticed the change, and the owner's programs may not have been informed of it.
    """
    return change.kind.downloads or change.kind in (Kind.ENABLE, Kind.DISABLE, Kind.DELETE, Kind.RESET)


def left_disabled(change: Change, result: Result, notes: Notes) -> CardUnreachable | None:
    """Return the error of a download that installed its profile but did not enable it; None: no error."""
    asked = change.params
    if not (isinstance(asked, params.DownloadParams) and isinstance(result, results.DownloadResult)):
        return None
    if not asked.enable or result.enabled:
        return None
    iccid = (isinstance(notes, DownloadNotes) and notes.iccid) or result.iccid
    error = _cut_off(change, f"profile {iccid} is installed, but not enabled", remedy="enable it")
    error.details["installed"] = iccid
    return error


def is_tried_again(change: Change, private: Private) -> bool:
    """Return whether an interrupted change is carried out again: a discovery, or a download with retries.

    A download first checks the earlier attempt's result; a discovery changes nothing. A change that ends the
    daemon each time is finally judged by the card's state.
    """
    asked = change.params
    wanted = isinstance(asked, params.DiscoverParams) or (
        isinstance(asked, params.DownloadParams) and (bool(asked.retry_for) or asked.when_online)
    )
    return wanted and not is_left_to_card(private.notes) and private.notes.restarts < RESTARTS


def _switched(
    change: Change, private: Private, card: Snapshot, _notifications: list[StoredNotification]
) -> Verdict:
    iccid, aid = _names(change, private)
    profile = card.listed.named(iccid) or card.listed.named(aid)
    if profile is not None and profile.state == ("enabled" if change.kind is Kind.ENABLE else "disabled"):
        return results.SwitchResult(iccid=card.listed.address(profile) or iccid, settled=True)
    if profile is None:
        return _cut_off(change, _absent(card, iccid, aid))
    state = profile.state if profile.state in SURE_STATES else "in a state that cannot be read"
    return _cut_off(change, f"profile {iccid} is {state}")


def _deleted(
    change: Change, private: Private, card: Snapshot, _notifications: list[StoredNotification]
) -> Verdict:
    iccid, aid = _names(change, private)
    if any(card.listed.lacks_name(name) for name in (iccid, aid) if name is not None):
        return results.DeleteResult(iccid=iccid, settled=True)
    if (card.listed.named(iccid) or card.listed.named(aid)) is None:
        return _cut_off(change, _absent(card, iccid, aid))
    return _cut_off(change, f"profile {iccid} is still on the card")


def _renamed(
    change: Change, _private: Private, card: Snapshot, _notifications: list[StoredNotification]
) -> Verdict:
    asked = change.params_of(params.RenameParams)
    iccid, nickname = asked.iccid, asked.nickname
    profile = card.listed.named(iccid)
    if profile is not None and (profile.nickname or "") == nickname:
        return results.RenameResult(iccid=iccid, nickname=nickname, settled=True)
    return _cut_off(change, f"profile {iccid} has its old name")


def _addressed(
    change: Change, _private: Private, card: Snapshot, _notifications: list[StoredNotification]
) -> Verdict:
    wanted = change.params_of(params.SetDefaultSmdpParams).default_smdp
    if card.addresses is not None and (card.addresses.default_smdp or "") == wanted:
        return results.SetDefaultSmdpResult(default_smdp=wanted, settled=True)
    return _cut_off(change, "the card has its old address")


def _reset(
    change: Change, private: Private, card: Snapshot, _notifications: list[StoredNotification]
) -> Verdict:
    asked = change.params_of(params.ResetParams)
    doomed = card_reading.classes(operational=asked.operational_profiles, test=asked.test_profiles)
    left = [profile for profile in card.profiles if profile.profile_class in doomed]
    unreadable = len(card.unreadable) if doomed else 0
    begun = isinstance(private.notes, ResetNotes) and private.notes.reset
    if begun and not left and not unreadable:
        gone = private.notes.iccids if isinstance(private.notes, ResetNotes) else ()
        return results.ResetResult(settled=True, deleted=gone)
    others = f", and {unreadable} more that cannot be read" if unreadable else ""
    return _cut_off(change, f"{len(left)} of the profiles to be deleted are still on the card{others}")


def _downloaded(
    change: Change, private: Private, card: Snapshot, notifications: list[StoredNotification]
) -> Verdict:
    notes = private.notes
    iccid = notes.iccid if isinstance(notes, DownloadNotes) else None
    if not iccid or not isinstance(notes, DownloadNotes):
        return _cut_off(change, "the card had not begun to load the profile")
    profile = card.listed.named(iccid)
    if profile is not None and not notes.held_before:
        return results.DownloadResult(
            iccid=card.listed.address(profile) or iccid,
            isdp_aid=profile.isdp_aid,
            profile=card_reading.shown(profile),
            enabled=profile.enabled,
            settled=True,
        )
    refusal = refusal_of(notes, notifications)
    if refusal is not None:
        return refusal
    if not card.listed.lacks_name(iccid):
        return _cut_off(change, f"profile {iccid} was being loaded, and {_absent(card, iccid, None)}")
    return _cut_off(change, f"profile {iccid} was being loaded and is not on the card")


def _dropped(
    change: Change, private: Private, _card: Snapshot, notifications: list[StoredNotification]
) -> Verdict:
    seq = change.params_of(params.DropNotificationParams).seq
    left = any(stored.seq == seq and not stored.removable for stored in notifications)
    begun = isinstance(private.notes, DropNotes) and private.notes.eid is not None
    if begun and not left:
        return results.DropNotificationResult(seq=seq, settled=True)
    return _cut_off(change, f"notification {seq} is still in the outbox")


def _harmless(
    change: Change, _private: Private, _card: Snapshot, _notifications: list[StoredNotification]
) -> Verdict:
    if change.kind is Kind.REFRESH:
        return results.RefreshResult(settled=True)
    if change.kind is Kind.RESTART_MODEM:
        return _cut_off(change, "the modem is powered up again")
    if change.kind is Kind.LINE:
        return _cut_off(
            change,
            "the platform may have carried out the request",
            remedy="'lpactl line show' asks the platform, and a repeated request changes nothing twice",
        )
    if change.kind in (Kind.PROBE, Kind.CHECK_TRUST, Kind.DISCOVER):
        return _cut_off(change, "nothing is changed")
    return _cut_off(change, "pending notifications stay in the outbox")


def _names(change: Change, private: Private) -> tuple[str, str | None]:
    """Return the name of the requested profile, and its AID when the change began; None: no AID is known."""
    aid = private.notes.aid if isinstance(private.notes, ProfileNotes) else None
    return change.params_of(params.ProfileParams).iccid, aid


def _absent(card: Snapshot, iccid: str, aid: str | None) -> str:
    """Return a clause for an error: the profile is not on the card, or not among the readable profiles."""
    if any(card.listed.lacks_name(name) for name in (iccid, aid) if name is not None):
        return f"profile {iccid} is not on the card"
    return (
        f"profile {iccid} is not among the readable profiles, and {len(card.unreadable)} others are"
        " unreadable"
    )


def _cut_off(
    change: Change, state: str, *, remedy: str = "repeat the request if you still want it"
) -> CardUnreachable:
    return CardUnreachable(
        f"{change.kind} was cut off by {_what(change)}; now {state}; {remedy}",
        interrupted=True,
    )


def unknown(change: Change) -> CardUnreachable:
    """Return the error for a change whose card did not come back in time."""
    return CardUnreachable(
        f"{change.kind} was cut off by {_what(change)} before the card had answered, and the card did not"
        " come back in time; once the card is back, check whether the change was carried out, and repeat the"
        " request if needed",
        interrupted=True,
        outcome="unknown",
    )


def _what(change: Change) -> str:
    return "a restart of lpad or of the device" if change.pause is None else "the loss of the card"


_ONE_COMMAND = frozenset(
    {Kind.ENABLE, Kind.DISABLE, Kind.DELETE, Kind.RENAME, Kind.SET_DEFAULT_SMDP, Kind.RESET}
)


JUDGES: Mapping[Kind, Judge] = {
    Kind.DOWNLOAD: _downloaded,
    Kind.PROVISION: _downloaded,
    Kind.ENABLE: _switched,
    Kind.DISABLE: _switched,
    Kind.DELETE: _deleted,
    Kind.RENAME: _renamed,
    Kind.SET_DEFAULT_SMDP: _addressed,
    Kind.RESET: _reset,
    Kind.DELIVER_NOTIFICATIONS: _harmless,
    Kind.DROP_NOTIFICATION: _dropped,
    Kind.REFRESH: _harmless,
    Kind.PROBE: _harmless,
    Kind.CHECK_TRUST: _harmless,
    Kind.RESTART_MODEM: _harmless,
    Kind.LINE: _harmless,
    Kind.DISCOVER: _harmless,
}
