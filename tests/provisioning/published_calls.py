"""The calls that vendors publish, with the fields of each: lpad's own schema, for tests without their files.

`test_published_calls.py` compares Twilio's, KORE's and Soracom's with the vendors' OpenAPI descriptions. The
others have no such file at hand; theirs is written after their published guides.
"""

from __future__ import annotations

_SUPER_SIM = {
    "POST /v1/ESimProfiles": "CallbackUrl CallbackMethod GenerateMatchingId Eid",
    "GET /v1/ESimProfiles": "Eid SimSid Status PageSize Page PageToken",
    "GET /v1/ESimProfiles/{}": "",
    "GET /v1/Sims": "Status Fleet Iccid PageSize Page PageToken",
    "GET /v1/Sims/{}": "",
    "POST /v1/Sims/{}": "UniqueName Status Fleet CallbackUrl CallbackMethod AccountSid",
}
_TEXTS = {
    "twilio": _SUPER_SIM,
    "kore": {**_SUPER_SIM, "POST /api-services/v1/auth/token": "grant_type client_id client_secret"},
    "soracom": {
        "POST /v1/auth": "authKey authKeyId email mfaOTPCode operatorId password tokenTimeoutSeconds"
        " userName",
        "GET /v1/sim_profile_orders": "limit last_evaluated_key",
        "POST /v1/sim_profile_orders": "bundles description quantity speedClass subscription",
        "DELETE /v1/sim_profile_orders/{}": "",
        "GET /v1/sim_profile_orders/{}": "",
        "POST /v1/sim_profile_orders/{}/confirm": "",
        "GET /v1/sim_profile_orders/{}/profiles": "",
    },
    "telnyx": {
        "POST /v2/actions/purchase/esims": "amount sim_card_group_id status tags product whitelabel_name",
        "GET /v2/sim_cards": "filter[tags] filter[iccid] page[size] page[number]",
        "GET /v2/sim_cards/{}": "",
        "GET /v2/sim_cards/{}/activation_code": "",
        "POST /v2/sim_cards/{}/actions/enable": "",
        "POST /v2/sim_cards/{}/actions/disable": "",
    },
    "yoni": {
        "POST /v1/package/e-sim/list": "",
        "POST /v1/order/e-sim": "packageCode email",
        "POST /v1/order/e-sim/page": "current size orderNo iccid",
    },
    "things": {
        "GET /v2.2/sims/": "eid iccid tag per_page page",
        "GET /v2.2/sims/{}/": "",
        "POST /v2.0/sims/change_status/": "iccids tag status",
    },
    "desk": {
        "PUT /v1/wishes/{}": "eid product imei",
        "GET /v1/wishes": "reference eid",
        "GET /v1/wishes/{}": "",
        "POST /v1/wishes/{}/activate": "",
        "DELETE /v1/wishes/{}": "",
        "GET /v1/lines/{}": "",
        "POST /v1/lines/{}/suspend": "",
        "POST /v1/lines/{}/retire": "",
        "GET /v1/products": "",
    },
}
PUBLISHED = {
    like: {(call.split()[0], call.split()[1]): set(fields.split()) for call, fields in calls.items()}
    for like, calls in _TEXTS.items()
}
"""By the name of the description: method and path, and the names of parameters and fields."""
