"""A platform described by a file: carries out the interface's methods as declared calls."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.base.errors import Conflict, MalformedError, PlatformRefused, PlatformUnclear
from lpad.provisioning.declared import answer_reading as reading
from lpad.provisioning.declared.reservation_reading import reservation
from lpad.provisioning.platform_interface import Finds, Line, Product, Reservation, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lpad.base.deadline import Deadline
    from lpad.provisioning.declared.call_execution import Caller
    from lpad.provisioning.declared.platform_declaration import Call, Declaration
    from lpad.provisioning.platform_interface import Wish


class DeclaredPlatform:
    """A platform described by a file; see `Platform`. Only one thread may use it."""

    def __init__(
        self,
        name: str,
        declaration: Declaration,
        caller: Caller,
        *,
        options: Mapping[str, str],
        product: str | None = None,
    ) -> None:
        self.name = name
        self.can = declaration.can.capabilities(declaration.calls)
        self._declaration = declaration
        self._calls = declaration.calls
        self._caller = caller
        self._options = dict(options)
        self._product = product

    def close(self) -> None:
        """Close the connections."""
        self._caller.close()

    def order(self, wish: Wish, *, draft: Reservation | None = None, deadline: Deadline) -> Reservation:
        """Order a profile, or confirm the draft of an order; see `Platform`."""
        attempted = "order a profile"
        made = draft
        if made is None:
            call = self._needed("order", self._calls.order)
            made = self._reserved(call, self._of_wish(wish), None, attempted=attempted, deadline=deadline)
            if not made.id:
                raise PlatformUnclear(
                    f"the platform '{self.name}' returned no order in its answer; lpad searches for the order"
                    " before it repeats the request",
                    platform=self.name,
                )
            if made.profile is Stage.UNKNOWN and not made.unknown:
                made = replace(made, profile=Stage.PENDING)  # the platform reports no state yet
        if self._calls.confirm is None or not made.draft:
            return made
        values = {**self._of_wish(wish), **_of_reservation(made)}
        return self._reserved(
            self._calls.confirm, values, made, attempted="confirm an order", deadline=deadline
        )

    def find(self, wish: Wish, *, deadline: Deadline) -> tuple[Reservation, ...]:
        """Return the platform's reservations for a wish, the oldest first; see `Platform`."""
        if self._calls.find is None or self.can.finds is Finds.NOTHING:
            return ()
        attempted = "search for an order"
        found = []
        for fields in self._caller.entries(
            self._calls.find, self._of_wish(wish), attempted=attempted, deadline=deadline
        ):
            if fields.get("eid", wish.eid) == wish.eid and "id" in fields:
                with self._readable(attempted):
                    found.append(reservation(fields, self._declaration, platform=self.name))
        return tuple(sorted(found, key=lambda each: each.created or ""))

    def look(self, reservation: Reservation, *, deadline: Deadline) -> Reservation:
        """Return the present state of a reservation; see `Platform`."""
        attempted = "report on an order"
        call = self._needed("look", self._calls.look)
        try:
            seen = self._reserved(
                call, _of_reservation(reservation), reservation, attempted=attempted, deadline=deadline
            )
        except PlatformRefused as refused:
            if refused.details.get("cause") != "not-found":
                raise
            return replace(
                reservation, profile=Stage.GONE, unknown=(), why=str(refused.details["words"]) or None
            )
        if self._calls.line is None or seen.line_id is None:
            return seen
        return self._line(self._calls.line, seen, attempted="report on a line", deadline=deadline)

    def activate(self, reservation: Reservation, wish: Wish, *, deadline: Deadline) -> Reservation:
        """Activate the line, or begin its activation; see `Platform`."""
        call = self._needed("activate", self._calls.activate)
        values = {**self._of_wish(wish), **_of_reservation(reservation)}
        return self._reserved(call, values, reservation, attempted="activate a line", deadline=deadline)

    def release(self, reservation: Reservation, *, deadline: Deadline) -> Reservation:
        """Release a profile that was not downloaded; see `Platform`."""
        call = self._needed("release", self._calls.release)
        try:
            self._caller.call(
                call,
                self._values(_of_reservation(reservation)),
                attempted="release an order",
                deadline=deadline,
            )
        except PlatformRefused as refused:
            if refused.details.get("cause") != "not-found":
                raise
        return replace(reservation, profile=Stage.GONE, unknown=())

    def line_of(self, iccid: str, *, deadline: Deadline) -> Reservation | None:
        """Return the line of an installed profile; None: the platform has no line with this ICCID.

        Raises:
            Conflict: the platform's file has no call for this query.
            PlatformRefused, PlatformBusy, ServerError, Cancelled: see `Platform`.
        """
        call = self._needed("line_by_iccid", self._calls.line_by_iccid)
        attempted = "report on a line"
        entries = self._caller.entries(
            call, self._values({"iccid": iccid}), attempted=attempted, deadline=deadline
        )
        try:
            fields = next((each for each in entries if _is_of(each, iccid)), None)
        except PlatformRefused as refused:
            if refused.details.get("cause") != "not-found":
                raise
            return None
        if fields is None:
            return None
        known = Reservation(platform=self.name, id=fields.get("line_id", ""), iccid=iccid)
        with self._readable(attempted):
            return reservation(fields, self._declaration, platform=self.name, before=known)

    def lines_of_tag(self, tag: str, *, deadline: Deadline) -> tuple[Reservation, ...]:
        """Return the lines to which the owner has given a tag; an entry counts only if it reports the tag.

        Raises:
            Conflict: the platform's file has no call for this query.
            PlatformRefused, PlatformBusy, ServerError, Cancelled: see `Platform`.
        """
        call = self._needed("lines_by_tag", self._calls.lines_by_tag)
        attempted = "list lines"
        found = []
        for fields in self._caller.entries(
            call, self._values({"tag": tag}), attempted=attempted, deadline=deadline
        ):
            if tag in fields.get(reading.TAGS, "").split("\n") and "iccid" in fields:
                with self._readable(attempted):
                    found.append(reservation(fields, self._declaration, platform=self.name))
        return tuple(found)

    def activate_line(self, reservation: Reservation, *, deadline: Deadline) -> Reservation:
        """Activate the line of an installed profile, or begin its activation."""
        call = self._needed("activate", self._calls.activate_line or self._calls.activate)
        return self._line(call, reservation, attempted="activate a line", deadline=deadline)

    def suspend(self, reservation: Reservation, *, deadline: Deadline) -> Reservation:
        """Make the network stop serving a line; `activate_line` undoes this."""
        call = self._needed("suspend", self._calls.suspend)
        return self._line(call, reservation, attempted="suspend a line", deadline=deadline)

    def retire(self, reservation: Reservation, *, deadline: Deadline) -> Reservation:
        """End a line, which cannot be undone."""
        call = self._needed("retire", self._calls.retire)
        ended = self._line(call, reservation, attempted="retire a line", deadline=deadline)
        return replace(ended, line=Line.ENDED) if ended.line is Line.UNKNOWN else ended

    def products(self, *, deadline: Deadline) -> tuple[Product, ...]:
        """Return the available products.

        Raises:
            Conflict: the platform's file has no call for this query.
            PlatformRefused, PlatformBusy, ServerError, Cancelled: see `Platform`.
        """
        call = self._needed("products", self._calls.products)
        found = self._caller.entries(call, self._values({}), attempted="list its products", deadline=deadline)
        return tuple(Product(**fields) for fields in found if "id" in fields)

    def _needed(self, name: str, call: Call | None) -> Call:
        if call is None:
            raise Conflict(
                f"the platform '{self.name}' has no call '{name}' in its file; 'lpad platform list' shows"
                " what the platform can do"
            )
        return call

    def _line(self, call: Call, known: Reservation, *, attempted: str, deadline: Deadline) -> Reservation:
        return self._reserved(call, _of_reservation(known), known, attempted=attempted, deadline=deadline)

    def _reserved(
        self,
        call: Call,
        values: Mapping[str, str],
        before: Reservation | None,
        *,
        attempted: str,
        deadline: Deadline,
    ) -> Reservation:
        fields = self._caller.call(call, self._values(values), attempted=attempted, deadline=deadline)
        with self._readable(attempted):
            return reservation(fields, self._declaration, platform=self.name, before=before)

    @contextmanager
    def _readable(self, attempted: str) -> Iterator[None]:
        try:
            yield
        except MalformedError as error:
            raise PlatformUnclear(
                f"the platform '{self.name}' cannot {attempted}: {error.sentence}", platform=self.name
            ) from error

    def _of_wish(self, wish: Wish) -> dict[str, str]:
        values = {"eid": wish.eid, "reference": wish.reference}
        product = wish.product or self._product
        if product is not None:
            values["product"] = product
        if wish.imei is not None:
            values["imei"] = wish.imei
        return self._values({**values, **_options(wish.options)})

    def _values(self, values: Mapping[str, str]) -> dict[str, str]:
        product = {} if self._product is None else {"product": self._product}
        return {**product, **_options(self._options), **values}


def _is_of(fields: Mapping[str, str], iccid: str) -> bool:
    return reading.same_iccid(fields.get("iccid", iccid), iccid)


def _options(options: Mapping[str, str]) -> dict[str, str]:
    return {f"option.{name}": value for name, value in options.items()}


def _of_reservation(known: Reservation) -> dict[str, str]:
    values = {"id": known.id, "line_id": known.line_id, "iccid": known.iccid, "eid": known.eid}
    return {name: value for name, value in values.items() if value}
