"""A profile from an operator's platform: found or ordered, waited for, downloaded and enabled.

    wished ─► find ─► ordered ─► waiting ─► activating ─► downloading ─► enabling ─► reported
                 └─ adopted ─────────▲          └─► event ──────▲

Each action at the platform is in the journal before it begins. After an interruption, or an unclear answer,
lpad queries the platform before it repeats anything, so that one wish never leads to two orders. The platform
is authoritative for orders, the card for installed profiles, and the journal for the request.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import asdict

from lpad.base.errors import Conflict, JournalUnavailable, LpadError, ServerRefused
from lpad.codec.server_status_codes import Remedy
from lpad.engine.change.change import Failure, Pause, PauseReason, now
from lpad.engine.change.notes import Notes, ProfileNotes, ProvisionNotes, noting
from lpad.engine.change.results import ProvisionResult
from lpad.engine.fulfilment.line_activation import activate, activate_again, activate_installed
from lpad.engine.fulfilment.platform_order import reserved
from lpad.engine.fulfilment.platform_pause import await_place, later
from lpad.engine.fulfilment.reservation_release import release
from lpad.engine.fulfilment.reserved_profile_availability import available
from lpad.engine.fulfilment.user_question import ask_second_order, follow_answer
from lpad.engine.fulfilment.wish_progress import OpenWish
from lpad.engine.operations.download import download
from lpad.engine.operations.smds_event_of_wish import awaited_event, refuse_event
from lpad.engine.provisioning import query_times
from lpad.engine.running.run import Postponed
from lpad.engine.running.same_card_check import check_same_eid
from lpad.network.network_settings import NetworkSettings
from lpad.provisioning.declared.answer_reading import same_iccid
from lpad.provisioning.platform_interface import Activates

if TYPE_CHECKING:
    from lpad.engine.provisioning.platforms import NamedPlatform
    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run

log = logging.getLogger(__name__)

UNWRITTEN = 300.0
"""Seconds until the next attempt while the journal cannot be written; once it can be written, lpad retries
immediately."""
CODE = "activation_code"
"""The name of the secret with a download's activation code."""


def provision(run: Run, context: Context) -> ProvisionResult:
    """Get a profile from a platform, according to the change's parameters.

    Raises:
        Postponed: lpad must ask the platform again later.
        Conflict: for example, another card is in the card's place, or no more orders are allowed today.
        Declined: a user rejected another order.
        PlatformRefused: the platform refused.
        LpadError: as `download` and `awaited_event` raise it.
    """
    wish = OpenWish(run, context)
    try:
        if run.change.guard is None and not run.notes_of(ProvisionNotes).iccid:
            _reach_ticket(wish)
        return _install(wish)
    except JournalUnavailable as error:
        present = now()
        pause = Pause(
            reason=PauseReason.JOURNAL,
            since=present,
            retry_at=present + timedelta(seconds=UNWRITTEN),
            error=Failure.of(error),
        )
        raise Postponed(pause, failed=True, notes=noting(Notes, due=run.now().steady + UNWRITTEN)) from error


def take_back(run: Run, context: Context) -> str | None:
    """Release the reservation if the platform accepts this, because the change was cancelled.

    Returns:
        A sentence about the remaining reservation; None if nothing remains.
    """
    return release(OpenWish(run, context))


def _reach_ticket(wish: OpenWish) -> None:
    """Get the activation code; as long as the platform is not ready, raise Postponed."""
    _check_card(wish)
    wish.context.environment.clock.check()
    if _is_fulfilled(wish):
        activate_again(wish)
        return
    platform = _platform(wish)
    wish.keep(change=wish.run.change.id)
    follow_answer(wish)
    if not platform.can.orders:
        return
    if wish.is_hint:
        await_place(wish, platform)
    with platform.opened() as open_platform:
        reservation = reserved(wish, open_platform)
        reservation = available(wish, open_platform, reservation)
        if platform.can.activates is Activates.BEFORE:
            activate(wish, open_platform, reservation)
    ticket = reservation.ticket if reservation.ticket is not None else awaited_event(wish)
    wish.run.keep_secret(CODE, str(ticket))


def _install(wish: OpenWish) -> ProvisionResult:
    """Download and enable the profile, and close the wish."""
    try:
        result = download(wish.run, wish.context, installed=lambda iccid: _installed(wish, iccid))
    except ServerRefused as error:
        # Only the server knows whether the code is used up; a card's refusal does not show this.
        if error.details.get("remedy") == Remedy.PERMANENT:
            if wish.record.event is not None:
                raise refuse_event(wish, error) from error
            if wish.platform is not None and not wish.platform.can.orders:
                raise  # the profile comes from the default SM-DP+, and no order is used up
            wish.keep(spent=error.sentence)
            if wish.record.reservation is not None:
                ask_second_order(wish, error.sentence)
        raise
    wish.close()
    wish.tell("fulfilled", iccid=result.iccid)
    return ProvisionResult(platform=wish.record.platform, **asdict(result))


def _installed(wish: OpenWish, iccid: str) -> None:
    """Check, before the profile is enabled, that it is the reserved one, and activate its line."""
    reserved_iccid = wish.record.reservation.iccid if wish.record.reservation is not None else None
    if reserved_iccid is not None and not same_iccid(reserved_iccid, iccid):
        wish.keep(spent="the platform and the server name different profiles")
        raise Conflict(
            f"the downloaded profile {iccid} differs from the profile that the platform "
            f"'{wish.record.platform}' reserved, which is profile {reserved_iccid}; it is installed but not"
            " enabled: ask the operator, then enable or delete it",
            installed=iccid,
            reserved=reserved_iccid,
        )
    _keep_apn(wish, iccid)
    activate_installed(wish, iccid)


def _keep_apn(wish: OpenWish, iccid: str) -> None:
    """Store the reservation's APN, so that the data connection follows the switch."""
    apn = wish.record.reservation.apn if wish.record.reservation is not None else None
    if apn is None:
        return
    try:
        wish.context.networks.put_ordered(
            iccid, NetworkSettings(apn=apn), change=wish.run.change.id, eid=wish.context.snapshot().eid
        )
    except LpadError as error:
        log.warning("change %d: cannot store the platform's APN: %s", wish.run.change.id, error)


def _check_card(wish: OpenWish) -> None:
    try:
        check_same_eid(wish.run, wish.context.snapshot().eid)
    except Conflict as error:
        left = release(wish)
        raise Conflict(f"{error.sentence}{f'; {left}' if left else ''}") from error


def _is_fulfilled(wish: OpenWish) -> bool:
    """Return whether the card already contains the reserved profile; if it does, note the profile's ICCID."""
    reserved_iccid = wish.record.reservation.iccid if wish.record.reservation is not None else None
    if reserved_iccid is None:
        return False
    held = (each.iccid for each in wish.context.snapshot().listed.profiles)
    found = [each for each in held if same_iccid(reserved_iccid, each)]
    if len(found) != 1:
        return False
    wish.run.note(noting(ProfileNotes, iccid=found[0]))
    return True


def _platform(wish: OpenWish) -> NamedPlatform:
    platform, name = wish.platform, wish.record.platform
    if platform is not None:
        return platform
    if not wish.record.paid:
        raise Conflict(f"the settings list no platform '{name}'; 'lpad platform list' shows the names")
    raise later(
        wish,
        f"the settings no longer list the platform '{name}', which has a profile for this card; lpad waits"
        " until they list it again, or until this change is cancelled",
        least=query_times.BACKOFF.seconds[-1],
    )
