"""The kinds of platforms that can be simulated, by the names of their descriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.simulator.platform import desk, super_sim

if TYPE_CHECKING:
    from lpad.simulator.platform.vendor import Vendor

VENDORS: dict[str, type[Vendor]] = {
    "desk": desk.Desk,
    "kore": super_sim.KoreSuperSim,
    "twilio": super_sim.TwilioSuperSim,
}

CREDENTIALS: dict[str, dict[str, str]] = {
    "desk": {"key": desk.KEY},
    "kore": {"client_id": super_sim.CLIENT_ID, "client_secret": super_sim.CLIENT_SECRET},
    "twilio": {"account_sid": super_sim.ACCOUNT, "auth_token": super_sim.AUTH_TOKEN},
}
"""What a client needs, by name."""

OPTIONS: dict[str, dict[str, str]] = {
    "kore": {"fleet": super_sim.FLEET},
    "twilio": {"fleet": super_sim.FLEET},
}
"""What a client's settings need besides."""
