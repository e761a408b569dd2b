"""Telnyx: SIM cards that are available immediately, and whose activation codes are read by a separate call.

The form of the answers follows Telnyx's guides and its Python library, because no formal description was
available.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lpad.simulator.platform.faults import PlatformFault
from lpad.simulator.platform.platform_base import Faulty, Vendor, altered, same
from lpad.simulator.platform.request_and_answer import Answer
from lpad.simulator.platform.reservations import Line, Profile

if TYPE_CHECKING:
    from lpad.simulator.platform.request_and_answer import Request
    from lpad.simulator.platform.reservations import Reserved

API_KEY = "KEY0123456789-simulated"
GROUP = "6b14e151-8493-4fa1-8664-1cc4e6d14158"
_LINES = {Line.IDLE: "disabled", Line.CHANGING: "enabling", Line.LIVE: "enabled", Line.ENDED: "disabled"}
_INSTALLED = (Profile.DOWNLOADED, Profile.INSTALLED)
_ERRORS = {
    PlatformFault.NO_BALANCE: (402, "20100", "Insufficient Funds"),
    PlatformFault.NO_STOCK: (422, "10015", "No eSIMs are available"),
}


class Telnyx(Vendor):
    """Telnyx's platform, with version 2 of its interface."""

    hosts = ("api.telnyx.com",)
    path = "/v2"
    bound = False
    calls = (
        ("POST", r"/v2/actions/purchase/esims", "order"),
        ("GET", r"/v2/sim_cards", "find"),
        ("GET", r"/v2/sim_cards/([\w-]{1,64})", "look"),
        ("GET", r"/v2/sim_cards/([\w-]{1,64})/activation_code", "code"),
        ("POST", r"/v2/sim_cards/([\w-]{1,64})/actions/enable", "activate"),
        ("POST", r"/v2/sim_cards/([\w-]{1,64})/actions/disable", "suspend"),
    )

    def admitted(self, request: Request) -> bool:
        """Return whether the key is valid."""
        return same(request.headers.get("authorization", ""), f"Bearer {API_KEY}")

    def stranger(self) -> Answer:
        """Answer a request with a wrong key."""
        return _error(401, "10009", "Authentication failed")

    def refused(self, fault: PlatformFault) -> Answer:
        """Refuse a request with a code."""
        return _error(*_ERRORS.get(fault, (422, "10001", f"Refused: {fault.value}")))

    def missing(self) -> Answer:
        """Answer that there is no such SIM card."""
        return _error(404, "10005", "Resource not found")

    def do_order(self, request: Request, *, faults: Faulty) -> Answer:
        """Buy an eSIM."""
        asked = request.json or {}
        known = {"amount", "sim_card_group_id", "status", "tags", "product", "whitelabel_name"}
        if {*asked} - known or asked.get("amount") != 1:
            return _error(422, "10001", "Invalid request")
        made = self.made(self.stock.order(reference=(asked.get("tags") or [""])[0]), faults)
        self.stock.look(made)
        return Answer(202, {"data": [self._card(made, faults)]})

    def do_find(self, request: Request, *, faults: Faulty) -> Answer:
        """List SIM cards by tag or ICCID."""
        tag, iccid = request.query.get("filter[tags]"), request.query.get("filter[iccid]")
        found = [
            self._card(self.stock.look_at_line(each), faults)
            for each in self.stock.reserved
            if (tag is None or each.reference == tag)
            and (iccid is None or (each.placed is not None and each.placed.iccid == iccid))
        ]
        pages = {"total_pages": 1, "total_results": len(found), "page_number": 1, "page_size": 100}
        return Answer(200, {"data": found, "meta": pages})

    def do_look(self, _: Request, card: str, *, faults: Faulty) -> Answer:
        """Fetch a SIM card."""
        each = self.stock.find(card)
        if each is None or PlatformFault.VANISHES in faults:
            return self.missing()
        return Answer(200, {"data": self._card(self.stock.look_at_line(self.stock.look(each)), faults)})

    def do_code(self, _: Request, card: str, *, faults: Faulty) -> Answer:  # noqa: ARG002 - every call receives the faults
        """Fetch an activation code."""
        each = self.stock.find(card)
        if each is None:
            return self.missing()
        there = each.placed
        code = f"LPA:1${there.address}${there.matching_id}" if there is not None else None
        return Answer(200, {"data": {"activation_code": code, "record_type": "sim_card_activation_code"}})

    def do_activate(self, _: Request, card: str, *, faults: Faulty) -> Answer:
        """Enable a SIM card."""
        each = self.stock.find(card)
        if each is None:
            return self.missing()
        each.stuck = PlatformFault.LINE_STUCK in faults
        self.stock.activate(each)
        return Answer(202, {"data": {"id": "1", "record_type": "sim_card_action", "action_type": "enable"}})

    def do_suspend(self, _: Request, card: str, *, faults: Faulty) -> Answer:  # noqa: ARG002 - every call receives the faults
        """Disable a SIM card."""
        each = self.stock.find(card)
        if each is None:
            return self.missing()
        each.line = Line.IDLE
        return Answer(202, {"data": {"id": "2", "record_type": "sim_card_action", "action_type": "disable"}})

    def _card(self, each: Reserved, faults: Faulty) -> dict[str, Any]:
        installed = each.profile in _INSTALLED and PlatformFault.BACKWARDS not in faults
        card = {
            "id": each.id,
            "record_type": "sim_card",
            "eid": None,
            "iccid": each.placed.iccid if each.placed else None,
            "current_imei": each.imei,
            "tags": [each.reference],
            "status": {"value": _LINES[each.line], "reason": None},
            "esim_installation_status": "disabled" if installed else "released",
            "created_at": f"{each.created:.3f}",
        }
        return altered(card, faults, state="esim_installation_status", iccid="iccid", keep=("id", "status"))


def _error(status: int, code: str, title: str) -> Answer:
    return Answer(status, {"errors": [{"code": code, "title": title, "detail": title}]})
