"""The table of kinds: every kind has its types, and records of other versions are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec
import pytest
from msgspec.structs import fields

from engine.journal_file import sealed
from engine.lab import CARD, FIRST, params_of
from lpad.api.description.operation_generation import statuses_of
from lpad.api.openapi import document
from lpad.api.request.problem import problems as problems_of
from lpad.api.routes import ROUTES
from lpad.base.errors import InternalError, details_by_kind
from lpad.engine.change.change import Change, Kind, State
from lpad.engine.change.notes import DownloadNotes, Notes, ProfileNotes, ResetNotes, SwitchNotes, noting
from lpad.engine.change.params import DownloadParams, EnableParams, RefreshParams
from lpad.engine.change.results import DownloadResult, SwitchResult
from lpad.engine.change.types_by_kind import KINDS, kind_of, read_change, read_notes
from lpad.engine.journal import Journal
from lpad.engine.operations.operations import OPERATIONS
from lpad.engine.recovery.reconcile import JUDGES

if TYPE_CHECKING:
    from pathlib import Path

    from engine.lab import Lab

PROFILE: dict[str, Any] = {
    "iccid": FIRST, "state": None, "profile_class": "operational", "name": "First", "provider": None,
    "nickname": None, "isdp_aid": None, "icon_type": None,
    "owner": {"mcc_mnc": "001-01", "gid1": None, "gid2": None}, "policy_rules": ["ppr1"],
    "notification_addresses": [],
}  # fmt: skip
BEFORE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "download",
        {"confirm": False, "enable": False, "server": "a.b", "matching_id": "…ABCD", "retry_for": 3600.0},
        {"iccid": FIRST, "isdp_aid": None, "profile": PROFILE, "server": "a.b", "notifications_delivered": 1,
         "enabled": False},
    ),
    (
        "download",
        {"confirm": False, "enable": True, "guard": {"until": ["confirm"], "within": 60.0}, "default": True},
        {"iccid": FIRST, "isdp_aid": None, "profile": None, "enabled": True, "guard": "met", "previous": None,
         "settled": True},
    ),
    ("enable", {"iccid": FIRST}, {"iccid": FIRST, "already": False, "remark": "restart the modem"}),
    ("disable", {"iccid": FIRST}, {"iccid": FIRST, "already": True}),
    ("delete", {"iccid": FIRST, "missing_ok": False}, {"iccid": FIRST, "already": False, "settled": True}),
    ("rename", {"iccid": FIRST, "nickname": ""}, {"iccid": FIRST, "nickname": "", "already": False}),
    ("set-default-smdp", {"default_smdp": "a.b"}, {"default_smdp": "a.b", "already": False}),
    (
        "reset",
        {"operational_profiles": True, "test_profiles": False, "default_smdp": False},
        {"already": False},
    ),
    ("deliver-notifications", {}, {"delivered": 0}),
    ("deliver-notifications", {"seq": 0}, {"delivered": 1}),
    ("drop-notification", {"seq": -1}, {"seq": -1, "event": "install", "address": "a.b"}),
    ("refresh", {}, {}),
    ("probe", {"unredacted": False}, {
        "port": "", "link": None, "doubted": None, "manufacturer": None, "model": None, "firmware": None,
        "reader": None, "fallback_port": None, "quirks": [], "slots": [], "imei": None, "handle": None,
        "isdr_aid": None,
        "block_size": 255, "block_size_learned": False, "answers": ["data with 9000"], "channels_closed": 0,
        "eid": None,
        "euiccs": [{"isdr_aid": "A0", "eid": None}], "svn": None, "card_firmware": None,
        "timings": [{"what": "GetEID", "milliseconds": 1.5, "bytes": 21, "refused": None}],
        "error": {"kind": "card-status", "sentence": "…"}, "redacted": True,
    }),
    ("check-trust", {"address": "a.b"}, {
        "server": "a.b", "trusted": True, "anchor": "card", "anchor_subject": "CI", "issuer_key_id": "ab",
        "why": "…", "advice": None, "cause": None, "handshakes": 1, "tls": "TLSv1.2", "brainpool": False,
        "chain": [{"subject": "a", "issuer": "b", "not_before": "c", "not_after": "d", "key": "P-256",
                   "key_id": "ef", "roles": [], "on_path": True, "signed_by": []}],
        "card": [{"key_id": "ab", "name": None, "test": False, "counts": True}],
    }),
    ("restart-modem", {}, {"remark": "…"}),
    (
        "line",
        {"iccid": FIRST, "action": "suspend", "accept_offline": True},
        {"iccid": FIRST, "platform": "desk", "line": "idle", "word": "OFF", "imei": None, "already": False},
    ),
    (
        "provision",
        {"platform": "desk", "confirm": False, "enable": True, "when_online": True, "retry_for": 604800.0},
        {"platform": "desk", "iccid": FIRST, "isdp_aid": None, "profile": None, "enabled": True},
    ),
]  # fmt: skip
"""Params and result of each kind as lpad 0.2 writes and shows them."""


def record(kind: str, params: object, result: object = None) -> bytes:
    """Return a change as it is encoded in the journal."""
    return msgspec.json.encode(
        {
            "id": 1, "euicc": CARD, "kind": kind, "params": params, "created_at": "2026-11-01T00:00:00Z",
            "result": result,
        }
    )  # fmt: skip


def test_every_kind_has_its_types_an_operation_and_a_judge() -> None:
    """Each kind's operation returns the result of the table, and each kind has its own form of request."""
    assert KINDS.keys() == OPERATIONS.keys() == JUDGES.keys() == set(Kind)
    for kind, row in KINDS.items():
        told = str(OPERATIONS[kind].__annotations__["return"])
        assert told.rpartition(".")[2] == row.result.__name__
        assert kind_of(params_like(row.params)) is kind


def params_like(type_: type[msgspec.Struct]) -> Any:
    """Return parameters of a type, with any content."""
    return type_(**dict.fromkeys((each.name for each in msgspec.structs.fields(type_) if each.required), ""))


@pytest.mark.parametrize(("kind", "params", "result"), BEFORE)
def test_records_stay_as_they_were(kind: str, params: dict[str, Any], result: dict[str, Any]) -> None:
    """Records of an earlier lpad are typed, and shown and written again with the same fields."""
    change = read_change(record(kind, params, result))
    row = KINDS[Kind(kind)]
    assert (type(change.params), type(change.result)) == (row.params, row.result)
    shown = msgspec.json.decode(msgspec.json.encode(change))
    assert (shown["params"], shown["result"]) == (params, result)


@pytest.mark.parametrize(("kind", "params", "_result"), BEFORE)
def test_a_request_keeps_the_form_that_its_key_stands_for(
    kind: str, params: dict[str, Any], _result: object
) -> None:
    """An Idempotency-Key that was used before an upgrade stands for the same request after it."""
    asked = params_of(Kind(kind), **params)
    before = msgspec.json.encode((CARD, kind, params, {"code": "x"}), order="sorted")
    assert msgspec.json.encode((CARD, kind_of(asked), asked, {"code": "x"}), order="sorted") == before


def test_fields_of_a_later_lpad_are_ignored() -> None:
    """A record with unknown fields, as from a later lpad, is read like any other."""
    later = {"iccid": FIRST, "already": False, "registered": True}
    change = read_change(record("enable", {"iccid": FIRST, "accept_offline": True}, later))
    assert (change.params, change.result) == (EnableParams(iccid=FIRST), SwitchResult(iccid=FIRST))


@pytest.mark.parametrize("params", [{}, {"iccid": 7}, {"iccid": FIRST, "guard": "default"}])
def test_a_record_with_unfit_params_is_kept_unchanged(params: dict[str, Any]) -> None:
    """A record whose params have another form is shown and written as it is, and cannot be carried out."""
    change = read_change(record("enable", params))
    assert change.params == params
    assert msgspec.json.decode(msgspec.json.encode(change))["params"] == params
    with pytest.raises(InternalError, match="cannot read its parameters"):
        change.params_of(EnableParams)


def test_an_unfit_record_does_not_affect_other_changes(lab: Lab) -> None:
    """Of two stored changes, the readable one is done, and the unreadable one fails with an error."""
    journal = lab.journal()
    odd = journal.changes.add(CARD, EnableParams(iccid=FIRST), secrets={})
    other = journal.changes.add(CARD, RefreshParams(), secrets={})
    journal.close()
    with sealed(lab.folder / "journal.db") as db:
        body = f'CAST(replace(body, \'{{"iccid":"{FIRST}"}}\', \'{{"profile":7}}\') AS BLOB)'
        db.execute(f"UPDATE changes SET body = {body} WHERE id = ?", (odd.id,))
    assert lab.ended(other.id).state is State.DONE
    failed = lab.ended(odd.id)
    assert (failed.state, failed.params) == (State.FAILED, {"profile": 7})
    assert lab.engine.journal.repairs == ()


def test_notes_of_another_version_stay(tmp_path: Path) -> None:
    """Notes that this lpad does not know stay for the lpad that wrote them, even after a write."""
    journal = Journal(tmp_path / "journal.db")
    change = journal.changes.add(CARD, DownloadParams(), secrets={})
    journal.changes.save(change, notes=noting(DownloadNotes, iccid=FIRST, sessions=2))
    journal.close()
    with sealed(tmp_path / "journal.db") as db:
        db.execute(
            "UPDATE changes SET private = CAST(replace(private, '\"sessions\":2', '\"stage\":7') AS BLOB)"
        )
    journal = Journal(tmp_path / "journal.db")
    journal.changes.save(change, notes=noting(ProfileNotes, aid="A0"))
    assert journal.changes.private(change).notes == DownloadNotes(iccid=FIRST, aid="A0")
    journal.close()
    with sealed(tmp_path / "journal.db") as db:
        (private,) = db.execute("SELECT private FROM changes").fetchone()
    assert msgspec.json.decode(private)["notes"] == {"iccid": FIRST, "stage": 7, "aid": "A0"}


def test_a_note_that_does_not_fit_hides_no_other() -> None:
    """A note that does not fit is ignored, and the others are read."""
    notes = read_notes(Kind.ENABLE, {"aid": 7, "previous_aid": "A0", "candidate": "x", "confirmed": True})
    assert notes == SwitchNotes(previous_aid="A0", confirmed=True)


def test_notes_belong_to_their_kind() -> None:
    """A note that does not belong to the change's kind is a mistake that raises an error immediately."""
    assert noting(Notes, restarts=1).on(ResetNotes(reset=True)) == ResetNotes(reset=True, restarts=1)
    with pytest.raises(InternalError, match="ResetNotes"):
        noting(SwitchNotes, confirmed=True).on(ResetNotes())
    both = noting(Notes, restarts=1, sessions=1) | noting(DownloadNotes, sessions=2, code_declined=True)
    assert both.on(DownloadNotes()) == DownloadNotes(restarts=1, sessions=2, code_declined=True)


def test_a_result_without_a_value_differs_from_one_that_has_none() -> None:
    """A guarded switch reports that no profile was enabled before; a plain one omits this."""
    assert b"previous" not in msgspec.json.encode(DownloadResult(iccid=FIRST))
    assert b'"previous":null' in msgspec.json.encode(SwitchResult(iccid=FIRST, guard="met", previous=None))


ROLLED_BACK = {
    "enabled": FIRST,
    "previous": FIRST,
    "reason": "time-limit",
    "seen": "registered: no",
    "unmet": "",
}
ERRORS: list[tuple[str, object, object]] = [
    ("switch-rolled-back", ROLLED_BACK, ROLLED_BACK),
    ("card-refused", {"function": "ES10c.EnableProfile", "code": 127, "reason": "x"}, None),
    ("card-status", {"sw": "6A82", "es10": False, "weather": "fine"}, {"sw": "6A82", "es10": False}),
    ("card-status", {"sw": 27266}, None),
    ("weather", {"wind": 7}, None),
    ("overtaken", {}, None),
]
"""The kind and details of errors in the journal, and what is read; None: the same."""


@pytest.mark.parametrize(("kind", "written", "read"), ERRORS)
def test_the_details_of_an_error_have_the_type_of_its_kind(kind: str, written: object, read: object) -> None:
    """In an error's details, unknown fields are ignored; details that do not fit are kept."""
    error = {"kind": kind, "sentence": "…", "details": written}
    pause = {"reason": "card", "since": "2026-11-01T00:00:00Z", "retry_at": None, "error": error}
    found = msgspec.json.decode(record("refresh", {})) | {"error": error, "pause": pause}
    change = read_change(msgspec.json.encode(found))
    assert change.error is not None
    assert change.pause is not None
    assert change.error.details == change.pause.error.details == (written if read is None else read)


def test_the_document_reports_the_details_of_each_kind_of_error() -> None:
    """In the OpenAPI document, each kind of error has the type of its details, in changes and in answers."""
    schemas = document(ROUTES)["components"]["schemas"]
    mapping = schemas["Failure"]["discriminator"]["mapping"]
    assert mapping.keys() == details_by_kind().keys()
    problems = {
        each["properties"]["kind"]["const"]: each
        for name, each in schemas.items()
        if name.endswith("Problem") and "properties" in each
    }
    assert problems.keys() == {
        kind for route in ROUTES for status in statuses_of(route) for kind in problems_of(status)
    }
    for kind, ref in mapping.items():
        for schema in (schemas[ref.rpartition("/")[2]], problems.get(kind)):
            if schema is None:
                continue
            assert schema["properties"]["kind"] == {"type": "string", "const": kind}
            shown = schemas[schema["properties"]["details"]["$ref"].rpartition("/")[2]]["properties"]
            assert shown.keys() == get_type_hints(details_by_kind()[kind]).keys()


def test_the_document_reports_what_each_kind_holds() -> None:
    """In the OpenAPI document, `kind` distinguishes the changes, each with the types of the table."""
    schemas = document(ROUTES)["components"]["schemas"]
    change = schemas["Change"]
    mapping = change["discriminator"]["mapping"]
    assert mapping.keys() == set(Kind)
    assert [each["$ref"] for each in change["oneOf"]] == list(mapping.values())
    for kind, ref in mapping.items():
        properties = schemas[ref.rpartition("/")[2]]["properties"]
        assert properties.keys() == {field.name for field in fields(Change)}
        assert properties["kind"] == {"type": "string", "const": kind}
        assert properties["params"]["$ref"].endswith(f"/{KINDS[Kind(kind)].params.__name__}")
        assert properties["result"]["anyOf"][0]["$ref"].endswith(f"/{KINDS[Kind(kind)].result.__name__}")
