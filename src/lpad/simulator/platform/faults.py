"""The faults of a simulated platform: their kinds, and the list of remaining faults.

As JSON, for the command line:

    [{"kind": "lost-answer", "call": "order"}, {"kind": "busy", "call": "look", "value": "30", "times": 2}]
"""

from __future__ import annotations

import threading
from enum import StrEnum

import msgspec

from lpad.base.errors import InvalidValue


class PlatformFault(StrEnum):
    """The kinds of faults, each with the meaning of `value`, if it has one."""

    # faults of the connection
    LOST_ANSWER = "lost-answer"
    """The request is carried out, but the connection is cut instead of an answer."""
    LOST_REQUEST = "lost-request"
    """The connection is cut, and the request is not carried out."""
    # faults of the HTTP answer
    STATUS = "status"
    """The request is not carried out; HTTP status `value`, without a body."""
    BUSY = "busy"
    """429, with `value` as Retry-After if there is one: seconds, a date, or an invalid value."""
    UNAVAILABLE = "unavailable"
    """503, with `value` as Retry-After if there is one."""
    HTML = "html"
    """200 with a web page, as captive portals answer; the request is not carried out."""
    EMPTY = "empty"
    """The request is carried out, but the answer has no body."""
    TRUNCATED = "truncated"
    """The request is carried out, but only half of the answer's JSON is sent, with a matching length."""
    HUGE = "huge"
    """An answer of `value` bytes, by default 8 MiB."""
    GZIP_BOMB = "gzip-bomb"
    """An answer of some kilobytes that decompresses to many megabytes."""
    CHARSET = "charset"
    """The answer's JSON is in UTF-16."""
    REDIRECT = "redirect"
    """302 to the URL `value`."""
    # faults of the credentials
    TOKEN_EXPIRED = "token-expired"  # noqa: S105 - a kind of fault, not a secret
    """The token, or another credential, is refused as expired."""
    # faults of the answer's JSON
    UNKNOWN_STATE = "unknown-state"
    """The profile's state is a word that no description lists: `value`, or `reticulating`."""
    EXTRA_FIELDS = "extra-fields"
    MISSING_FIELDS = "missing-fields"
    """All fields but the id and the state are left out."""
    NUMBER_ICCID = "number-iccid"
    """The ICCID is a number."""
    NEXT_ELSEWHERE = "next-elsewhere"
    """The list's next page is at another host."""
    NEXT_LOOP = "next-loop"
    """The list's next page is the same page."""
    # faults of the platform's reservations and lines
    NO_STOCK = "no-stock"
    NO_BALANCE = "no-balance"
    NOT_ELIGIBLE = "not-eligible"
    UNKNOWN_PRODUCT = "unknown-product"
    NEVER_AVAILABLE = "never-available"
    """An ordered profile remains pending forever."""
    FAILS = "fails"
    """An ordered profile fails."""
    OTHER_ICCID = "other-iccid"
    """The platform reports an ICCID that is not the profile's."""
    BACKWARDS = "backwards"
    """A downloaded profile is reported as available."""
    VANISHES = "vanishes"
    """404: the reservation is no longer known."""
    LINE_STUCK = "line-stuck"
    """An activated line remains scheduled."""
    LINE_ENDED = "line-ended"
    """The operator ends all lines, before the call is carried out."""
    LINE_REFUSED = "line-refused"
    """The activation is refused, as for a SIM without a Fleet."""


_ANY = "any"


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault.

    Attributes:
        kind: the kind of the fault.
        call: the name of the affected call, such as order, find, look or token; any: every call.
        value: a value whose meaning depends on `kind`.
        times: how many times the fault occurs; 0: always.
        after: the number of affected calls that are answered correctly before the fault occurs.
    """

    kind: PlatformFault
    call: str = _ANY
    value: str = ""
    times: int = 1
    after: int = 0


class _Waiting:
    """A fault with its remaining counts."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.before = fault.after
        self.left = fault.times


class Faults:
    """The remaining faults; thread-safe."""

    def __init__(self, *faults: Fault) -> None:
        self._lock = threading.Lock()
        self._waiting = [_Waiting(fault) for fault in faults]

    @classmethod
    def from_json(cls, text: str) -> Faults:
        """Read a list of faults from the command line.

        Raises:
            InvalidValue: the text is not such a list.
        """
        try:
            return cls(*msgspec.json.decode(text, type=list[Fault]))
        except ValueError as error:
            raise InvalidValue(
                f'cannot read the faults: write a JSON list such as [{{"kind": "busy"}}]: {error}'
            ) from error

    def add(
        self, kind: PlatformFault, *, call: str = _ANY, value: str = "", times: int = 1, after: int = 0
    ) -> None:
        """Add a fault."""
        with self._lock:
            fault = Fault(kind=kind, call=call, value=value, times=times, after=after)
            self._waiting.append(_Waiting(fault))

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._waiting.clear()

    def take(self, call: str) -> dict[PlatformFault, str]:
        """Return the faults of this call, with their values, and count them."""
        found: dict[PlatformFault, str] = {}
        with self._lock:
            for each in list(self._waiting):
                if each.fault.call not in (_ANY, call) or each.fault.kind in found:
                    continue
                if each.before:
                    each.before -= 1
                    continue
                found[each.fault.kind] = each.fault.value
                if each.fault.times:
                    each.left -= 1
                    if not each.left:
                        self._waiting.remove(each)
        return found
