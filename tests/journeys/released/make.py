"""Makes an installed release write a journal, and records its answers, for `test_released.py`.

    PYTHONPATH=tests .venv/bin/python -m journeys.released.make [--names] /path/to/lpad \
        tests/journeys/released/VERSION

`journal.db` is the journal. `told.json` has the API's answers on changes and notifications; the schema and
columns, which are the latest that the release opens; and its answer if the journal's schema is later.

`names.json` has the names that the release promises to keep, for `test_released_names.py`. With --names, only
this file is written.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from journeys.released import names
from lpad.simulator.smdp.functions.faults import Fault, FaultKind
from lpad.testing.daemon_process import DaemonProcess
from lpad.testing.simulated_gateway import CARD, Gateway

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "a-key-of-the-callers"
REQUEST = {"nickname": "Renamed"}


def make(program: Path, folder: Path) -> None:
    """Write `journal.db` and `told.json`.

    Args:
        program: the installed `lpad`.
        folder: receives the files; its name is the version.
    """
    with _released(program) as gateway:
        told = _fill(gateway)
        gateway.stop()
        journal = gateway.folder / "state" / "journal.db"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(journal, folder / "journal.db")
        with closing(sqlite3.connect(journal)) as db:
            told["schema"], told["columns"] = schema_of(db)
            db.execute(f"PRAGMA user_version = {told['schema'] + 1}")
        gateway.start()
        with api(gateway) as asked:
            told["of a later file"] = asked.patch(f"/v1/euiccs/{CARD}/profiles/8900", json=REQUEST).json()
    (folder / "told.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def make_names(program: Path, folder: Path) -> None:
    """Write `names.json`; the arguments are those of `make`."""
    command = [str(program.with_name("python")), names.__file__]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    # A release may not know the keys with which the gateway makes switches fast.
    with _released(program, euicc={"switching": {}}) as gateway, api(gateway) as client:
        found |= names.api_names(client.get("/v1/openapi.json").json(), client.get("/v1/metrics").text)
    answers: dict[str, list[str]] = {}
    for operation, fields in found.pop("operations").items():
        answers.setdefault(" ".join(fields), []).append(operation)
    found["answers"] = [{"to": to, "fields": fields.split()} for fields, to in answers.items()]
    (folder / "names.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


@contextmanager
def _released(program: Path, **additions: Any) -> Iterator[Gateway]:
    """Yield a gateway whose daemon is an installed release, with an empty state folder."""
    with Gateway(**additions) as gateway:
        gateway.stop()
        # The command's other words are the interpreter of this environment, -m and a module's name.
        launcher = ["/bin/sh", "-c", 'shift 3; exec "$0" "$@"', str(program)]
        gateway._daemon = DaemonProcess(gateway.folder / "lpad.yaml", launcher=launcher)
        shutil.rmtree(gateway.folder / "state")
        gateway.start()
        yield gateway


def schema_of(db: sqlite3.Connection) -> tuple[int, dict[str, list[str]]]:
    """Return a journal's schema version, and the columns of each of its tables."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    columns = {table: [row[1] for row in db.execute(f"PRAGMA table_info({table})")] for table in tables}
    return version, {table: columns[table] for table in sorted(columns) if not table.startswith("sqlite_")}


def api(gateway: Gateway) -> httpx.Client:
    """Return an HTTP client on the gateway's socket, which gets the API's answers unchanged."""
    return httpx.Client(transport=httpx.HTTPTransport(uds=str(gateway.socket)), base_url="http://lpad")


def _fill(gateway: Gateway) -> dict[str, Any]:
    """Fill the journal with changes, a key and notifications, and return the API's answers about them."""
    gateway.ready()
    home = gateway.install_profile(enable=True, name="Home")
    work = gateway.install_profile(name="Work")
    with api(gateway) as client:
        profile = f"/v1/euiccs/{CARD}/profiles/{home}"
        named = client.patch(profile, json=REQUEST, headers={"Idempotency-Key": KEY}).json()
        client.post(f"/v1/euiccs/{CARD}/profiles/8900000000000000001/enable")  # fails
        gateway.server.faults.add(
            Fault(function="handleNotification", kind=FaultKind.HTTP_STATUS, value=503, times=1000)
        )
        client.post(f"/v1/euiccs/{CARD}/profiles/{work}/enable")
        notifications = f"/v1/euiccs/{CARD}/notifications"
        _until(lambda: any(each["attempts"] for each in listed(client, notifications)))
        code = gateway.order_profile(name="Third", confirmation_code="4711")
        asked = client.post(f"/v1/euiccs/{CARD}/downloads", json={"activation_code": code}).json()
        _until(lambda: client.get(f"/v1/changes/{asked['id']}").json()["question"])
        return {
            "version": client.get("/v1/system").json()["version"],
            "changes": listed(client, "/v1/changes"),
            "notifications": listed(client, notifications),
            "key": {"profile": home, "change": named["id"]},
        }


def listed(client: httpx.Client, path: str) -> list[dict[str, Any]]:
    """Return the only list in the answer to a GET request."""
    answer = client.get(path).json()
    (name,) = (key for key in answer if isinstance(answer[key], list))
    return list(answer[name])


def _until(holds: Any) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "the condition was not met in time"
        time.sleep(0.05)


if __name__ == "__main__":
    *only, installed, into = sys.argv[1:]
    if only not in ([], ["--names"]):
        sys.exit("usage: make.py [--names] PROGRAM FOLDER")
    if not only:
        make(Path(installed), Path(into))
    make_names(Path(installed), Path(into))
