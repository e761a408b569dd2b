"""An example of each request and each answer, for readers, mock servers and trials.

The tests check each example against its schema.
"""

from __future__ import annotations

from typing import Any

from lpad.api.handlers import metrics
from lpad.api.request import answer_views as views
from lpad.api.request import event_delivery_bodies as event_bodies
from lpad.api.request import request_bodies as bodies
from lpad.engine.change.change import Change

_ICCID = "8944501234567890123"
_OTHER = "8949450123456789012"
_AID = "A0000005591010FFFFFFFF8900001100"
_EID = "89049032123451234512345678901235"
_SERVER = "smdp.example.com"
_AT = "2026-11-21T09:00:00Z"
_LATER = "2026-11-21T09:00:02Z"
_CI = "81370f5125d0b1d408d4c3b232e6d25e795bebfb"

REQUESTS: dict[type, dict[str, Any]] = {
    bodies.EuiccPatch: {"default_smdp": _SERVER},
    bodies.ProbeRequest: {"unredacted": False},
    bodies.TrustCheckRequest: {"address": _SERVER},
    bodies.ProfilePatch: {"nickname": "home"},
    bodies.NetworkRequest: {"apn": "iot.example.com", "ip": "ipv4v6", "roaming": True},
    bodies.EnableRequest: {"guard": {"until": ["registered"], "within": 180}},
    bodies.DisableRequest: {"accept_offline": True},
    bodies.LineRequest: {"action": "show"},
    bodies.DownloadRequest: {"activation_code": f"LPA:1${_SERVER}$ABCD-1234", "enable": True},
    bodies.ProvisionRequest: {"platform": "desk", "product": "iot-100", "enable": True},
    bodies.DiscoverRequest: {"install": True},
    bodies.ResetRequest: {"test_profiles": True},
    bodies.AnswerRequest: {"confirmation_code": "123456"},
    event_bodies.Acknowledgement: {"position": 42},
    event_bodies.RedeliverRequest: {"sequence": 42},
}
"""Examples of request bodies, by type."""

_SUMMARY = {
    "name": "modem",
    "transport": "AT modem on /dev/ttyUSB2",
    "port_in_use": "/dev/ttyUSB2",
    "state": "ready",
    "eid": _EID,
    "error": None,
}
_CARD: dict[str, Any] = _SUMMARY | {
    "imei": "490154203237518",
    "info": {
        "svn": "2.2.2",
        "profile_version": "2.3.1",
        "firmware": "1.0.0",
        "memory": {"free_non_volatile": 382352, "free_volatile": 9241, "installed_applications": 1},
        "ci_ids_for_verification": [_CI],
        "ci_ids_for_signing": [_CI],
        "certificate_issuers": [
            {"key_id": _CI, "name": "GSMA", "test": False, "verification": True, "signing": True}
        ],
        "uicc_capability": ["usimSupport", "isimSupport"],
        "rsp_capability": ["additionalProfile"],
        "forbidden_policy_rules": [],
        "globalplatform_version": "2.3.0",
        "java_card_version": "15.0.0",
        "category": "mediumEuicc",
        "protection_profile_version": "1.0.0",
        "sas_accreditation_number": "XX-XX-UP-0001",
    },
    "addresses": {"default_smdp": None, "root_smds": "lpa.ds.gsma.com"},
    "provisioning": None,
    "wish": None,
    "read_at": _AT,
    "switching": {
        "protected": [],
        "keep_enabled": False,
        "fallback": [],
        "per_day": None,
        "default_guard": None,
        "accept_offline": True,
    },
    "failover": None,
    "rescue": None,
    "modem_restarts": None,
    "network_leftovers": [],
    "layers": [
        {
            "layer": "registered",
            "up": True,
            "seen_at": _AT,
            "iccid": _ICCID,
            "told": "CEREG 1 (registered at home)",
            "cause": None,
        }
    ],
    "known_risks": [],
    "unreadable": [],
}
_PROFILE = {
    "iccid": _ICCID,
    "state": "enabled",
    "profile_class": "operational",
    "name": "Example IoT",
    "provider": "Example Operator",
    "nickname": "home",
    "isdp_aid": _AID,
    "icon_type": None,
    "owner": {"mcc_mnc": "00101", "gid1": None, "gid2": None},
    "policy_rules": [],
    "notification_addresses": [{"address": _SERVER, "events": ["install", "enable", "disable", "delete"]}],
    "line": None,
}
_SHOWN = {name: value for name, value in _PROFILE.items() if name != "line"}
_NETWORK = {
    "iccid": _ICCID,
    "given_by": "owner",
    "why": "set for this profile",
    "apn": "iot.example.com",
    "username": "",
    "password_set": False,
    "authentication": "none",
    "ip": "ipv4v6",
    "roaming": True,
    "initial_bearer": "same",
    "initial_bearer_apn": "",
    "mtu": None,
}
_LISTENER = {
    "name": "lpad-mqtt",
    "user": 998,
    "connected": True,
    "position": 42,
    "pending": 0,
    "absent_seconds": 0.0,
}
_WEBHOOK = {
    "name": "backend",
    "server": "https://backend.example.com",
    "types": ["org.lpad.profile.enabled.v1"],
    "identifiers": "full",
    "mode": "structured",
    "public_keys": [],
    "state": "active",
    "position": 42,
    "pending": 0,
    "attempts": 0,
    "next_attempt_at": None,
    "last": "accepted",
    "last_status": 204,
    "delivered": 42,
    "given_up": 0,
    "set_aside": [],
}


def _change(kind: str, params: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": 7,
        "euicc": "modem",
        "kind": kind,
        "params": params,
        "created_at": _AT,
        "state": "done",
        "progress": None,
        "question": None,
        "error": None,
        "result": result,
        "started_at": _AT,
        "ended_at": _LATER,
        "steps": [{"name": kind, "at": _AT, "seconds": 1.4, "steady": 512.25}],
        "origin": "caller",
        "guard": None,
        "pause": None,
        "attempts": 0,
        "overtaken": 0,
        "asked_by": 0,
    }


_ENABLE = _change("enable", {"iccid": _ICCID}, {"iccid": _ICCID, "already": False})
_DOWNLOAD = _change(
    "download",
    {"confirm": False, "enable": True, "server": _SERVER, "matching_id": "…1234"},
    {"iccid": _ICCID, "isdp_aid": _AID, "profile": _SHOWN, "enabled": True, "server": _SERVER},
)
_REPORT = {
    "port": "AT modem on /dev/ttyUSB2",
    "redacted": True,
    "link": "csim",
    "doubted": None,
    "manufacturer": "Example",
    "model": "EX-1",
    "firmware": "1.0",
    "reader": None,
    "quirks": ["generic"],
    "slots": [],
    "imei": "49015420…18",
    "handle": "number",
    "isdr_aid": "A0000005591010FFFFFFFF8900000100",
    "block_size": 255,
    "block_size_learned": False,
    "answers": ["61xx, fetched with GET RESPONSE"],
    "channels_closed": 0,
    "fallback_port": None,
    "eid": "89049032…35",
    "euiccs": [{"isdr_aid": "A0000005591010FFFFFFFF8900000100", "eid": "89049032…35"}],
    "svn": "2.2.2",
    "card_firmware": "1.0.0",
    "timings": [{"what": "GetEID", "milliseconds": 12.5, "bytes": 21, "refused": None}],
    "error": None,
}
_TRUST = {
    "server": _SERVER,
    "trusted": True,
    "anchor": "card",
    "anchor_subject": None,
    "issuer_key_id": _CI,
    "why": "a CI that the card names has issued the chain",
    "advice": None,
    "cause": None,
    "handshakes": 2,
    "tls": "TLSv1.2",
    "brainpool": False,
    "chain": [],
    "card": [{"key_id": _CI, "name": "GSMA", "test": False, "counts": True}],
}

_CHANGES = {
    "patch_euicc": _change(
        "set-default-smdp", {"default_smdp": _SERVER}, {"default_smdp": _SERVER, "already": False}
    ),
    "refresh_euicc": _change("refresh", {}, {}),
    "probe_euicc": _change("probe", {"unredacted": False}, _REPORT),
    "restart_modem": _change("restart-modem", {}, {}),
    "check_trust": _change("check-trust", {"address": _SERVER}, _TRUST),
    "patch_profile": _change(
        "rename",
        {"iccid": _ICCID, "nickname": "home"},
        {"iccid": _ICCID, "nickname": "home", "already": False},
    ),
    "delete_profile": _change(
        "delete", {"iccid": _OTHER, "missing_ok": False}, {"iccid": _OTHER, "already": False}
    ),
    "enable_profile": _ENABLE,
    "disable_profile": _change(
        "disable", {"iccid": _ICCID, "accept_offline": True}, {"iccid": _ICCID, "already": False}
    ),
    "ask_line": _change(
        "line",
        {"iccid": _ICCID, "action": "show"},
        {
            "iccid": _ICCID,
            "platform": "desk",
            "line": "live",
            "word": "ACTIVE",
            "imei": None,
            "already": False,
        },
    ),
    "download": _DOWNLOAD,
    "provision": _change(
        "provision",
        {"confirm": False, "enable": True, "when_online": True, "platform": "desk", "product": "iot-100"},
        {"iccid": _ICCID, "isdp_aid": _AID, "profile": _SHOWN, "enabled": True, "platform": "desk"},
    ),
    "discover": _change(
        "discover",
        {"install": True},
        {"servers": [{"address": "lpa.ds.gsma.com", "events": 0}], "events": [], "left_off": 0},
    ),
    "reset_euicc": _change(
        "reset",
        {"operational_profiles": False, "test_profiles": True, "default_smdp": False},
        {"already": False, "deleted": [_OTHER]},
    ),
    "deliver_notifications": _change("deliver-notifications", {}, {"delivered": 2}),
    "retry_notification": _change("deliver-notifications", {"seq": 3}, {"delivered": 1}),
    "drop_notification": _change(
        "drop-notification", {"seq": 3}, {"seq": 3, "event": "enable", "address": _SERVER}
    ),
    "answer_change": _DOWNLOAD,
    "get_change": _DOWNLOAD,
    "cancel_change": _DOWNLOAD
    | {
        "state": "cancelled",
        "result": None,
        "error": {
            "kind": "cancelled",
            "sentence": "the download was cancelled by request",
            "retryable": False,
            "details": {},
        },
    },
    "confirm_change": _ENABLE,
}
"""Examples of changes, by the ID of the operation that answers with a change."""

_ANSWERS: dict[type | str, Any] = {
    views.SystemView: {
        "version": "1.0.0",
        "pid": 412,
        "started_at": _AT,
        "uptime_seconds": 86400.5,
        "health": {
            "ok": True,
            "cards": 1,
            "cards_ready": 1,
            "journal": {"state": "ok", "error": None, "set_aside": [], "repairs": []},
            "clock_set": True,
        },
        "settings": {"read_at": _AT, "restart_needed": [], "error": None},
    },
    views.PortsView: {
        "serial": ["/dev/ttyUSB2", "/dev/ttyUSB3"],
        "readers": ["Example Reader 00 00"],
        "no_readers": None,
    },
    views.EuiccList: {"euiccs": [_SUMMARY], "next": None},
    views.EuiccView: _CARD,
    views.ProfileList: {
        "euicc": "modem",
        "state": "ready",
        "read_at": _AT,
        "profiles": [_PROFILE],
        "unreadable": [],
        "next": None,
    },
    views.ProfileView: _PROFILE,
    views.WishView: {
        "platform": "desk",
        "product": "iot-100",
        "change": 7,
        "profile": "pending",
        "line": "idle",
        "iccid": None,
        "orders": 1,
        "stalled": False,
        "spent": None,
        "why": None,
        "next_look_at": _LATER,
    },
    views.NetworkView: _NETWORK,
    views.PlatformList: {
        "platforms": [
            {
                "name": "desk",
                "orders": True,
                "costs": True,
                "releases": True,
                "activates": "after",
                "lines": ["show", "suspend"],
            }
        ],
        "next": None,
    },
    views.ProductList: {
        "platform": "desk",
        "products": [
            {
                "id": "iot-100",
                "name": "IoT 100 MB",
                "price": "1.50 EUR",
                "validity": "30 days",
                "coverage": "EU",
            }
        ],
        "next": None,
    },
    views.NotificationList: {
        "euicc": "modem",
        "pending": 1,
        "oldest_seconds": 60,
        "notifications": [
            {
                "seq": 3,
                "event": "enable",
                "address": _SERVER,
                "iccid": _ICCID,
                "state": "pending",
                "age_seconds": 60,
                "attempts": 1,
                "last_error": f"server-unreachable: cannot connect to {_SERVER}",
                "next_attempt_at": _LATER,
            }
        ],
        "unreadable": 0,
        "list_error": None,
        "copying": False,
        "next": None,
    },
    views.ChangeList: {"changes": [_ENABLE], "next": None},
    event_bodies.EventTypeList: {
        "types": [
            {
                "type": "org.lpad.profile.enabled.v1",
                "means": "A profile was enabled.",
                "droppable": False,
                "data_schema": {"type": "object"},
            }
        ],
        "next": None,
    },
    event_bodies.ListenerList: {"listeners": [_LISTENER], "next": None},
    event_bodies.ListenerView: _LISTENER,
    event_bodies.WebhookList: {"webhooks": [_WEBHOOK], "dropped": {}, "next": None},
    event_bodies.WebhookView: _WEBHOOK,
    event_bodies.WebhookTestResult: {
        "accepted": True,
        "status": 204,
        "told": "accepted",
        "seconds": 0.21,
    },
    event_bodies.Redelivered: {"events": 1},
    "text/event-stream": {
        "id": "5a1c9e-12",
        "event": "progress",
        "data": '{"change": 7}',
    },
    metrics.MEDIA_TYPE: 'lpad_card_state{euicc="modem",state="ready"} 1.0\n',
    "application/json": {"openapi": "3.1.0"},
}


def answer_of(operation: str, answer: type | str) -> Any | None:
    """Return an example of an operation's answer; None for an icon.

    Args:
        operation: the operation's ID.
        answer: the type or the media types of its answer.
    """
    return _CHANGES[operation] if answer is Change else _ANSWERS.get(answer)
