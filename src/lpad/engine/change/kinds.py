"""The table of kinds of changes: the types of their parameters, notes and results.

Only this module decodes JSON into these types. Fields of a later lpad are ignored. Values that do not fit
stay undecoded: they are shown, but not carried out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import msgspec

from lpad.card.probe import ShownReport
from lpad.engine.change import params, results
from lpad.engine.change.change import Change, Kind
from lpad.engine.change.notes import (
    DownloadNotes,
    DropNotes,
    Notes,
    ProfileNotes,
    ProvisionNotes,
    ResetNotes,
    SwitchNotes,
)
from lpad.remote.trust.report import TrustReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.engine.change.change import Json, Odd

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class KindTypes:
    """The types of one kind of change."""

    params: type[params.Params]
    notes: type[Notes] = Notes
    result: type[results.Outcome]


KINDS: Mapping[Kind, KindTypes] = {
    Kind.DOWNLOAD: KindTypes(
        params=params.DownloadParams, notes=DownloadNotes, result=results.DownloadResult
    ),
    Kind.PROVISION: KindTypes(
        params=params.ProvisionParams, notes=ProvisionNotes, result=results.ProvisionResult
    ),
    Kind.ENABLE: KindTypes(params=params.EnableParams, notes=SwitchNotes, result=results.SwitchResult),
    Kind.DISABLE: KindTypes(params=params.DisableParams, notes=SwitchNotes, result=results.SwitchResult),
    Kind.DELETE: KindTypes(params=params.DeleteParams, notes=ProfileNotes, result=results.DeleteResult),
    Kind.RENAME: KindTypes(params=params.RenameParams, notes=ProfileNotes, result=results.RenameResult),
    Kind.SET_DEFAULT_SMDP: KindTypes(params=params.SetDefaultSmdpParams, result=results.SetDefaultSmdpResult),
    Kind.RESET: KindTypes(params=params.ResetParams, notes=ResetNotes, result=results.ResetResult),
    Kind.DELIVER_NOTIFICATIONS: KindTypes(
        params=params.DeliverNotificationsParams, result=results.DeliverNotificationsResult
    ),
    Kind.DROP_NOTIFICATION: KindTypes(
        params=params.DropNotificationParams, notes=DropNotes, result=results.DropNotificationResult
    ),
    Kind.REFRESH: KindTypes(params=params.RefreshParams, result=results.RefreshResult),
    Kind.PROBE: KindTypes(params=params.ProbeParams, result=ShownReport),
    Kind.CHECK_TRUST: KindTypes(params=params.CheckTrustParams, result=TrustReport),
    Kind.RESTART_MODEM: KindTypes(params=params.RestartModemParams, result=results.RestartModemResult),
}

_BY_PARAMS: Mapping[type[params.Params], Kind] = {row.params: kind for kind, row in KINDS.items()}


def kind_of(asked: params.Params) -> Kind:
    """Return the kind of change with these parameters."""
    return _BY_PARAMS[type(asked)]


def read_change(text: bytes) -> Change:
    """Return the record in a JSON text.

    Raises:
        ValueError: it contains no record, or one of an unknown kind.
    """
    found = msgspec.json.decode(text, type=Change)
    row = KINDS[found.kind]
    result = None if found.result is None else _typed(found.result, row.result)
    return replace(found, params=_typed(found.params, row.params), result=result)


def read_notes(kind: Kind, found: Odd) -> Notes:
    """Return the notes; a note that does not fit is ignored and hides no other."""
    wanted = KINDS[kind].notes
    fitting = {name: value for name, value in found.items() if _fits(name, value, wanted)}
    return msgspec.convert(fitting, wanted)


def _typed(found: object, wanted: type[_T]) -> _T | Odd:
    """Return decoded JSON as a type; unchanged if it does not fit."""
    try:
        return msgspec.convert(found, wanted)
    except msgspec.ValidationError:
        return found if isinstance(found, dict) else {}


def _fits(name: str, value: Json, wanted: type[Notes]) -> bool:
    try:
        msgspec.convert({name: value}, wanted)
    except msgspec.ValidationError:
        return False
    return True
