"""Discovery as a change: query the SM-DSs, and remember the events for the card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import Conflict
from lpad.base.server_address import ServerAddress
from lpad.engine.change.change import DISCOVERY
from lpad.engine.change.params import DiscoverParams
from lpad.engine.change.results import AskedSmds, DiscoverResult, ShownEvent
from lpad.engine.discovery.smds_event_states import after_discovery, after_downloads
from lpad.engine.discovery.smds_event_store import is_unsent
from lpad.engine.operations.download import device_of
from lpad.engine.running.same_card_check import check_same_card
from lpad.lpa.discovery import Discovery, usable_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run
    from lpad.lpa.discovery import AskedServer, Discovered
    from lpad.lpa.euicc import Euicc


def discover(run: Run, context: Context) -> DiscoverResult:
    """Ask the SM-DSs for the events of the card; with `install`, lpad then downloads their profiles.

    Raises:
        Conflict: neither the card nor the settings name an SM-DS, or another card is in the card's place.
        ServerError, CardRefused: no SM-DS answered; the error is that of the first SM-DS to which lpad could
            send the query, or else of the first SM-DS.
        CardError: the card failed.
    """
    asked = run.change.params_of(DiscoverParams)
    eid, found = ask_servers(run, context, asked.servers, patient=run.change.origin == DISCOVERY)
    present = run.now()
    failures = [each.error for each in found.servers if each.error is not None]
    if failures and len(failures) == len(found.servers):
        # If one server failed and another was not queried because there was no network, the failure explains
        # more.
        raise next((each for each in failures if not is_unsent(each)), failures[0])
    known = after_discovery(
        after_downloads(context.events.known(eid), context.changes(), at=present),
        found,
        discovery=run.change.id,
        install=asked.install,
        confirm=asked.confirm,
        unasked=run.change.origin == DISCOVERY,
        at=present,
    )
    context.events.put(eid, known)
    return DiscoverResult(
        servers=tuple(map(_shown, found.servers)),
        events=tuple(
            ShownEvent(
                event_id=each.event_id,
                server=each.server,
                listed_by=each.listed_by,
                state=each.state,
                change=each.change,
                iccid=each.iccid,
                why=each.why,
            )
            for each in known
        ),
        left_off=found.left_off,
    )


def ask_servers(
    run: Run, context: Context, servers: Sequence[str], *, patient: bool
) -> tuple[str, Discovered]:
    """Ask SM-DSs for the events of the card, and note which of them failed.

    Args:
        servers: the SM-DSs' addresses; empty: the card's own SM-DS, and those of the settings.
        patient: whether to skip the SM-DSs that failed recently.

    Returns:
        The card's EID, and the result.

    Raises:
        Conflict: as `discover`, or every SM-DS failed recently.
        CardError: the card failed.
    """
    context.environment.clock.check()
    deadline = Deadline.after(context.timeouts.download, cancellation=run.interruption)
    with context.card.session(deadline=deadline) as euicc:
        check_same_card(run, euicc, deadline=deadline)
        eid = context.observe(euicc, deadline).eid or ""
        if servers:
            asked = list(map(ServerAddress.parse, servers))
        else:
            asked = list(_known_servers(run, context, euicc, eid, deadline, patient=patient))
        found = Discovery(
            euicc,
            lambda address: context.connect(address, eid),
            device=device_of(context),
            eid=eid or None,
            check_server=context.install_policy().check_server,
            on_server=lambda _: run.step("ask-sm-ds"),
        ).run(asked, deadline=deadline)
    context.events.asked(eid, found.servers, at=run.now())
    return eid, found


def _known_servers(
    run: Run, context: Context, euicc: Euicc, eid: str, deadline: Deadline, *, patient: bool
) -> Iterator[ServerAddress]:
    """Yield the SM-DSs of the card and of the settings; if `patient`, without those that failed recently."""
    run.step("read-addresses")
    named = euicc.get_euicc_configured_addresses(deadline=deadline)
    own = [usable_root(text) for text in (named.root_ds_address or "", *named.additional_root_ds_addresses)]
    all_of_them = dict.fromkeys(
        [*(each for each in own if each is not None), *context.card.port.discovery.servers]
    )
    if not all_of_them:
        raise Conflict(
            "cannot discover: neither the card nor the settings name an SM-DS that can be asked; name one in"
            " 'discovery.servers', or with 'lpactl discover --server ADDRESS'"
        )
    if not patient:
        yield from all_of_them
        return
    present = run.now()
    due = [each for each in all_of_them if not context.events.waits_for(eid, each, at=present)]
    if not due:
        raise Conflict("cannot discover: every SM-DS failed recently; lpad asks them again automatically")
    yield from due


def _shown(asked: AskedServer) -> AskedSmds:
    error = asked.error
    return AskedSmds(
        address=str(asked.address),
        events=asked.events,
        kind=error.kind if error is not None else None,
        error=error.sentence if error is not None else None,
    )
