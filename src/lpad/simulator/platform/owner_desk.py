"""The owner's desk: the small protocol of docs/platforms/desk.md, with one key for each device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lpad.simulator.platform.faults import PlatformFault
from lpad.simulator.platform.platform_base import Faulty, Vendor, altered, same
from lpad.simulator.platform.request_and_answer import Answer
from lpad.simulator.platform.reservations import Line, Profile

if TYPE_CHECKING:
    from lpad.simulator.platform.request_and_answer import Request
    from lpad.simulator.platform.reservations import Reserved

KEY = "simulated-device-key"
APN = "iot.example"
PRODUCTS = (
    {
        "id": "global-1gb",
        "name": "Global 1 GB",
        "price": "4.20 EUR",
        "validity": "30 days",
        "coverage": "world",
    },
    {
        "id": "europe-5gb",
        "name": "Europe 5 GB",
        "price": "9.00 EUR",
        "validity": "30 days",
        "coverage": "Europe",
    },
)
_STATUSES = {
    PlatformFault.NO_STOCK: 409,
    PlatformFault.NO_BALANCE: 402,
    PlatformFault.NOT_ELIGIBLE: 422,
    PlatformFault.UNKNOWN_PRODUCT: 422,
    PlatformFault.LINE_REFUSED: 409,
}
_CAUSES = {PlatformFault.LINE_REFUSED: "settings"}
_STAGES = {Profile.NEW: "pending", Profile.RESERVING: "pending"}


class Desk(Vendor):
    """A desk that keeps wishes by reference."""

    hosts = ("desk.example.com",)
    calls = (
        ("PUT", r"/v1/wishes/([\w-]{1,64})", "order"),
        ("GET", r"/v1/wishes", "find"),
        ("GET", r"/v1/wishes/([\w-]{1,64})", "look"),
        ("POST", r"/v1/wishes/([\w-]{1,64})/activate", "activate"),
        ("DELETE", r"/v1/wishes/([\w-]{1,64})", "release"),
        ("GET", r"/v1/lines/(\w{1,20})", "line"),
        ("POST", r"/v1/lines/(\w{1,20})/activate", "activate_line"),
        ("POST", r"/v1/lines/(\w{1,20})/suspend", "suspend"),
        ("POST", r"/v1/lines/(\w{1,20})/retire", "retire"),
        ("GET", r"/v1/products", "products"),
    )

    def admitted(self, request: Request) -> bool:
        """Return whether the key belongs to a device."""
        return same(request.headers.get("authorization", ""), f"Bearer {KEY}")

    def stranger(self) -> Answer:
        """Answer a request with a wrong key."""
        return Answer(401, {"message": "this key does not belong to a device", "cause": "credentials"})

    def refused(self, fault: PlatformFault) -> Answer:
        """Refuse a request with a cause."""
        cause = _CAUSES.get(fault, fault.value)
        return Answer(_STATUSES[fault], {"message": f"the desk says {fault.value}", "cause": cause})

    def missing(self) -> Answer:
        """Answer that there is no such wish."""
        return Answer(404, {"message": "no such wish", "cause": "not-found"})

    def do_order(self, request: Request, reference: str, *, faults: Faulty) -> Answer:
        """Accept a wish, or return the existing one with this reference."""
        known = self.stock.find(reference)
        if known is not None:
            return Answer(200, self._wish(known, faults))
        wish = request.json or {}
        eid = wish.get("eid")
        if not isinstance(eid, str) or {*wish} - {"eid", "product", "imei"}:
            return Answer(422, {"message": "a wish must contain an EID", "cause": "settings"})
        products = {each["id"] for each in PRODUCTS}
        if wish.get("product", next(iter(products))) not in products:
            return self.refused(PlatformFault.UNKNOWN_PRODUCT)
        made = self.made(
            self.stock.order(eid=eid, reference=reference, product=str(wish.get("product", ""))), faults
        )
        made.imei = wish.get("imei")
        return Answer(201, self._wish(made, faults))

    def do_find(self, request: Request, *, faults: Faulty) -> Answer:
        """List wishes by reference or EID."""
        wanted = request.query
        found = [
            self._wish(each, faults)
            for each in self.stock.reserved
            if wanted.get("reference", each.reference) == each.reference
            and wanted.get("eid", each.eid) == each.eid
        ]
        following = None
        if PlatformFault.NEXT_ELSEWHERE in faults:
            following = "https://elsewhere.example.net/v1/wishes"
        if PlatformFault.NEXT_LOOP in faults:
            following = "/v1/wishes?reference=" + wanted.get("reference", "")
        return Answer(200, {"wishes": found, "next": following})

    def do_look(self, _: Request, reference: str, *, faults: Faulty) -> Answer:
        """Show a wish."""
        each = self.stock.find(reference)
        if each is None or PlatformFault.VANISHES in faults:
            return self.missing()
        return Answer(200, self._wish(self.stock.look_at_line(self.stock.look(each)), faults))

    def do_activate(self, _: Request, reference: str, *, faults: Faulty) -> Answer:
        """Activate the line of a wish."""
        each = self.stock.find(reference)
        if each is None:
            return self.missing()
        each.stuck = PlatformFault.LINE_STUCK in faults
        self.stock.activate(each)
        return Answer(202, self._wish(each, faults))

    def do_release(self, _: Request, reference: str, *, faults: Faulty) -> Answer:  # noqa: ARG002 - every call receives the faults
        """Release a wish."""
        each = self.stock.find(reference)
        if each is None:
            return self.missing()
        if each.profile in (Profile.DOWNLOADED, Profile.INSTALLED):
            return Answer(409, {"message": "the profile was downloaded", "cause": "wrong-state"})
        self.stock.release(each)
        return Answer(204)

    def do_line(self, _: Request, iccid: str, *, faults: Faulty) -> Answer:  # noqa: ARG002 - every call receives the faults
        """Show a line."""
        each = self.stock.by_iccid(iccid)
        return self.missing() if each is None else Answer(200, self._line(self.stock.look_at_line(each)))

    def do_activate_line(self, _: Request, iccid: str, *, faults: Faulty) -> Answer:
        """Make the line of an installed profile live."""
        each = self.stock.by_iccid(iccid)
        if each is None:
            return self.missing()
        each.stuck = PlatformFault.LINE_STUCK in faults
        self.stock.activate(each)
        return Answer(202, self._line(each))

    def do_suspend(self, _: Request, iccid: str, *, faults: Faulty) -> Answer:  # noqa: ARG002 - every call receives the faults
        """Suspend a line."""
        return self._set(iccid, Line.IDLE)

    def do_retire(self, _: Request, iccid: str, *, faults: Faulty) -> Answer:  # noqa: ARG002 - every call receives the faults
        """End a line."""
        return self._set(iccid, Line.ENDED)

    def do_products(self, _: Request, *, faults: Faulty) -> Answer:  # noqa: ARG002 - every call receives the faults
        """List the products."""
        return Answer(200, {"products": list(PRODUCTS), "next": None})

    def _set(self, iccid: str, line: Line) -> Answer:
        each = self.stock.by_iccid(iccid)
        if each is None:
            return self.missing()
        each.line = line
        return Answer(200, self._line(each))

    def _line(self, each: Reserved) -> dict[str, Any]:
        assert each.placed is not None, "it was found by its ICCID"
        return {
            "line_id": each.line_id,
            "iccid": each.placed.iccid,
            "imei": each.imei,
            "line": each.line.value,
        }

    def _wish(self, each: Reserved, faults: Faulty) -> dict[str, Any]:
        there = each.placed
        state = each.profile
        if PlatformFault.BACKWARDS in faults and there is not None:
            state = Profile.AVAILABLE
        code = None
        if there is not None and not there.announced:
            code = f"LPA:1${there.address}${there.matching_id}"
        return altered(
            {
                "reference": each.reference,
                "line_id": each.line_id if there else None,
                "eid": each.eid,
                "iccid": there.iccid if there else None,
                "activation_code": code,
                "apn": APN if there else None,
                "profile": _STAGES.get(state, state.value),
                "line": each.line.value,
                "message": "the profile failed" if each.failed else None,
                "created": f"{each.created:.3f}",
            },
            faults,
            state="profile",
            iccid="iccid",
            keep=("reference",),
        )
