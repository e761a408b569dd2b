"""Journals of earlier releases: the promises of docs/compatibility.md for upgrade and downgrade.

With `journeys/released/make.py`, an installed release writes the files in `journeys/released/VERSION/`.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from journeys.gateway import CARD, Gateway
from journeys.released.make import KEY, REQUEST, api, listed, schema_of

if TYPE_CHECKING:
    from collections.abc import Iterator

RELEASES = sorted(path.parent for path in Path(__file__).parent.glob("released/*/told.json"))


@pytest.fixture(params=RELEASES, ids=lambda folder: folder.name)
def release(request: pytest.FixtureRequest) -> Path:
    """The folder with a release's recorded files."""
    folder = request.param
    assert isinstance(folder, Path)
    return folder


@pytest.fixture
def told(release: Path) -> dict[str, Any]:
    """The release's recorded API answers on its own journal."""
    return dict(json.loads((release / "told.json").read_text(encoding="utf-8")))


@pytest.fixture
def gateway(release: Path) -> Iterator[Gateway]:
    """A gateway of the present lpad with the release's journal."""
    made = Gateway()
    (made.folder / "state").mkdir(mode=0o700)
    shutil.copyfile(release / "journal.db", made.folder / "state" / "journal.db")
    with made:
        made.ready()
        yield made


def holds(now: Any, then: Any) -> bool:
    """Return whether an answer has all fields of an earlier answer, with the same values."""
    if isinstance(then, dict):
        return isinstance(now, dict) and all(key in now and holds(now[key], then[key]) for key in then)
    if isinstance(then, list):
        return len(now) == len(then) and all(map(holds, now, then))
    return bool(now == then)


def test_an_upgrade_loses_nothing(gateway: Gateway, told: dict[str, Any]) -> None:
    """After an upgrade, every change, notification and idempotency key of the earlier release is kept."""
    health = gateway.client.system().health
    assert (health.journal.state, health.journal.repairs, health.journal.set_aside) == ("ok", (), ())
    with api(gateway) as asked:
        changes = {change["id"]: change for change in listed(asked, "/v1/changes")}
        for change in told["changes"]:
            now = changes.pop(change["id"])
            ended = change["ended_at"] is not None
            assert holds(now, change if ended else {key: change[key] for key in ("euicc", "kind", "params")})
            assert now["ended_at"] is not None or now["state"] == change["state"], (
                "the change continues, or has ended"
            )
        assert not changes, "lpad began a change"
        kept = ("seq", "event", "address", "iccid")
        owed = [[each[key] for key in kept] for each in listed(asked, f"/v1/euiccs/{CARD}/notifications")]
        assert owed == [[each[key] for key in kept] for each in told["notifications"]]
        profile = f"/v1/euiccs/{CARD}/profiles/{told['key']['profile']}"
        again = asked.patch(profile, json=REQUEST, headers={"Idempotency-Key": KEY}).json()
        assert again["id"] == told["key"]["change"], "the request was carried out twice"
    assert gateway.install_profile(name="New")


def test_a_release_refuses_a_later_journal(gateway: Gateway, told: dict[str, Any]) -> None:
    """The present journal has the columns that a release needs, or the release refuses it as newer."""
    gateway.stop()
    with closing(sqlite3.connect(gateway.folder / "state" / "journal.db")) as db:
        (verdict,) = db.execute("PRAGMA quick_check").fetchone()
        version, columns = schema_of(db)
    assert verdict == "ok", (
        "SQLite must find no fault, because a release may check the file before it reads the version"
    )
    if version > told["schema"]:
        assert told["of a later file"]["details"]["reason"] == "journal-newer"
        assert "install that lpad again" in told["of a later file"]["detail"]
    else:
        assert all(set(names) <= set(columns[table]) for table, names in told["columns"].items())
