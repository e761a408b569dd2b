"""The API's handlers for cards, their profiles and their notifications."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

from lpad.api.handlers.platforms_and_wishes import line_view, wish_view
from lpad.api.request.answer_views import (
    EuiccList,
    EuiccSummary,
    EuiccView,
    LayerView,
    ModemRestartsView,
    NetworkLeftoverView,
    NotificationList,
    NotificationView,
    ProfileList,
    ProfileView,
    ProvisioningView,
    RescueView,
    view_of,
)
from lpad.api.request.api_call import json_response, submission_response
from lpad.api.request.pagination import page, page_of_numbers
from lpad.api.request.request_bodies import (
    MAX_NICKNAME_BYTES,
    DisableRequest,
    DownloadRequest,
    EnableRequest,
    EuiccPatch,
    LineRequest,
    ProbeRequest,
    ProfilePatch,
    ResetRequest,
    TrustCheckRequest,
)
from lpad.api.request.roles import ROLE_FOR
from lpad.base.activation_code import ActivationCode
from lpad.base.errors import CardUnreachable, Conflict, InvalidValue, NotFound
from lpad.base.identifiers import profile_target
from lpad.base.server_address import ServerAddress
from lpad.base.untrusted_number import LARGEST, whole_number
from lpad.engine.change import params
from lpad.engine.change.change import Kind
from lpad.engine.change.types_by_kind import kind_of
from lpad.engine.network_settings.download_settings import PASSWORD, noted
from lpad.engine.snapshot.risky_test_profiles import known_risks
from lpad.engine.switch.guarded_switch import check_guard

if TYPE_CHECKING:
    from lpad.api.request.api_call import Call
    from lpad.api.request.request_bodies import GuardRequest
    from lpad.engine.change.params import Params
    from lpad.engine.change.steady_clock import Moment
    from lpad.engine.journal import StoredNotification
    from lpad.engine.running.card.last_seen_layers import SeenLayer
    from lpad.engine.running.card.modem_restart_limit import ModemRestarts
    from lpad.engine.snapshot.profile_list import Listed
    from lpad.engine.snapshot.snapshot import Snapshot
    from lpad.engine.unattended.first_profile import ProvisioningState
    from lpad.engine.unattended.rescue import RescueState


async def list_euiccs(call: Call) -> Response:
    """List all cards."""
    found, following = page(call, call.engine.snapshots())
    return json_response(EuiccList(euiccs=[view_of(EuiccSummary, each) for each in found], next=following))


async def get_euicc(call: Call) -> Response:
    """Show everything that lpad knows about a card, except its profiles and notifications."""
    snapshot = call.engine.snapshot(call.path["name"])
    card = call.engine.card(snapshot.name)
    provisioning = await asyncio.to_thread(card.provisioning)
    wish = await asyncio.to_thread(card.wish)
    rescue = await asyncio.to_thread(card.rescue)
    restarts = await asyncio.to_thread(card.modem_restarts)
    leftovers = await asyncio.to_thread(card.unforgotten)
    view = view_of(
        EuiccView,
        snapshot,
        provisioning=_provisioning(provisioning, call.engine.now()),
        wish=wish_view(wish, call.engine.now()),
        switching=card.policy(),
        failover=card.failover(),
        modem_restarts=_modem_restarts(restarts, call.engine.now()),
        rescue=_rescue(rescue, call.engine.now()),
        network_leftovers=tuple(view_of(NetworkLeftoverView, each) for each in leftovers),
        layers=tuple(_layer(each, call.engine.now()) for each in card.layers()),
        known_risks=known_risks(snapshot.profiles),
    )
    return json_response(view)


async def patch_euicc(call: Call) -> Response:
    """Write the default SM-DP+ address into the card."""
    text = call.body_of(EuiccPatch).default_smdp.strip()
    if len(text.split()) > 1:  # spaces are ignored in data of cards and codes, but are a typing error here
        raise InvalidValue("a server address must not contain spaces")
    address = str(ServerAddress.parse(text)) if text else ""
    return await _submit(call, params.SetDefaultSmdpParams(default_smdp=address))


async def refresh_euicc(call: Call) -> Response:
    """Read the card again; if the card is absent, try to reach it."""
    return await _submit(call, params.RefreshParams())


async def probe_euicc(call: Call) -> Response:
    """Test the card and the link to it; the change's result is the report."""
    return await _submit(call, params.ProbeParams(unredacted=call.body_of(ProbeRequest).unredacted))


async def restart_modem(call: Call) -> Response:
    """Restart the modem, even if its card cannot be read; refused while a change runs."""
    return await _submit(call, params.RestartModemParams())


async def check_trust(call: Call) -> Response:
    """Make a TLS handshake with a server, but no request; the change's result is the trust report."""
    address = ServerAddress.parse(call.body_of(TrustCheckRequest).address)
    return await _submit(call, params.CheckTrustParams(address=str(address)))


async def reset_euicc(call: Call) -> Response:
    """Delete profiles by class, and restore the default SM-DP+ address, as requested."""
    body = call.body_of(ResetRequest)
    asked = view_of(params.ResetParams, body)
    if not (asked.operational_profiles or asked.test_profiles or asked.default_smdp):
        names = "operational_profiles, test_profiles, default_smdp"
        raise InvalidValue(f"the reset deletes nothing: set at least one of {names} to true")
    return await _submit(call, asked)


async def list_profiles(call: Call) -> Response:
    """List a card's profiles."""
    snapshot = _read_once(call)
    found, following = page(call, snapshot.profiles)

    def views() -> tuple[ProfileView, ...]:
        return tuple(ProfileView.of(each, line=line_view(each.iccid, call.engine)) for each in found)

    profiles = await asyncio.to_thread(views)
    return json_response(
        view_of(ProfileList, snapshot, euicc=snapshot.name, profiles=profiles, next=following)
    )


async def get_profile(call: Call) -> Response:
    """Show one profile."""
    profile, _ = _profile(call)
    line = await asyncio.to_thread(line_view, profile.iccid, call.engine)
    return json_response(ProfileView.of(profile, line=line))


async def get_icon(call: Call) -> Response:
    """Return a profile's icon, PNG or JPEG."""
    profile, address = _profile(call)
    icon = call.engine.card(call.path["name"]).icon(address or profile.iccid or "")
    return Response(icon.data, media_type=icon.media_type)


async def patch_profile(call: Call) -> Response:
    """Set or remove a profile's nickname."""
    nickname = call.body_of(ProfilePatch).nickname
    if (length := len(nickname.encode())) > MAX_NICKNAME_BYTES:
        raise InvalidValue(
            f"a nickname must have at most {MAX_NICKNAME_BYTES} bytes in UTF-8, but this one has {length};"
            " give a shorter one"
        )
    return await _submit(call, params.RenameParams(iccid=_target(call), nickname=nickname))


async def delete_profile(call: Call) -> Response:
    """Delete a profile; with `?missing=ok`, a missing profile is not an error."""
    missing = call.query.get("missing", "error")
    if missing not in ("ok", "error"):
        raise InvalidValue("'missing' must be 'ok' or 'error'")
    return await _submit(call, params.DeleteParams(iccid=_target(call), missing_ok=missing == "ok"))


async def enable_profile(call: Call) -> Response:
    """Enable a profile, under a guard if one is given; the previously enabled profile is disabled."""
    guard = call.body_of(EnableRequest).guard
    asked = params.EnableParams(iccid=_target(call), guard=_guard(guard), unguarded=guard is None)
    return await _submit(call, asked)


async def disable_profile(call: Call) -> Response:
    """Disable a profile."""
    accepted = call.body_of(DisableRequest).accept_offline
    asked = params.DisableParams(iccid=_target(call), accept_offline=accepted)
    return await _submit(call, asked)


async def ask_line(call: Call) -> Response:
    """Show, activate, suspend or retire the line of a profile at its platform."""
    body = call.body_of(LineRequest)
    asked = params.LineParams(iccid=_target(call), action=body.action, accept_offline=body.accept_offline)
    return await _submit(call, asked)


async def download(call: Call) -> Response:
    """Download a profile, by activation code or event, or from the default SM-DP+."""
    body = call.body_of(DownloadRequest)
    if (body.activation_code is not None) + (body.event is not None) + body.default != 1:
        raise InvalidValue(
            "a download must contain exactly one of an 'activation_code', an 'event' and 'default': true"
        )
    if body.enable:
        call.check(ROLE_FOR[Kind.ENABLE])
    elif body.guard is not None and body.guard is not msgspec.UNSET:
        raise InvalidValue(
            "a 'guard' applies only if 'enable': true enables the profile; give both or neither"
        )
    asked = params.DownloadParams(
        confirm=body.confirm,
        enable=body.enable,
        guard=_guard(body.guard),
        unguarded=body.enable and body.guard is None,
        when_online=body.when_online,
        retry_for=body.retry_for,
        default=body.default,
    )
    secrets: dict[str, str] = {}
    if body.activation_code is not None:
        code = ActivationCode.parse(body.activation_code)
        secrets["activation_code"] = body.activation_code
        asked = msgspec.structs.replace(
            asked, server=str(code.address), matching_id=redacted(code.matching_id)
        )
    if body.event is not None:
        server = str(ServerAddress.parse(body.event.server))
        asked = msgspec.structs.replace(
            asked,
            server=server,
            matching_id=redacted(body.event.event_id),
            event=params.EventParams(server=server, event_id=body.event.event_id),
        )
    if body.network is not None:
        shown, password = noted(body.network.settings())
        asked = msgspec.structs.replace(asked, network=shown)
        if password:
            secrets[PASSWORD] = password
    if body.confirmation_code is not None:
        secrets["confirmation_code"] = body.confirmation_code
    return await _submit(call, asked, secrets)


async def list_notifications(call: Call) -> Response:
    """Show a card's outbox."""
    present = call.engine.now()
    card = call.engine.card(call.path["name"])
    stored = await asyncio.to_thread(card.notifications)
    uncopied = [
        view_of(
            NotificationView,
            each,
            state="uncopied",
            age_seconds=int(present.since(each.since)),
            attempts=0,
            last_error=each.error,
            next_attempt_at=None,
        )
        for each in card.uncopied_notifications()
    ]
    views = [*(_notification(each, present) for each in stored), *uncopied]
    shown, following = page_of_numbers(
        call, sorted(views, key=lambda view: view.seq), number=lambda view: view.seq
    )
    ages = [present.since(each.stored_at) for each in stored if each.unsent]
    return json_response(
        NotificationList(
            euicc=call.path["name"],
            pending=len(ages),
            oldest_seconds=int(max(ages)) if ages else None,
            notifications=shown,
            next=following,
            unreadable=card.unreadable_notifications(),
            list_error=card.notification_list_error(),
            copying=card.owes_copies(),
        )
    )


async def deliver_notifications(call: Call) -> Response:
    """Try to deliver all pending notifications."""
    return await _submit(call, params.DeliverNotificationsParams())


async def retry_notification(call: Call) -> Response:
    """Try to deliver one notification now, even one that was set aside."""
    return await _submit(call, params.DeliverNotificationsParams(seq=await _seq(call)))


async def drop_notification(call: Call) -> Response:
    """Drop a notification and remove it from the card; its server never receives it."""
    return await _submit(call, params.DropNotificationParams(seq=await _seq(call)))


def _guard(guard: GuardRequest | msgspec.UnsetType | None) -> params.GuardParams | None:
    """Return a switch's guard in the form that the change stores; None if the request gives no guard."""
    if guard is None or guard is msgspec.UNSET:
        return None
    return params.GuardParams(until=check_guard(guard.until, guard.within), within=guard.within)


def redacted(matching_id: str) -> str:
    """Return the end of a matching ID for display; of a short one, only `…`; of an empty one, nothing."""
    return f"…{matching_id[-4:]}" if len(matching_id) > 8 else "…" if matching_id else ""


async def _submit(call: Call, asked: Params, secrets: dict[str, str] | None = None) -> Response:
    _ = call.wait  # an invalid `wait` is refused before a change is created
    name = call.path["name"]
    key = call.key(name, kind_of(asked), asked, secrets)
    submission = await asyncio.to_thread(
        call.engine.submit, name, asked, secrets=secrets, key=key, asked_by=call.peer.uid
    )
    return await submission_response(call, submission)


async def _seq(call: Call) -> int:
    seq = whole_number(call.path["seq"], least=-LARGEST - 1)  # a card may use any number
    if seq is None:
        raise InvalidValue("name the notification by its number; 'lpactl notifications' lists them")
    # If the notification is missing, the request is refused immediately, without a failed change.
    card = call.engine.card(call.path["name"])
    stored = await asyncio.to_thread(card.notifications)
    uncopied = card.uncopied_notifications()
    if seq not in {each.seq for each in stored} | {each.seq for each in uncopied}:
        raise NotFound(
            f"the outbox of {call.path['name']} has no notification {seq}; 'lpactl notifications' lists them"
        )
    return seq


def _iccid(call: Call) -> str:
    """Return the ICCID or AID in the path.

    Raises:
        InvalidValue: the text has neither form.
        Conflict: several profiles on the card have this ICCID.
    """
    name = str(profile_target(call.path["iccid"]))
    call.engine.snapshot(call.path["name"]).listed.find(name)
    return name


def _target(call: Call) -> str:
    """Return the ICCID or AID in the path of a change.

    Another program may have deleted one of two profiles with this ICCID since the card was read. So if lpad
    refuses an ambiguous ICCID, it also reads the card again.

    Raises:
        InvalidValue, Conflict: see `_iccid`.
    """
    try:
        return _iccid(call)
    except Conflict:
        call.engine.read_again(call.path["name"])
        raise


def _profile(call: Call) -> tuple[Listed, str | None]:
    """Return the profile in the path, and its unambiguous ICCID or AID; None: neither is unambiguous."""
    iccid = _iccid(call)
    listed = _read_once(call).listed
    profile = listed.find(iccid)
    if profile is None:
        if listed.lacks_name(iccid):
            raise NotFound(f"the card {call.path['name']} contains no profile {iccid}")
        raise listed.missing(iccid, attempted="show")
    return profile, listed.address(profile)


def _read_once(call: Call) -> Snapshot:
    """Return the snapshot of the card in the path; raise an error if lpad has not read the card yet."""
    snapshot = call.engine.snapshot(call.path["name"])
    if snapshot.read_at is None:
        why = snapshot.error.sentence if snapshot.error else "lpad is still opening it"
        raise CardUnreachable(f"the card {snapshot.name} has not been read yet: {why}")
    return snapshot


def _provisioning(state: ProvisioningState | None, present: Moment) -> ProvisioningView | None:
    if state is None:
        return None
    following = present.date_of(state.next_at) if state.attempts else None
    return ProvisioningView(attempts=state.attempts, next_at=following)


def _layer(seen: SeenLayer, present: Moment) -> LayerView:
    return view_of(
        LayerView,
        seen,
        seen_at=present.date_of(seen.seen_at).replace(microsecond=0),
        told=seen.told or None,
    )


def _modem_restarts(state: ModemRestarts, present: Moment) -> ModemRestartsView | None:
    if not state.times:
        return None
    return view_of(
        ModemRestartsView,
        state,
        last_at=present.date_of(state.last_at),
        next_at=None if state.exhausted else present.date_of(state.next_at),
    )


def _rescue(state: RescueState | None, present: Moment) -> RescueView | None:
    if state is None:
        return None
    return view_of(
        RescueView, state, since=present.date_of(state.since), next_at=present.date_of(state.next_at)
    )


def _notification(stored: StoredNotification, present: Moment) -> NotificationView:
    return view_of(
        NotificationView,
        stored,
        state=stored.stage.value,
        age_seconds=int(present.since(stored.stored_at)),
        next_attempt_at=None if not stored.unsent else present.date_of(stored.next_attempt_at),
    )
