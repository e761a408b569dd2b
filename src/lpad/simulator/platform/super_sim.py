"""Super SIM of Twilio and KORE: the two interfaces are identical except for hosts and credentials."""

from __future__ import annotations

import base64
import re
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from lpad.simulator.platform.faults import PlatformFault
from lpad.simulator.platform.platform_base import Faulty, Vendor, altered, same
from lpad.simulator.platform.request_and_answer import Answer
from lpad.simulator.platform.reservations import Line, Profile

if TYPE_CHECKING:
    from lpad.simulator.platform.request_and_answer import Request
    from lpad.simulator.platform.reservations import Reserved, Stock

ACCOUNT = "AC" + "0" * 32
AUTH_TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 - a simulator's secret
CLIENT_ID = "simulated-client"
CLIENT_SECRET = "simulated-client-secret"  # noqa: S105 - a simulator's secret
FLEET = "HF" + "0" * 32
_PAGE = 50
_ERRORS = {
    PlatformFault.NO_STOCK: (400, 83500, "No eSIM Profiles are available"),
    PlatformFault.NO_BALANCE: (400, 20001, "Account balance is too low"),
    PlatformFault.NOT_ELIGIBLE: (400, 20001, "Invalid parameter: Eid"),
    PlatformFault.UNKNOWN_PRODUCT: (400, 20001, "Invalid parameter"),
    PlatformFault.LINE_REFUSED: (400, 83007, "SIM is not in a Fleet"),
}
_LINES = {Line.IDLE: "new", Line.CHANGING: "scheduled", Line.LIVE: "active", Line.ENDED: "inactive"}


class TwilioSuperSim(Vendor):
    """Super SIM at Twilio, with Basic authentication."""

    hosts: ClassVar[tuple[str, ...]] = ("supersim.twilio.com",)
    origin: ClassVar[str] = "https://supersim.twilio.com"
    calls: ClassVar[tuple[tuple[str, str, str], ...]] = (
        ("POST", r"/v1/ESimProfiles", "order"),
        ("GET", r"/v1/ESimProfiles", "find"),
        ("GET", r"/v1/ESimProfiles/(\w{1,64})", "look"),
        ("GET", r"/v1/Sims", "lines"),
        ("GET", r"/v1/Sims/(\w{1,64})", "line"),
        ("POST", r"/v1/Sims/(\w{1,64})", "activate"),
    )

    def admitted(self, request: Request) -> bool:
        """Return whether the account and its token are valid."""
        wanted = base64.b64encode(f"{ACCOUNT}:{AUTH_TOKEN}".encode()).decode()
        return same(request.headers.get("authorization", ""), f"Basic {wanted}")

    def stranger(self) -> Answer:
        """Answer a request with wrong credentials, in Twilio's form."""
        return _error(401, 20003, "Authenticate")

    def refused(self, fault: PlatformFault) -> Answer:
        """Refuse a request with a code."""
        return _error(*_ERRORS[fault])

    def missing(self) -> Answer:
        """Answer that there is no such resource."""
        return _error(404, 20404, "The requested resource was not found")

    def do_order(self, request: Request, *, faults: Faulty) -> Answer:
        """Create an eSIM profile."""
        form = request.form
        unknown = sorted({*form} - {"Eid", "GenerateMatchingId", "CallbackUrl", "CallbackMethod"})
        eid = form.get("Eid") or None
        if unknown or (eid is None and form.get("GenerateMatchingId") != "true"):
            return _error(400, 20001, f"Invalid parameter {', '.join(unknown) or 'Eid'}")
        made = self.made(self.stock.order(eid=eid), faults)
        return Answer(201, self._profile(made, faults))

    def do_find(self, request: Request, *, faults: Faulty) -> Answer:
        """List eSIM profiles."""
        eid, status, sim = (request.query.get(name) for name in ("Eid", "Status", "SimSid"))
        found = [
            each
            for each in self.stock.reserved
            if (eid is None or each.eid == eid)
            and (status is None or each.profile.value == status)
            and (sim is None or f"HS{each.line_id}" == sim)
        ]
        return self._page("esim_profiles", [self._profile(each, faults) for each in found], request, faults)

    def do_look(self, _: Request, sid: str, *, faults: Faulty) -> Answer:
        """Fetch an eSIM profile."""
        each = self.stock.find(sid.removeprefix("HP"))
        if each is None or PlatformFault.VANISHES in faults:
            return self.missing()
        return Answer(200, self._profile(self.stock.look(each), faults))

    def do_lines(self, request: Request, *, faults: Faulty) -> Answer:
        """List SIMs."""
        iccid, status, fleet = (request.query.get(name) for name in ("Iccid", "Status", "Fleet"))
        found = [
            self._sim(self.stock.look_at_line(each), faults)
            for each in self.stock.reserved
            if each.placed is not None
            and (iccid is None or each.placed.iccid == iccid)
            and (status is None or self._line(each) == status)
            and (fleet is None or each.fleet == _fleet(fleet))
        ]
        return self._page("sims", found, request, faults)

    def do_line(self, _: Request, sid: str, *, faults: Faulty) -> Answer:
        """Fetch a SIM."""
        each = self.stock.find(sid.removeprefix("HS"))
        if each is None or PlatformFault.VANISHES in faults:
            return self.missing()
        return Answer(200, self._sim(self.stock.look_at_line(each), faults))

    def do_activate(self, request: Request, sid: str, *, faults: Faulty) -> Answer:
        """Update a SIM: its Fleet, and its status, which changes in the network some time later."""
        each = self.stock.find(sid.removeprefix("HS"))
        if each is None:
            return self.missing()
        form = request.form
        known = {"UniqueName", "Status", "Fleet", "CallbackUrl", "CallbackMethod", "AccountSid"}
        if {*form} - known or form.get("Status", "active") not in ("ready", "active", "inactive"):
            return _error(400, 20001, "Invalid parameter")
        if each.line is Line.CHANGING and "Fleet" in form:
            return _error(400, 83009, "Fleet cannot be changed while the SIM is scheduled")
        each.fleet = _fleet(form["Fleet"]) if "Fleet" in form else each.fleet
        wanted = form.get("Status")
        if wanted in ("ready", "active") and each.fleet is None:
            return _error(400, 83007, "SIM is not in a Fleet")
        if wanted in ("ready", "active"):
            each.stuck = PlatformFault.LINE_STUCK in faults
            self.stock.activate(each)
        elif wanted == "inactive":
            each.line = Line.ENDED
        return Answer(202 if wanted else 200, self._sim(each, faults))

    def _profile(self, each: Reserved, faults: Faulty) -> dict[str, Any]:
        there = each.placed
        state = each.profile
        if PlatformFault.BACKWARDS in faults and there is not None:
            state = Profile.AVAILABLE
        by_code = each.eid is None and there is not None
        sid = f"HP{each.id}"
        return altered(
            {
                "sid": sid,
                "account_sid": ACCOUNT,
                "iccid": there.iccid if there else None,
                "sim_sid": f"HS{each.line_id}" if there else None,
                "status": state.value,
                "eid": each.eid,
                "smdp_plus_address": there.address if there else None,
                "matching_id": there.matching_id if by_code and there else None,
                "activation_code": f"1${there.address.upper()}${there.matching_id}"
                if by_code and there
                else None,
                "error_code": "83999" if each.failed else None,
                "error_message": "the profile failed" if each.failed else None,
                "date_created": _date(each.created),
                "date_updated": _date(each.created),
                "url": f"{self.origin}/v1/ESimProfiles/{sid}",
            },
            faults,
            state="status",
            iccid="iccid",
            keep=("sid",),
        )

    def _sim(self, each: Reserved, faults: Faulty) -> dict[str, Any]:
        sid = f"HS{each.line_id}"
        url = f"{self.origin}/v1/Sims/{sid}"
        sim = {
            "sid": sid,
            "account_sid": ACCOUNT,
            "unique_name": None,
            "status": self._line(each),
            "fleet_sid": each.fleet,
            "iccid": each.placed.iccid if each.placed else None,
            "date_created": _date(each.created),
            "date_updated": _date(each.created),
            "url": url,
            "links": {"billing_periods": f"{url}/BillingPeriods", "sim_ip_addresses": f"{url}/IpAddresses"},
        }
        only: Faulty = {fault: value for fault, value in faults.items() if fault is PlatformFault.OTHER_ICCID}
        return altered(sim, only, state="status", iccid="iccid", keep=())

    def _line(self, each: Reserved) -> str:
        return _LINES[each.line]

    def _page(self, key: str, entries: list[dict[str, Any]], request: Request, faults: Faulty) -> Answer:
        size = _number(request.query.get("PageSize"), _PAGE, most=1000)
        page = _number(request.query.get("Page"), 0, most=10_000)
        if size is None or size < 1 or page is None:
            return _error(400, 20001, "Invalid parameter")
        url = f"{self.origin}{request.path}"
        kept = {name: value for name, value in request.query.items() if not name.startswith("Page")}
        query = f"&{urlencode(kept)}" if kept else ""
        more = entries[size * (page + 1) :]
        following = f"{url}?PageSize={size}&Page={page + 1}{query}" if more else None
        if PlatformFault.NEXT_ELSEWHERE in faults:
            following = "https://elsewhere.example.net/v1/ESimProfiles?Page=1"
        if PlatformFault.NEXT_LOOP in faults:
            following = f"{url}?PageSize={size}&Page={page}{query}"
        meta = {
            "key": key,
            "page": page,
            "page_size": size,
            "first_page_url": f"{url}?PageSize={size}&Page=0{query}",
            "previous_page_url": f"{url}?PageSize={size}&Page={page - 1}{query}" if page else None,
            "next_page_url": following,
            "url": f"{url}?PageSize={size}&Page={page}{query}",
        }
        return Answer(200, {key: entries[size * page : size * (page + 1)], "meta": meta})


class KoreSuperSim(TwilioSuperSim):
    """Super SIM at KORE, with OAuth2 client credentials; the answer to a wrong token is 403."""

    hosts = ("supersim.api.korewireless.com", "api.korewireless.com")
    origin = "https://supersim.api.korewireless.com"
    calls = (("POST", r"/api-services/v1/auth/token", "token"), *TwilioSuperSim.calls)

    def __init__(self, stock: Stock, *, seconds: int = 3600) -> None:
        super().__init__(stock)
        self.seconds = seconds
        self._tokens: dict[str, float] = {}

    def admitted(self, request: Request) -> bool:
        """Return whether this platform has issued the token, and the token has not expired."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return self._tokens.get(token, 0.0) > self.stock.now()

    def stranger(self) -> Answer:
        """Answer a request with a wrong token, in KORE's form."""
        message = "User is not authorized to access this resource"
        return Answer(403, {"message": message, "error": "Invalid or expired token"})

    def do_token(self, request: Request, *, faults: Faulty) -> Answer:
        """Issue a token."""
        form = request.form
        right = same(form.get("client_id", ""), CLIENT_ID) and same(
            form.get("client_secret", ""), CLIENT_SECRET
        )
        if (
            form.get("grant_type") != "client_credentials"
            or not right
            or PlatformFault.TOKEN_EXPIRED in faults
        ):
            error = {"error": "unauthorized_client", "error_description": "Invalid client credentials"}
            return Answer(401, error)
        token = secrets.token_urlsafe(24)
        self._tokens[token] = self.stock.now() + self.seconds
        return Answer(
            200,
            {"access_token": token, "expires_in": self.seconds, "token_type": "Bearer", "scope": "supersim"},
        )


def _fleet(name: str) -> str:
    """Return a Fleet's SID; any name that is not a SID means the only Fleet."""
    return name if re.fullmatch(r"HF[0-9a-fA-F]{32}", name) else FLEET


def _error(status: int, code: int, message: str) -> Answer:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return Answer(status, {"code": code, "message": message, "more_info": more, "status": status})


def _date(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _number(text: str | None, default: int, *, most: int) -> int | None:
    if text is None:
        return default
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 and int(text) <= most else None
