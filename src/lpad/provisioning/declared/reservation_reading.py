"""Makes a reservation from the values of an answer, by the platform's tables of states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.provisioning.declared import answer_reading as reading
from lpad.provisioning.platform_interface import Line, Reservation, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.provisioning.declared.platform_declaration import Declaration


def reservation(
    fields: Mapping[str, str], declaration: Declaration, *, platform: str, before: Reservation | None = None
) -> Reservation:
    """Return a reservation from a platform's answer.

    Raises:
        MalformedError: the platform's value is not an activation code.
    """
    known = before or Reservation(platform=platform, id="")
    stage, unknown_stage = _stage(fields, declaration, known)
    line, unknown_line = _line(fields, declaration, known)
    number = reading.iccid(fields.get("iccid"))
    ticket = reading.ticket(
        code=fields.get("code"),
        smdp=fields.get("smdp"),
        matching=fields.get("matching"),
        bound=declaration.can.binds,
    )
    why = fields.get("why")
    return replace(
        known,
        id=fields.get("id", known.id),
        line_id=fields.get("line_id", known.line_id),
        profile=stage,
        line=line,
        line_word=fields.get("line", known.line_word),
        ticket=ticket or known.ticket,
        iccid=number or known.iccid,
        eid=fields.get("eid", known.eid),
        imei=fields.get("imei", known.imei),
        apn=fields.get("apn", known.apn),
        draft=fields.get("order") in declaration.drafts if "order" in fields else known.draft,
        why=reading.said(why) if why is not None else None,
        unknown=(*unknown_stage, *unknown_line),
        created=fields.get("created", known.created),
    )


def _stage(
    fields: Mapping[str, str], declaration: Declaration, known: Reservation
) -> tuple[Stage, tuple[str, ...]]:
    """Return the stage by the profile's state, otherwise by the order's, otherwise the previous stage."""
    for name, table in (("profile", declaration.profile), ("order", declaration.order)):
        word = fields.get(name)
        if word is not None:
            stage = table.get(word)
            return (Stage.UNKNOWN, (word,)) if stage is None else (stage, ())
    return known.profile, ()


def _line(
    fields: Mapping[str, str], declaration: Declaration, known: Reservation
) -> tuple[Line, tuple[str, ...]]:
    word = fields.get("line")
    if word is None:
        return known.line, ()
    line = declaration.line.get(word)
    return (Line.UNKNOWN, (word,)) if line is None else (line, ())
