"""A platform that has only lines: SIMs with a state, selected by ICCID or by tag, and the device's IMEI.

The form of the answers follows the published description of 1GLOBAL's IoT portal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lpad.simulator.platform.faults import PlatformFault
from lpad.simulator.platform.platform_base import Faulty, Vendor, same
from lpad.simulator.platform.request_and_answer import Answer
from lpad.simulator.platform.reservations import Line

if TYPE_CHECKING:
    from lpad.simulator.platform.request_and_answer import Request
    from lpad.simulator.platform.reservations import Reserved

KEY = "simulated-things-key"
_LINES = {Line.IDLE: "PROVISIONED", Line.CHANGING: "PROVISIONED", Line.LIVE: "ACTIVE", Line.ENDED: "RETIRED"}
_STATES = {"ACTIVE": Line.LIVE, "SUSPENDED": Line.IDLE, "RETIRED": Line.ENDED, "PROVISIONED": Line.IDLE}


class Things(Vendor):
    """The platform; its paths must end with a slash."""

    hosts = ("things.example.com",)
    calls = (
        ("GET", r"/v2\.2/sims/", "find"),
        ("GET", r"/v2\.2/sims/([\w-]{1,64})/", "look"),
        ("POST", r"/v2\.0/sims/change_status/", "activate"),
    )

    def admitted(self, request: Request) -> bool:
        """Return whether the key is valid."""
        return same(request.headers.get("authorization", ""), f"Token {KEY}")

    def stranger(self) -> Answer:
        """Answer a request with a wrong key."""
        return Answer(401, {"detail": "Invalid token."})

    def refused(self, fault: PlatformFault) -> Answer:
        """Refuse a request with a sentence."""
        return Answer(400, {"detail": f"refused: {fault.value}"})

    def missing(self) -> Answer:
        """Answer that there is no such SIM."""
        return Answer(404, {"detail": "Not found."})

    def do_find(self, request: Request, *, faults: Faulty) -> Answer:  # noqa: ARG002 - every call receives the faults
        """List SIMs by EID, ICCID or tag."""
        wanted = request.query
        found = [
            self._thing(each)
            for each in self.stock.reserved
            if wanted.get("eid", each.eid) == each.eid
            and wanted.get("tag", each.reference) == each.reference
            and ("iccid" not in wanted or (each.placed is not None and each.placed.iccid == wanted["iccid"]))
        ]
        return Answer(200, {"count": len(found), "next": None, "previous": None, "results": found})

    def do_look(self, _: Request, thing: str, *, faults: Faulty) -> Answer:
        """Fetch a SIM."""
        each = self.stock.find(thing)
        if each is None or PlatformFault.VANISHES in faults:
            return self.missing()
        return Answer(200, self._thing(each))

    def do_activate(self, request: Request, *, faults: Faulty) -> Answer:  # noqa: ARG002 - every call receives the faults
        """Change the state of SIMs, selected by ICCID or by tag."""
        asked = request.json or {}
        state = _STATES.get(str(asked.get("status")))
        if state is None or {*asked} - {"iccids", "tag", "status"}:
            return Answer(400, {"detail": "Invalid status."})
        iccids = asked.get("iccids") or []
        for each in self.stock.reserved:
            by_iccid = each.placed is not None and each.placed.iccid in iccids
            if (
                by_iccid or (asked.get("tag") and each.reference == asked["tag"])
            ) and each.line is not Line.ENDED:
                each.line, each.words = state, str(asked["status"])
        return Answer(202)

    def _thing(self, each: Reserved) -> dict[str, Any]:
        return {
            "id": each.line_id,
            "eid": each.eid,
            "iccid": each.placed.iccid if each.placed else None,
            "imei": each.imei,
            "status": each.words or _LINES[each.line],
            "tags": [each.reference],
            "created": f"{each.created:.3f}",
        }
