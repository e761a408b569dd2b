"""Soracom: orders that are drafts until they are confirmed, and a list of profiles for each order."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from lpad.simulator.platform.faults import PlatformFault
from lpad.simulator.platform.platform_base import Faulty, Vendor, altered, same
from lpad.simulator.platform.request_and_answer import Answer
from lpad.simulator.platform.reservations import Profile

if TYPE_CHECKING:
    from lpad.simulator.platform.request_and_answer import Request
    from lpad.simulator.platform.reservations import Reserved, Stock

KEY_ID = "keyId-simulated"
KEY = "secret-simulated"
_PLANS = ("plan01s", "planP1", "planX1", "planX2", "planX3", "plan-US")
_STATES = {
    Profile.AVAILABLE: "SUBSCRIBER_REGISTRATION_SUCCEEDED",
    Profile.DOWNLOADED: "SUBSCRIBER_REGISTRATION_SUCCEEDED",
    Profile.INSTALLED: "INSTALLATION_SUCCEEDED",
    Profile.FAILED: "INSTALLATION_FAILED",
}
_MOST = 100


class Soracom(Vendor):
    """Soracom's platform, with the address of the global site."""

    hosts = ("g.api.soracom.io",)
    path = "/v1"
    bound = False
    calls = (
        ("POST", r"/v1/auth", "token"),
        ("POST", r"/v1/sim_profile_orders", "order"),
        ("GET", r"/v1/sim_profile_orders", "find"),
        ("GET", r"/v1/sim_profile_orders/([\w-]{1,64})", "look"),
        ("GET", r"/v1/sim_profile_orders/([\w-]{1,64})/profiles", "profiles"),
        ("POST", r"/v1/sim_profile_orders/([\w-]{1,64})/confirm", "confirm"),
        ("DELETE", r"/v1/sim_profile_orders/([\w-]{1,64})", "release"),
    )

    def __init__(self, stock: Stock) -> None:
        super().__init__(stock)
        self._tokens: dict[str, float] = {}

    def admitted(self, request: Request) -> bool:
        """Return whether this platform has issued the token, and the token has not expired."""
        key = request.headers.get("x-soracom-api-key", "")
        token = request.headers.get("x-soracom-token", "")
        return key == f"api-{token[:8]}" and self._tokens.get(token, 0.0) > self.stock.now()

    def stranger(self) -> Answer:
        """Answer a request with a wrong token, in Soracom's form."""
        return Answer(401, {"code": "AUM0003", "message": "Invalid API key or token"})

    def refused(self, fault: PlatformFault) -> Answer:
        """Refuse a request with a code."""
        return Answer(400, {"code": "SEM0001", "message": f"The order was refused: {fault.value}"})

    def missing(self) -> Answer:
        """Answer that there is no such order."""
        return Answer(404, {"code": "SEM0002", "message": "The eSIM profile order was not found"})

    def do_token(self, request: Request, *, faults: Faulty) -> Answer:
        """Issue a token."""
        asked = request.json or {}
        right = same(str(asked.get("authKeyId")), KEY_ID) and same(str(asked.get("authKey")), KEY)
        if not right or PlatformFault.TOKEN_EXPIRED in faults:
            return Answer(401, {"code": "AUM0001", "message": "Authentication failed"})
        token = secrets.token_hex(24)
        self._tokens[token] = self.stock.now() + float(asked.get("tokenTimeoutSeconds", 86400))
        return Answer(200, {"apiKey": f"api-{token[:8]}", "token": token, "operatorId": "OP0000000000"})

    def do_order(self, request: Request, *, faults: Faulty) -> Answer:
        """Create a draft of an order."""
        asked = request.json or {}
        known = {"subscription", "quantity", "bundles", "speedClass", "description"}
        if {*asked} - known or asked.get("subscription") not in _PLANS or asked.get("quantity") != 1:
            return Answer(400, {"code": "SEM0003", "message": "Invalid request"})
        made = self.stock.order(
            reference=str(asked.get("description", "")), product=asked["subscription"], confirmed=False
        )
        return Answer(201, self._order(self.made(made, faults)))

    def do_confirm(self, _: Request, order: str, *, faults: Faulty) -> Answer:  # noqa: ARG002 - every call receives the faults
        """Confirm a draft."""
        each = self.stock.find(order)
        if each is None:
            return self.missing()
        each.confirmed = True
        return Answer(200, self._order(each))

    def do_find(self, request: Request, *, faults: Faulty) -> Answer:
        """List the orders of the account, page by page."""
        size = int(request.query.get("limit", "10"))
        names = [each.id for each in self.stock.reserved]
        after = request.query.get("last_evaluated_key")
        start = names.index(after) + 1 if after in names else 0
        found = self.stock.reserved[start : start + size]
        headers = {}
        if found and start + size < len(names):
            headers["x-soracom-next-key"] = found[-1].id
        if PlatformFault.NEXT_LOOP in faults:
            headers["x-soracom-next-key"] = names[0] if names else "x"
        return Answer(200, [self._order(each) for each in found], headers)

    def do_look(self, _: Request, order: str, *, faults: Faulty) -> Answer:
        """Fetch an order."""
        each = self.stock.find(order)
        if each is None or PlatformFault.VANISHES in faults:
            return self.missing()
        return Answer(200, self._order(self.stock.look(each)))

    def do_profiles(self, _: Request, order: str, *, faults: Faulty) -> Answer:
        """List the profiles of an order."""
        each = self.stock.find(order)
        if each is None:
            return self.missing()
        if each.placed is None:
            return Answer(200, [])
        there = each.placed
        profile = {
            "profileOrderId": each.id,
            "iccid": there.iccid,
            "imsi": "440103000000001",
            "smdpAddress": there.address,
            "matchingId": there.matching_id,
            "activationCode": f"LPA:1${there.address}${there.matching_id}",
            "profileStatus": _STATES[each.profile],
            "createdTime": round(each.created * 1000),
            "lastModifiedTime": round(each.created * 1000),
        }
        return Answer(200, [altered(profile, faults, state="profileStatus", iccid="iccid", keep=())])

    def do_release(self, _: Request, order: str, *, faults: Faulty) -> Answer:  # noqa: ARG002 - every call receives the faults
        """Cancel an order."""
        each = self.stock.find(order)
        if each is None:
            return self.missing()
        self.stock.release(each)
        return Answer(204)

    def _order(self, each: Reserved) -> dict[str, Any]:
        status = "DRAFT" if not each.confirmed else "FAILED" if each.failed else "CONFIRMED"
        if status == "CONFIRMED" and each.looks:
            status = "IN_PROGRESS" if each.placed is None else "COMPLETED"
        return {
            "profileOrderId": each.id,
            "subscription": each.product,
            "quantity": 1,
            "status": status,
            "description": each.reference,
            "bundles": [],
            "orderedTime": round(each.created * 1000),
        }
