"""The house: a module imports from lower floors or its own folder, never up, never sideways."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import lpad

ROOT = Path(lpad.__file__).parent

FLOORS = {
    "errors": 0,
    "redaction": 0,
    "identifiers": 0,
    "server_address": 0,
    "condition": 0,
    "activation_code": 0,
    "deadline": 0,
    "log_fields": 0,
    "apdu_record": 0,
    "progress": 0,
    "tracing": 0,
    "codec": 1,
    "protocol": 2,
    "card": 3,
    "remote": 3,
    "lpa": 4,
    "engine": 5,
    "api": 6,
    "settings": 7,
    "systemd": 7,
    "watchdog": 7,
    "watched_pool": 7,
    "status": 7,
    "reloading": 7,
    "logging_format": 7,
    "journald": 7,
    "daemon": 7,
    "servers": 7,
    "card_ports": 7,
    "install_policies": 7,
    "client": 7,
    "client_connection": 7,
    "client_socket": 7,
    "client_views": 7,
    "client_wire": 7,
    "cli": 7,
    "testing": 8,
}
SIMULATOR_SEES = 2

# The house's one home for each foreign library; there its exceptions become ours.
HOMES = {
    "serial": {"card/port/serial_line.py"},
    "smartcard": {"card/pcsc/calls.py"},
    "dbus_fast": {"card/port/modem_manager.py"},
    "asn1tools": {"codec/asn1/schema.py"},
    "ecdsa": {"remote/trust/issuer_key.py"},
    "httpcore": {"remote/", "client_connection.py", "client_socket.py"},
    "pytest": {"testing/plugin.py"},
    "yaml": {"settings/parsing/document.py", "card/quirks/library.py"},
    "prometheus_client": {"api/handlers/metrics.py"},
    "uvicorn": {"api/server/server.py", "api/server/connection.py"},
    "sqlite3": {"engine/journal/database.py"},
}

MODULES = sorted(ROOT.rglob("*.py"))


def imports_of(path: Path) -> list[str]:
    """Every module that the file imports, at its top or inside a function."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def room_of(path: Path) -> str:
    """The folder below src/lpad, or the file itself where it stands in none."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path: Path) -> None:
    """A module imports lpad's modules only from lower floors or its own folder."""
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return
    for name in imports_of(path):
        parts = name.split(".")
        if parts[0] != "lpad" or len(parts) < 2 or parts[1] in (room, "__version__"):
            continue
        other = parts[1]
        if room == "simulator":
            assert FLOORS[other] <= SIMULATOR_SEES, (
                f"the simulator sees floors 0-2 only, not {other}: it doubles what is above"
            )
        elif other == "simulator":
            assert room in ("cli", "testing"), (
                f"only 'lpad demo', 'lpad sim' and the fixtures see the simulator, {room} does not"
            )
        elif FLOORS[room] in (0, 7):  # floors 0 and 7 are files side by side in the package's own folder
            assert FLOORS[other] <= FLOORS[room], (
                f"{room} (floor {FLOORS[room]}) imports {other}: imports go down"
            )
        else:
            assert FLOORS[other] < FLOORS[room], (
                f"{room} (floor {FLOORS[room]}) imports {other} (floor {FLOORS[other]}): imports go down"
            )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_foreign_libraries_stay_home(path: Path) -> None:
    """A foreign library is imported in its one home only, where its exceptions become ours."""
    here = path.relative_to(ROOT).as_posix()
    for name in imports_of(path):
        homes = HOMES.get(name.split(".")[0])
        if homes is None or here.startswith("simulator/"):
            continue
        assert any(here == home or (home.endswith("/") and here.startswith(home)) for home in homes), (
            f"{name} lives in {homes}"
        )
