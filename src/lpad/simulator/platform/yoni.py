"""Yoni: signed POSTs, orders by package, and errors under HTTP 200.

The fields of an order in the list are made up: the documentation does not show them.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

from lpad.base.untrusted_number import whole_number
from lpad.simulator.platform.faults import PlatformFault
from lpad.simulator.platform.platform_base import Faulty, Vendor, altered, same
from lpad.simulator.platform.request_and_answer import Answer
from lpad.simulator.platform.reservations import Profile

if TYPE_CHECKING:
    from lpad.simulator.platform.request_and_answer import Request
    from lpad.simulator.platform.reservations import Reserved

APP_ID = "app-simulated"
APP_SECRET = "secret-simulated"  # noqa: S105 - a simulator's secret
PACKAGE = "EU-1GB-30D"
WINDOW = 600.0
"""The accepted deviation of a timestamp in seconds; Yoni does not publish its limit."""
_CODES = {
    PlatformFault.NO_BALANCE: (506, "insufficient balance"),
    PlatformFault.UNKNOWN_PRODUCT: (504, "no such plan"),
    PlatformFault.NO_STOCK: (9999, "no stock"),
    PlatformFault.NOT_ELIGIBLE: (400, "not eligible"),
}


class Yoni(Vendor):
    """Yoni's platform; all calls are POST with JSON."""

    hosts = ("yoni.example.com",)
    bound = False
    calls = (
        ("POST", r"/v1/package/e-sim/list", "products"),
        ("POST", r"/v1/order/e-sim", "order"),
        ("POST", r"/v1/order/e-sim/page", "look"),
    )

    def admitted(self, request: Request) -> bool:
        """Return whether the request's signature is valid, and its timestamp recent."""
        headers = request.headers
        moment = whole_number(headers.get("timestamp", ""))
        if moment is None or abs(moment / 1000 - self.stock.now()) > WINDOW:
            return False
        text = f"{headers.get('appid', '')}&{moment}&{request.path}"
        wanted = hmac.new(APP_SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
        return same(headers.get("appid", ""), APP_ID) and same(headers.get("sign", ""), wanted)

    def stranger(self) -> Answer:
        """Answer a request with a wrong signature."""
        return Answer(401, {"code": 401, "error": True, "success": False, "msg": "signature is wrong"})

    def refused(self, fault: PlatformFault) -> Answer:
        """Refuse a request under HTTP 200."""
        return _refused(*_CODES.get(fault, (9999, fault.value)))

    def do_products(self, _: Request, *, faults: Faulty) -> Answer:  # noqa: ARG002 - every call receives the faults
        """List packages."""
        package = {
            "packageName": "Europe 1 GB",
            "packageCode": PACKAGE,
            "price": "3.50",
            "mcc": "262,208",
            "countryEn": "Europe",
            "flow": 1024,
            "apn": "internet",
            "effectiveDays": 30,
        }
        return Answer(200, {"code": 0, "data": [package], "msg": "ok"})

    def do_order(self, request: Request, *, faults: Faulty) -> Answer:
        """Order a package; a request with a known key returns the existing order."""
        asked = request.json or {}
        if asked.get("packageCode") != PACKAGE or {*asked} - {"packageCode", "email"}:
            return _refused(504, "no such plan")
        key = request.headers.get("idempotentkey", "")
        each = self.stock.find(key) if key else None
        if each is None:
            each = self.made(self.stock.order(reference=key, product=PACKAGE), faults)
        return Answer(200, {"code": 0, "data": {"orderNo": each.id}, "msg": "ok"})

    def do_look(self, request: Request, *, faults: Faulty) -> Answer:
        """Return a list with the requested order, or an empty list."""
        number = (request.json or {}).get("orderNo")
        each = self.stock.find(str(number))
        if each is None or PlatformFault.VANISHES in faults:
            return Answer(200, {"code": 0, "data": {"records": [], "total": 0}, "msg": "ok"})
        record = self._record(self.stock.look(each), faults)
        return Answer(200, {"code": 0, "data": {"records": [record], "total": 1}, "msg": "ok"})

    def _record(self, each: Reserved, faults: Faulty) -> dict[str, Any]:
        there = each.placed
        result = "FAILED" if each.profile is Profile.FAILED else "COMPLETED" if there else None
        record = {
            "orderNo": each.id,
            "packageCode": each.product,
            "iccid": there.iccid if there else None,
            "lpa": f"LPA:1${there.address}${there.matching_id}" if there else None,
            "result": result,
        }
        return altered(record, faults, state="result", iccid="iccid", keep=("orderNo",))


def _refused(code: int, words: str) -> Answer:
    return Answer(200, {"code": code, "data": None, "msg": words})
