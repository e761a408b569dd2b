"""A declared platform: the typed form of its YAML file, which has no expressions.

title, base, like            its name, its address, and the description that it inherits
headers, token, sign, basic  the client's authentication
calls                        order, confirm, find, look, line, activate, release, products; for the line of
                             an installed profile line_by_iccid, activate_line, suspend, retire; for the
                             lines with a tag lines_by_tag
good, again                  the answers that mean success, or "later"
words, cause_at, causes      the platform's words and codes in a refusal, each code with lpad's cause
profile, line, order         the platform's names of states, each with lpad's name
can                          the platform's capabilities
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from lpad.provisioning.platform_interface import Activates, Capabilities, Finds, Line, LineAction, Stage

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
Path = Annotated[str, msgspec.Meta(max_length=128)]
"""A path to a JSON value: names of fields, joined by dots; a number is a position in a list; empty: the whole
answer."""
Scalar = str | int | bool | None
Status = Annotated[int, msgspec.Meta(ge=100, le=599)]
Seconds = Annotated[float, msgspec.Meta(ge=1, le=30 * 86400)]

METHODS = ("get", "post", "put", "patch", "delete")
READ_NAMES = frozenset(
    {
        "id",
        "line_id",
        "reference",
        "eid",
        "iccid",
        "imei",
        "apn",
        "code",
        "smdp",
        "matching",
        "profile",
        "order",
        "line",
        "tags",
        "why",
        "created",
    }
)
"""The values of a reservation that a call may read."""
PRODUCT_NAMES = frozenset({"id", "name", "price", "validity", "coverage"})
"""The values of a product that a call may read."""
Cause = Literal[
    "credentials",
    "no-stock",
    "no-balance",
    "not-eligible",
    "unknown-product",
    "used-code",
    "wrong-state",
    "settings",
    "not-found",
    "rejected",
]
"""lpad's names of a platform's reasons for a refusal."""


class _Block(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A part of a platform's file; an unknown key in it is a mistake."""


class Call(_Block, frozen=True, kw_only=True):
    """One request, and the values to read from its answer.

    Attributes:
        get, post, put, patch, delete: the method and its path below `base`; exactly one is required.
        query, headers: names and templates; a part that is only an optional placeholder without a value is
            omitted.
        form, json: the body.
        good, again: paths and the values that mean success, or "later"; they replace the platform's.
        accepts: HTTP statuses that mean success in addition to 2xx.
        each: the path of a list, whose entries are read.
        match: names of read values, and the templates that these must equal.
        next: the path at which an answer has the address of the next page.
        next_header, next_query: the header with the next page's mark, and the query parameter for it.
        read: the name and the path of each value.
        then: another call that uses the values read so far, and adds its own.
    """

    get: Text | None = None
    post: Text | None = None
    put: Text | None = None
    patch: Text | None = None
    delete: Text | None = None
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    form: dict[str, str] | None = None
    json: dict[str, Any] | None = None
    good: dict[Path, list[Scalar] | Scalar] | None = None
    again: dict[Path, list[Scalar] | Scalar] | None = None
    accepts: list[Status] = []
    each: Path | None = None
    match: dict[str, str] = {}
    next: Path | None = None
    next_header: Text | None = None
    next_query: Text | None = None
    read: dict[str, Path] = {}
    then: Call | None = None

    @property
    def method(self) -> str:
        """The HTTP method in capitals."""
        return next(name for name in METHODS if getattr(self, name) is not None).upper()

    @property
    def path(self) -> str:
        """The template of the path."""
        return str(next(path for name in METHODS if (path := getattr(self, name)) is not None))


class Token(_Block, frozen=True, kw_only=True):
    """The request for a token: a POST whose answer has one or two values, and their lifetime in seconds."""

    post: Text
    headers: dict[str, str] = {}
    form: dict[str, str] | None = None
    json: dict[str, Any] | None = None
    basic: list[Text] | None = None
    read: dict[Literal["value", "second", "seconds"], Path]
    lives: Seconds = 3600
    renew: tuple[Status, ...] = (401, 403)


class Sign(_Block, frozen=True, kw_only=True):
    """A signature of each request: HMAC over a template."""

    hmac: Literal["sha1", "sha256", "sha512"]
    key: Text
    text: Text
    encoding: Literal["hex", "base64"] = msgspec.field(name="as", default="hex")


class Can(_Block, frozen=True, kw_only=True):
    """The capabilities that a platform's file declares (see `Capabilities`)."""

    orders: bool = True
    binds: bool = False
    finds: Finds = Finds.NOTHING
    repeats: bool = False
    activates: Activates = Activates.NEVER
    releases: bool = False
    costs: bool = True
    events: bool = False
    look_every: Seconds = 30
    look_for: Seconds = 3600

    def capabilities(self, calls: Calls) -> Capabilities:
        """Return the platform's capabilities, to which the calls add the possible requests for lines."""
        return Capabilities(**msgspec.structs.asdict(self), lines=calls.lines)


class Calls(_Block, frozen=True, kw_only=True):
    """The calls by purpose; a platform need not have all.

    Without `activate_line`, lpad also uses `activate` for the line of an installed profile.
    """

    order: Call | None = None
    confirm: Call | None = None
    find: Call | None = None
    look: Call | None = None
    activate: Call | None = None
    release: Call | None = None
    line: Call | None = None
    line_by_iccid: Call | None = None
    lines_by_tag: Call | None = None
    activate_line: Call | None = None
    suspend: Call | None = None
    retire: Call | None = None
    products: Call | None = None

    def named(self) -> dict[str, Call]:
        """Return the platform's calls by name."""
        return {name: call for name in self.__struct_fields__ if (call := getattr(self, name)) is not None}

    @property
    def lines(self) -> frozenset[LineAction]:
        """The requests for the line of an installed profile that the calls support."""
        if self.line_by_iccid is None:
            return frozenset()  # no call finds the line of an installed profile
        calls = {
            LineAction.SHOW: self.line_by_iccid,
            LineAction.ACTIVATE: self.activate_line or self.activate,
            LineAction.SUSPEND: self.suspend,
            LineAction.RETIRE: self.retire,
        }
        return frozenset(action for action, call in calls.items() if call is not None)


class Declaration(_Block, frozen=True, kw_only=True):
    """A platform's whole description."""

    title: Text
    documentation: Text | None = None
    base: Text | None = None
    credentials: list[Text] = []
    options: dict[str, Text] = {}
    headers: dict[str, str] = {}
    basic: list[Text] | None = None
    token: Token | None = None
    sign: Sign | None = None
    calls: Calls
    good: dict[Path, list[Scalar] | Scalar] = {}
    again: dict[Path, list[Scalar] | Scalar] = {}
    words: list[Path] = []
    causes: dict[str, Cause] = {}
    cause_at: list[Path] = []
    profile: dict[str, Stage] = {}
    order: dict[str, Stage] = {}
    line: dict[str, Line] = {}
    drafts: list[str] = []
    can: Can = Can()
    samples: dict[str, list[Any]] = {}

    def __post_init__(self) -> None:
        for name, call in self.calls.named().items():
            _check(name, call)


def _check(name: str, call: Call) -> None:
    methods = [method for method in METHODS if getattr(call, method) is not None]
    if len(methods) != 1:
        raise ValueError(f"call '{name}' needs exactly one of {', '.join(METHODS)}")
    if call.form is not None and call.json is not None:
        raise ValueError(f"call '{name}' must not have both 'form' and 'json'")
    if (call.next_header is None) != (call.next_query is None):
        raise ValueError(f"call '{name}' must have both 'next_header' and 'next_query', or neither")
    allowed = PRODUCT_NAMES if name == "products" else READ_NAMES
    unknown = sorted({*call.read, *call.match} - allowed)
    if unknown:
        raise ValueError(
            f"call '{name}' reads {', '.join(unknown)}, which lpad does not know; the known names are "
            f"{', '.join(sorted(allowed))}"
        )
    if call.then is not None:
        _check(name, call.then)
