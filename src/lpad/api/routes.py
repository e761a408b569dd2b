"""The API as one literal table (path, method, role, handler), which also yields the OpenAPI document."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

from lpad.api.handlers import (
    changes,
    discovery,
    euiccs,
    event_listeners,
    events,
    metrics,
    network_settings,
    platforms_and_wishes,
    system_and_ports,
    webhook_deliveries,
)
from lpad.api.request import answer_views as views
from lpad.api.request import request_bodies as bodies
from lpad.api.request.event_delivery_bodies import (
    Acknowledgement,
    EventTypeList,
    ListenerList,
    ListenerView,
    Redelivered,
    RedeliverRequest,
    WebhookList,
    WebhookTestResult,
    WebhookView,
)
from lpad.api.request.pagination import IN_A_LIST
from lpad.api.request.request_bodies import NoBody
from lpad.api.request.roles import Role
from lpad.api.request.route import Route
from lpad.engine.change.change import Change

if TYPE_CHECKING:
    from lpad.api.request.api_call import Call


async def describe(call: Call) -> Response:  # noqa: ARG001 - the document is the same for all callers
    """Return this OpenAPI document."""
    return Response(_document(), media_type="application/json")


READ, SWITCH, INSTALL, ADMIN = Role.READ, Role.SWITCH, Role.INSTALL, Role.ADMIN
OF_CHANGE = None
"""In place of a role: the role depends on the kind of the change in the path (see `ROLE_FOR`)."""


_CARD = "/v1/euiccs/{name}"
_PROFILE = "/v1/euiccs/{name}/profiles/{iccid}"
_NOTIFICATION = "/v1/euiccs/{name}/notifications/{seq}"
_CHANGE = "/v1/changes/{id}"
_WEBHOOK = "/v1/webhooks/{name}"
_LISTENER = "/v1/listeners/{name}"
_WAIT = ("wait",)
_HISTORY = ("euicc", "limit", "before")

ROUTES: tuple[Route, ...] = (
    Route("GET", "/v1/system", READ, system_and_ports.get_system, views.SystemView),
    Route("GET", "/v1/ports", READ, system_and_ports.list_ports, views.PortsView),
    Route("GET", "/v1/euiccs", READ, euiccs.list_euiccs, views.EuiccList, NoBody, IN_A_LIST),
    Route("GET", _CARD, READ, euiccs.get_euicc, views.EuiccView),
    Route("PATCH", _CARD, ADMIN, euiccs.patch_euicc, Change, bodies.EuiccPatch, _WAIT),
    Route("POST", f"{_CARD}/refresh", SWITCH, euiccs.refresh_euicc, Change, NoBody, _WAIT),
    Route("POST", f"{_CARD}/probe", SWITCH, euiccs.probe_euicc, Change, bodies.ProbeRequest, _WAIT),
    Route("POST", f"{_CARD}/restart", SWITCH, euiccs.restart_modem, Change, NoBody, _WAIT),
    Route(
        "POST", f"{_CARD}/trust-check", INSTALL, euiccs.check_trust, Change, bodies.TrustCheckRequest, _WAIT
    ),
    Route("GET", f"{_CARD}/profiles", READ, euiccs.list_profiles, views.ProfileList, NoBody, IN_A_LIST),
    Route("GET", _PROFILE, READ, euiccs.get_profile, views.ProfileView),
    Route("GET", f"{_PROFILE}/icon", READ, euiccs.get_icon, "image/png | image/jpeg"),
    Route("PATCH", _PROFILE, INSTALL, euiccs.patch_profile, Change, bodies.ProfilePatch, _WAIT),
    Route("DELETE", _PROFILE, ADMIN, euiccs.delete_profile, Change, NoBody, ("wait", "missing")),
    Route("GET", f"{_PROFILE}/network", READ, network_settings.get_network, views.NetworkView),
    Route(
        "PUT", f"{_PROFILE}/network", INSTALL, network_settings.put_network, views.NetworkView,
        bodies.NetworkRequest,
    ),
    Route("DELETE", f"{_PROFILE}/network", INSTALL, network_settings.delete_network, views.NetworkView),
    Route("POST", f"{_PROFILE}/enable", SWITCH, euiccs.enable_profile, Change, bodies.EnableRequest, _WAIT),
    Route(
        "POST", f"{_PROFILE}/disable", SWITCH, euiccs.disable_profile, Change, bodies.DisableRequest, _WAIT
    ),
    Route("POST", f"{_PROFILE}/line", ADMIN, euiccs.ask_line, Change, bodies.LineRequest, _WAIT),
    Route("POST", f"{_CARD}/downloads", INSTALL, euiccs.download, Change, bodies.DownloadRequest, _WAIT),
    Route(
        "POST", f"{_CARD}/provision", INSTALL, platforms_and_wishes.provision,
        Change, bodies.ProvisionRequest, _WAIT,
    ),
    Route("DELETE", f"{_CARD}/wish", ADMIN, platforms_and_wishes.close_wish, views.WishView),
    Route(
        "POST", f"{_CARD}/discover", INSTALL, discovery.discover, Change, bodies.DiscoverRequest, _WAIT
    ),
    Route(
        "GET", "/v1/platforms", READ, platforms_and_wishes.list_platforms,
        views.PlatformList, NoBody, IN_A_LIST,
    ),
    Route(
        "GET", "/v1/platforms/{name}/products", READ, platforms_and_wishes.list_products, views.ProductList,
        NoBody, IN_A_LIST,
    ),
    Route("POST", f"{_CARD}/reset", ADMIN, euiccs.reset_euicc, Change, bodies.ResetRequest, _WAIT),
    Route(
        "GET", f"{_CARD}/notifications", READ, euiccs.list_notifications, views.NotificationList, NoBody,
        IN_A_LIST,
    ),
    Route(
        "POST", f"{_CARD}/notifications/deliver", SWITCH, euiccs.deliver_notifications, Change, NoBody, _WAIT
    ),
    Route("POST", f"{_NOTIFICATION}/retry", SWITCH, euiccs.retry_notification, Change, NoBody, _WAIT),
    Route("DELETE", _NOTIFICATION, ADMIN, euiccs.drop_notification, Change, NoBody, _WAIT),
    Route("GET", "/v1/changes", READ, changes.list_changes, views.ChangeList, NoBody, _HISTORY),
    Route("GET", _CHANGE, READ, changes.get_change, Change, NoBody, _WAIT),
    Route("DELETE", _CHANGE, OF_CHANGE, changes.cancel_change, Change, NoBody, _WAIT),
    Route("POST", f"{_CHANGE}/answer", OF_CHANGE, changes.answer_change, Change, bodies.AnswerRequest, _WAIT),
    Route("POST", f"{_CHANGE}/confirm", OF_CHANGE, changes.confirm_change, Change, NoBody, _WAIT),
    Route(
        "GET", "/v1/events", READ, events.stream_events, "text/event-stream", NoBody,
        ("change", "euicc", "after", "form", "listener"),
    ),
    Route("GET", "/v1/event-types", READ, events.list_event_types, EventTypeList, NoBody, IN_A_LIST),
    Route("GET", "/v1/listeners", READ, event_listeners.list_listeners, ListenerList, NoBody, IN_A_LIST),
    Route("PUT", _LISTENER, READ, event_listeners.acknowledge_events, ListenerView, Acknowledgement),
    Route("DELETE", _LISTENER, READ, event_listeners.forget_listener, ListenerView),
    Route("GET", "/v1/webhooks", READ, webhook_deliveries.list_webhooks, WebhookList, NoBody, IN_A_LIST),
    Route("POST", f"{_WEBHOOK}/test", SWITCH, webhook_deliveries.try_webhook, WebhookTestResult),
    Route("POST", f"{_WEBHOOK}/pause", ADMIN, webhook_deliveries.pause_webhook, WebhookView),
    Route("POST", f"{_WEBHOOK}/resume", ADMIN, webhook_deliveries.resume_webhook, WebhookView),
    Route(
        "POST",
        f"{_WEBHOOK}/redeliver",
        ADMIN,
        webhook_deliveries.redeliver_webhook,
        Redelivered,
        RedeliverRequest,
    ),
    Route("GET", "/v1/metrics", READ, metrics.get_metrics, metrics.MEDIA_TYPE),
    Route("GET", "/v1/openapi.json", READ, describe, "application/json"),
)  # fmt: skip


@cache
def _document() -> bytes:
    from lpad.api.openapi import document  # noqa: PLC0415 - few callers request the document

    return msgspec.json.encode(document(ROUTES))
