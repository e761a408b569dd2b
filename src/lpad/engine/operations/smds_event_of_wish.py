"""The event at an SM-DS that leads to a reserved profile, if the platform gives no code for it.

The event and the order share no identifier, so lpad tries the card's first event that it has not handled. If
that event leads to a profile other than the reserved one, that profile is not enabled; see `provision`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.activation_code import ActivationCode
from lpad.base.errors import ServerUnreachable
from lpad.base.server_address import ServerAddress
from lpad.engine.change.change import PauseReason
from lpad.engine.discovery.smds_event_states import (
    EventState,
    after_discovery,
    after_downloads,
    begun,
    may_begin,
    refused,
)
from lpad.engine.fulfilment.platform_pause import later
from lpad.engine.operations.discover import ask_servers

if TYPE_CHECKING:
    from lpad.base.errors import LpadError, ServerRefused
    from lpad.engine.discovery.smds_event_states import KnownEvent
    from lpad.engine.fulfilment.wish_progress import OpenWish
    from lpad.engine.running.run import Postponed

log = logging.getLogger(__name__)

ASK_EVERY = 60.0
"""The minimum number of seconds between two queries to the SM-DSs for one wish."""


def awaited_event(wish: OpenWish) -> ActivationCode:
    """Return an activation code with the server and the ID of the event for the reserved profile.

    The event is stored before it is returned, so that an interrupted download continues with it.

    Raises:
        Postponed: no SM-DS lists such an event yet, or none answered.
        Conflict: neither the card nor the settings name an SM-DS, or another card is in the card's place.
        CardError: the card failed.
        JournalUnavailable: the journal cannot be written.
    """
    if wish.record.event is None:
        event = _listed(wish)
        wish.keep(event=event.key, looks=0, next_look_at=None)
        log.info("change %d: an SM-DS lists an event at %s", wish.run.change.id, event.server)
    assert wish.record.event is not None, "it was stored"
    events = wish.context.events
    events.put(wish.eid, begun(events.known(wish.eid), wish.record.event, change=wish.run.change.id))
    server, event_id = wish.record.event
    return ActivationCode(ServerAddress.parse(server), event_id)


def refuse_event(wish: OpenWish, error: ServerRefused) -> Postponed:
    """Note that a server refused the event permanently; return the pause until lpad queries the SM-DSs again.

    The refusal does not use up the order, whose state the platform reports.
    """
    assert wish.record.event is not None, "the download belonged to an event"
    events = wish.context.events
    events.put(wish.eid, refused(events.known(wish.eid), wish.record.event, why=error.sentence))
    wish.keep(event=None)
    return later(wish, error.sentence, least=ASK_EVERY, error=error)


def _listed(wish: OpenWish) -> KnownEvent:
    run, events = wish.run, wish.context.events
    eid, found = ask_servers(run, wish.context, (), patient=False)
    present = run.now()
    failures = [each.error for each in found.servers if each.error is not None]
    if failures and len(failures) == len(found.servers):
        raise _troubled(wish, failures[0])
    known = after_discovery(
        after_downloads(events.known(eid), wish.context.changes(), at=present),
        found,
        discovery=run.change.id,
        install=False,
        at=present,
    )
    events.put(eid, known)
    listed = {(str(each.entry.address), each.entry.event_id) for each in found.events}
    here = [each for each in known if each.key in listed]
    for event in here:
        if event.state in (EventState.LISTED, EventState.FAILED) and may_begin(event, present):
            return event
    forbidden = [each.server for each in here if each.state is EventState.FORBIDDEN]
    raise later(
        wish,
        f"the profile is available at the platform '{wish.record.platform}', which announces it at an SM-DS;"
        + (
            f" the event there leads to {forbidden[0]}, which 'policy.servers' does not allow"
            if forbidden
            else " no SM-DS lists an event for it yet"
        )
        + "; lpad checks again",
        least=ASK_EVERY,
    )


def _troubled(wish: OpenWish, error: LpadError) -> Postponed:
    reason = PauseReason.NETWORK if isinstance(error, ServerUnreachable) else PauseReason.PLATFORM
    return later(wish, error.sentence, least=ASK_EVERY, error=error, reason=reason)
