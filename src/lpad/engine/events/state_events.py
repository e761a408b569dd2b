"""The events that follow from the hub's reports on states, such as those of cards, failover and lines.

Each of these states becomes an event only when it changes, even across a restart: see `Happening.key`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.engine.events import event_types as types
from lpad.engine.events.event_data import (
    CardChangedData,
    CardData,
    FailoverData,
    ImeiData,
    JournalData,
    LayerData,
    LineData,
)
from lpad.engine.events.happening import Happening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lpad.engine.change.change import Json
    from lpad.engine.change.event_subscriptions import Event as HubEvent

_CARD_STATES = {
    "ready": types.CARD_READY,
    "absent": types.CARD_ABSENT,
    "faulty": types.CARD_FAULTY,
    "removed": types.CARD_REMOVED,
}


_LONGEST_CAUSE = 64
"""The maximum number of characters of the cause that the network gives."""


def happenings(event: HubEvent) -> list[Happening]:
    """Return the happenings for an event of the hub; most events of the hub have none."""
    find = _FINDERS.get(event.type)
    return [] if find is None else list(find(event.data))


def _card(data: Mapping[str, Json]) -> Iterator[Happening]:
    euicc, state, eid = str(data["name"]), str(data["state"]), data.get("eid")
    type_ = _CARD_STATES.get(state)
    if type_ is None:
        return
    known = eid if isinstance(eid, str) else None
    error = data.get("error")
    cause = str(error["kind"]) if isinstance(error, dict) else None
    yield Happening(
        type=type_,
        data=CardData(euicc=euicc, eid=known, cause=cause),
        euicc=euicc,
        key=f"card:{euicc}",
        state=state,
    )
    if known is not None and state == "ready":
        yield Happening(
            type=types.CARD_CHANGED,
            data=CardChangedData(euicc=euicc, eid=known, previous=""),
            euicc=euicc,
            key=f"eid:{euicc}",
            state=known,
            first_counts=False,
            told_as="previous",
        )


def _failover(data: Mapping[str, Json]) -> Iterator[Happening]:
    euicc, stage, profile = str(data["euicc"]), str(data["standing"]), data.get("profile")
    iccid = profile if isinstance(profile, str) else None
    yield Happening(
        type=types.FAILOVER_CHANGED,
        data=FailoverData(euicc=euicc, stage=stage, iccid=iccid),
        euicc=euicc,
        key=f"failover:{euicc}",
        state=f"{stage} {iccid or ''}",
    )


def _journal(data: Mapping[str, Json]) -> Iterator[Happening]:
    repairs = data.get("repairs")
    if isinstance(repairs, list):
        for each in repairs[-1:]:
            if isinstance(each, dict):
                yield _repaired(each)


def _repaired(report: Mapping[str, Json]) -> Happening:
    def counts(name: str) -> dict[str, int]:
        found = report.get(name)
        return {k: v for k, v in found.items() if isinstance(v, int)} if isinstance(found, dict) else {}

    lost = report.get("lost_changes")
    numbers = tuple(each for each in lost if isinstance(each, int)) if isinstance(lost, list) else ()
    return Happening(
        type=types.JOURNAL_REPAIRED,
        data=JournalData(saved=counts("saved"), lost=counts("lost"), lost_changes=numbers),
        key="repair",
        state=str(report.get("at")),
    )


def _line(data: Mapping[str, Json]) -> Iterator[Happening]:
    """Yield the happening of a `line` event: `platform`, `line`, and `iccid` and `euicc` if known."""
    platform, line, iccid, euicc = (_text(data, name) for name in ("platform", "line", "iccid", "euicc"))
    if platform and line:
        yield Happening(
            type=types.LINE_CHANGED,
            data=LineData(platform=platform, line=line, iccid=iccid, euicc=euicc),
            euicc=euicc,
            key=f"line:{platform}:{iccid or euicc or ''}",
            state=line,
        )


def _imei(data: Mapping[str, Json]) -> Iterator[Happening]:
    """Yield the happening of an `imei` event: `euicc`, `imei`, and `previous`, `iccid`, `cause` if known."""
    euicc, imei = _text(data, "euicc"), _text(data, "imei")
    if euicc and imei:
        yield Happening(
            type=types.IMEI_CHANGED,
            data=ImeiData(
                euicc=euicc,
                imei=imei,
                previous=_text(data, "previous"),
                iccid=_text(data, "iccid"),
                cause=_text(data, "cause"),
            ),
            euicc=euicc,
            key=f"imei:{euicc}",
            state=f"{imei} {_text(data, 'cause') or ''}",
        )


def _layer(data: Mapping[str, Json]) -> Iterator[Happening]:
    """Yield the happening of a `layer` event: `euicc`, `layer`, `up`, and `iccid` and `cause` if known."""
    euicc, layer, iccid, cause = (_text(data, name) for name in ("euicc", "layer", "iccid", "cause"))
    up = data.get("up") is True
    if euicc and layer:
        yield Happening(
            type=types.LAYER_UP if up else types.LAYER_DOWN,
            data=LayerData(euicc=euicc, layer=layer, iccid=iccid, cause=cause and cause[:_LONGEST_CAUSE]),
            euicc=euicc,
            key=f"layer:{euicc}:{layer}",
            state=f"{'up' if up else 'down'} {iccid or ''}",
        )


def _text(data: Mapping[str, Json], name: str) -> str | None:
    found = data.get(name)
    return found if isinstance(found, str) and found else None


_FINDERS: Mapping[str, Callable[[Mapping[str, Json]], Iterator[Happening]]] = {
    "euicc": _card,
    "failover": _failover,
    "imei": _imei,
    "journal": _journal,
    "layer": _layer,
    "line": _line,
}
"""The functions that return happenings, by the hub's type of event. The events of changes, notifications and
provisioning are written in the transactions of their causes."""
