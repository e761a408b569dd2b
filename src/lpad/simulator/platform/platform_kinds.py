"""The kinds of platforms that can be simulated, by the names of their descriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.simulator.platform import lines_only_platform, owner_desk, soracom, super_sim, telnyx, yoni

if TYPE_CHECKING:
    from lpad.simulator.platform.platform_base import Vendor

VENDORS: dict[str, type[Vendor]] = {
    "desk": owner_desk.Desk,
    "kore": super_sim.KoreSuperSim,
    "soracom": soracom.Soracom,
    "telnyx": telnyx.Telnyx,
    "things": lines_only_platform.Things,
    "twilio": super_sim.TwilioSuperSim,
    "yoni": yoni.Yoni,
}

CREDENTIALS: dict[str, dict[str, str]] = {
    "desk": {"key": owner_desk.KEY},
    "kore": {"client_id": super_sim.CLIENT_ID, "client_secret": super_sim.CLIENT_SECRET},
    "soracom": {"key_id": soracom.KEY_ID, "key": soracom.KEY},
    "telnyx": {"api_key": telnyx.API_KEY},
    "things": {"key": lines_only_platform.KEY},
    "twilio": {"account_sid": super_sim.ACCOUNT, "auth_token": super_sim.AUTH_TOKEN},
    "yoni": {"app_id": yoni.APP_ID, "app_secret": yoni.APP_SECRET},
}
"""A client's credentials by name, for each kind of platform."""

OPTIONS: dict[str, dict[str, str]] = {
    "kore": {"fleet": super_sim.FLEET},
    "telnyx": {"group": telnyx.GROUP},
    "twilio": {"fleet": super_sim.FLEET},
}
"""The options that a client's settings need, for each kind of platform."""

PRODUCTS: dict[str, str] = {"soracom": "plan01s", "yoni": yoni.PACKAGE}
"""The product to order, for each kind of platform whose requests must name one."""
