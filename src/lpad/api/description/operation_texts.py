"""Texts of the OpenAPI document that no type or handler has: each operation's purpose and group."""

from __future__ import annotations

TAGS = {
    "system": "The daemon, the device's ports, and the metrics.",
    "cards": "Cards: their information, tests, and the modem.",
    "profiles": "The profiles on a card: enable, disable, rename, delete, and their network settings.",
    "downloads": "New profiles: by activation code, from an SM-DS, or from an operator's platform.",
    "notifications": "The outbox: notifications that lpad delivers to the operators' servers.",
    "changes": "Changes: requests for a card, from their submission to their end.",
    "events": "Events: the stream, the types of events, and named listeners.",
    "webhooks": "The endpoints to which lpad sends events.",
    "platforms": "The operators' platforms in the settings.",
}
"""The groups of operations, in the order of a reference."""

_GROUPS = (
    ("/v1/euiccs/{name}/profiles", "profiles"),
    ("/v1/euiccs/{name}/notifications", "notifications"),
    ("/v1/euiccs/{name}/downloads", "downloads"),
    ("/v1/euiccs/{name}/discover", "downloads"),
    ("/v1/euiccs/{name}/provision", "downloads"),
    ("/v1/euiccs/{name}/wish", "downloads"),
    ("/v1/euiccs", "cards"),
    ("/v1/changes", "changes"),
    ("/v1/event", "events"),
    ("/v1/listeners", "events"),
    ("/v1/webhooks", "webhooks"),
    ("/v1/platforms", "platforms"),
    ("/v1/", "system"),
)
"""The beginnings of paths, each with its group; the first match decides."""

TEXTS = {
    "get_system": "`health.ok` is false if the journal cannot be written, or if a thread of lpad is stuck."
    " `settings` shows which changed keys need a restart, and the mistakes in the file.",
    "list_ports": "Use the list to set a card's `port` or `reader`. lpad opens no port.",
    "list_euiccs": "One entry for each card in the settings, whether lpad reaches it or not. The answer"
    " comes from memory; lpad does not ask the cards.",
    "get_euicc": "The answer shows the card at `read_at`; `POST …/refresh` reads the card again. A field is"
    " null if lpad has not read it, or if it does not apply.",
    "patch_euicc": "A download with `default` gets its profile from this server. An empty address removes"
    " the stored one.",
    "refresh_euicc": "lpad reads a card when it appears and after each change. A refresh is needed only if"
    " another program has changed the card.",
    "probe_euicc": "The report contains the link that lpad found, the modem's quirks, the card's answers,"
    " and timings. A failed test is a report, not a failed change: `error` in the report has the reason.",
    "restart_modem": "lpad takes the last step of the modem's refresh ladder, usually a reset, and waits"
    " until the card can be read again.",
    "check_trust": "The report has the server's certificate chain, and the anchor that makes the server"
    " trusted, or the reason why the server is not trusted.",
    "list_profiles": "The answer shows the list at `read_at`. Entries that lpad cannot read are in"
    " `unreadable`; they do not hide the other entries.",
    "get_profile": "The ICCID or the AID in the path names the profile.",
    "get_icon": "The icon as the operator's server delivered it; 404 if the profile has no icon.",
    "patch_profile": "The nickname is stored on the card, with at most 64 bytes of UTF-8. An empty"
    " nickname removes the stored one.",
    "delete_profile": "The deletion cannot be undone, and the activation code is used up. An enabled"
    " profile must be disabled first.",
    "get_network": "`given_by` and `why` name the source: the owner, the order, a pattern in the settings,"
    " or nothing.",
    "put_network": "The request replaces all settings. An omitted field gets its default, except"
    " `password`, which stays. The settings apply with the next switch to the profile.",
    "delete_network": "The answer shows the settings that apply after the deletion.",
    "enable_profile": "The previous profile is disabled in the same step. With a guard, lpad enables it"
    " again unless all conditions are met in time. If the profile is already enabled,"
    " the result has `already`.",
    "disable_profile": "The modem has no profile afterwards. If the device would lose its connection, lpad"
    " refuses with `would-go-offline`, unless `accept_offline` is true.",
    "ask_line": "`show` asks for the line's state only. `retire` ends the line, which cannot be undone.",
    "download": "lpad retries automatically if the network or the server fails. The change waits with"
    " a question if the operator requires a confirmation code, or if `confirm` asks for consent. Answer"
    " with `POST /v1/changes/{id}/answer`.",
    "provision": "lpad orders a profile at the platform, waits for it and downloads it. lpad never places a"
    " second order for one wish without asking.",
    "close_wish": "Only a person should close a wish, because the order may be paid, and the platform may"
    " still deliver. The answer shows the closed wish, which lpad then forgets.",
    "discover": "Without `servers`, lpad asks the SM-DS of the card and those of the settings.",
    "list_platforms": "The answer has each platform's name and capabilities. lpad contacts no platform.",
    "list_products": "lpad asks the platform at each request; price and validity are texts of the platform.",
    "reset_euicc": "The reset cannot be undone. At least one of `operational_profiles`, `test_profiles` and"
    " `default_smdp` must be true.",
    "list_notifications": "The list is sorted by `seq`, the number on the card. `pending` counts all pending"
    " notifications, even those of other pages.",
    "deliver_notifications": "lpad also delivers notifications without this request, and retries for days."
    " With this request, lpad tries immediately.",
    "retry_notification": "A notification that was set aside because the server refused it is sent, too.",
    "drop_notification": "The operator's server never receives a dropped notification. Drop a"
    " notification only if the server no longer exists.",
    "list_changes": "Without `limit`, the answer has all stored changes. With `limit`, `next` is the `before`"
    " of the next page, and null on the last page.",
    "get_change": "`state` is queued, running, waiting, done, failed or cancelled; `error` explains a"
    " failure. With `wait`, the answer comes when the change has ended or asks a question.",
    "cancel_change": "The card first finishes a step that it has begun. A change that has ended cannot be"
    " cancelled.",
    "answer_change": "The request must contain exactly one field, the one that the question asks for.",
    "confirm_change": "If the confirmation does not come in time, lpad enables the previous profile again.",
    "stream_events": "Server-Sent Events. After a lost connection, send the ID of the last event as"
    " `Last-Event-ID`. After the event `lost`, read the changes again.",
    "list_event_types": "The types are for receivers of webhooks and of the stream with `form=cloudevents`.",
    "list_listeners": "A listener is a program on this device that reads `/v1/events` under a name.",
    "acknowledge_events": "A full outbox first drops the events that no webhook needs and all named"
    " listeners have acknowledged.",
    "forget_listener": "Use this request for a program that has been removed from the device.",
    "list_webhooks": "`dropped` counts, by type, the events for which the outbox had no room.",
    "try_webhook": "The answer contains the endpoint's answer, even if the delivery failed.",
    "pause_webhook": "While the endpoint is paused, its events wait in the outbox.",
    "resume_webhook": "Use this request after a pause, or once an endpoint that answered 410 exists again.",
    "redeliver_webhook": "The event keeps its ID, so that a receiver can recognize the repetition.",
    "get_metrics": "docs/metrics.md explains each metric.",
    "describe": "OpenAPI 3.1, generated from the table of the paths that lpad serves.",
}
"""Details that the summaries of operations omit, by the operation's ID."""


def group_of(path: str) -> str:
    """Return the tag of a path."""
    return next(tag for beginning, tag in _GROUPS if path.startswith(beginning))
