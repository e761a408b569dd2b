"""The tables of kinds: the types of changes' parameters, notes and results, and of errors' details.

Only this module decodes JSON into these types. Fields of a later version of lpad are ignored. Values that do
not fit stay undecoded: lpad shows them, but does not carry out the change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec.structs import replace

from lpad.base.errors import details_by_kind
from lpad.base.frozen import Frozen
from lpad.card.probe import ShownReport
from lpad.engine.change import notes, params, results
from lpad.engine.change.change import Change, Kind
from lpad.remote.trust.server_trust_report import TrustReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.engine.change.change import Failure, Json, Odd

_T = TypeVar("_T")


class KindTypes(Frozen):
    """The types of one kind of change."""

    params: type[params.Params]
    notes: type[notes.Notes]
    result: type[results.Outcome]


KINDS: Mapping[Kind, KindTypes] = {
    Kind.DOWNLOAD: KindTypes(params.DownloadParams, notes.DownloadNotes, results.DownloadResult),
    Kind.PROVISION: KindTypes(params.ProvisionParams, notes.ProvisionNotes, results.ProvisionResult),
    Kind.ENABLE: KindTypes(params.EnableParams, notes.SwitchNotes, results.SwitchResult),
    Kind.DISABLE: KindTypes(params.DisableParams, notes.SwitchNotes, results.SwitchResult),
    Kind.DELETE: KindTypes(params.DeleteParams, notes.ProfileNotes, results.DeleteResult),
    Kind.RENAME: KindTypes(params.RenameParams, notes.ProfileNotes, results.RenameResult),
    Kind.SET_DEFAULT_SMDP: KindTypes(params.SetDefaultSmdpParams, notes.Notes, results.SetDefaultSmdpResult),
    Kind.RESET: KindTypes(params.ResetParams, notes.ResetNotes, results.ResetResult),
    Kind.DELIVER_NOTIFICATIONS: KindTypes(
        params.DeliverNotificationsParams, notes.Notes, results.DeliverNotificationsResult
    ),
    Kind.DROP_NOTIFICATION: KindTypes(
        params.DropNotificationParams, notes.DropNotes, results.DropNotificationResult
    ),
    Kind.REFRESH: KindTypes(params.RefreshParams, notes.Notes, results.RefreshResult),
    Kind.PROBE: KindTypes(params.ProbeParams, notes.Notes, ShownReport),
    Kind.CHECK_TRUST: KindTypes(params.CheckTrustParams, notes.Notes, TrustReport),
    Kind.LINE: KindTypes(params.LineParams, notes.Notes, results.LineResult),
    Kind.DISCOVER: KindTypes(params.DiscoverParams, notes.Notes, results.DiscoverResult),
    Kind.RESTART_MODEM: KindTypes(params.RestartModemParams, notes.Notes, results.RestartModemResult),
}

_BY_PARAMS: Mapping[type[params.Params], Kind] = {row.params: kind for kind, row in KINDS.items()}


def kind_of(asked: params.Params) -> Kind:
    """Return the kind of change with these parameters."""
    return _BY_PARAMS[type(asked)]


def read_change(text: bytes) -> Change:
    """Return the record in a JSON text.

    Raises:
        ValueError: the text contains no record, or a record of an unknown kind.
    """
    found = msgspec.json.decode(text, type=Change)
    row = KINDS[found.kind]
    result = None if found.result is None else _typed(found.result, row.result)
    error = None if found.error is None else _read_failure(found.error)
    pause = None if found.pause is None else replace(found.pause, error=_read_failure(found.pause.error))
    return replace(found, params=_typed(found.params, row.params), result=result, error=error, pause=pause)


def read_notes(kind: Kind, found: Odd) -> notes.Notes:
    """Return the notes; a note that does not fit is ignored and does not hide others."""
    wanted = KINDS[kind].notes
    fitting = {name: value for name, value in found.items() if _fits(name, value, wanted)}
    return msgspec.convert(fitting, wanted)


def _read_failure(found: Failure) -> Failure:
    """Return an error with typed details; an error of an unknown kind stays unchanged."""
    details = details_by_kind()
    if found.kind not in details:
        return found
    return replace(found, details=_typed(found.details, details[found.kind]))


def _typed(found: object, wanted: type[_T]) -> _T | Odd:
    """Return decoded JSON as a type; if it does not fit, return it unchanged if it is an object, else {}."""
    try:
        return msgspec.convert(found, wanted)
    except msgspec.ValidationError:
        return found if isinstance(found, dict) else {}


def _fits(name: str, value: Json, wanted: type[notes.Notes]) -> bool:
    try:
        msgspec.convert({name: value}, wanted)
    except msgspec.ValidationError:
        return False
    return True
