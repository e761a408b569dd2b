"""The plan of the package as a house with floors and rooms, and the check of its imports against this plan.

A room is a folder with modules; the modules directly in a floor's folder, its doors, are a room, too. Each
rule is a function that yields one sentence for each breach: the import, and the rule that it breaks.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

PACKAGE = "lpad"

FLOORS = {
    "base": 0,
    "codec": 1,
    "protocol": 2,
    "dbus": 2,
    "card": 3,
    "network": 3,
    "remote": 3,
    "lpa": 4,
    "provisioning": 4,
    "engine": 5,
    "api": 6,
    "iot": 6,
    "settings": 7,
    "daemon": 8,
    "cli": 9,
    "testing": 10,
}
"""The folders of the package, and their floors."""

APART: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "client": (frozenset(), frozenset({"cli", "mqtt", "testing"})),
    "mqtt": (frozenset({"base", "client", "settings"}), frozenset()),
    "simulator": (frozenset({"base", "codec", "protocol"}), frozenset({"cli", "testing"})),
}
"""For each folder on no floor: the folders that it may import from, and those that may import from it."""

SEES: dict[str, frozenset[str]] = {
    room: frozenset(seen.split())
    for room, seen in {
        "base": "base/error_details",
        "base/log": "base",
        "codec": "codec/messages codec/x509 codec/asn1 codec/mbim codec/qmi",
        "codec/messages": "codec/x509 codec/asn1",
        "codec/x509": "codec/asn1",
        "card": "card/isdr card/at card/pcsc card/mbim card/qmi",
        "card/at": "card/channel card/link card/modem card/port",
        "card/pcsc": "card/channel card/link card/port",
        "card/mbim": "card/channel card/link card/modem card/port",
        "card/qmi": "card/channel card/link card/modem card/port",
        "card/isdr": "card/channel card/link",
        "card/channel": "card/link",
        "card/link": "card/modem card/quirks",
        "card/modem": "card/port card/quirks",
        "network/modemmanager": "network",
        "network/networkmanager": "network network/modemmanager",
        "remote": "remote/https remote/trust",
        "remote/https": "remote/sockets remote/trust",
        "provisioning": "provisioning/http",
        "provisioning/declared": "provisioning",
        "engine": "engine/worker engine/unattended engine/webhooks engine/listeners engine/event_recording",
        "engine/event_recording": "engine/journal",
        "engine/worker": "engine/worker/queue engine/switch engine/unattended",
        "engine/worker/queue": "engine/operations engine/recovery",
        "engine/operations": "engine/fulfilment engine/switch engine/recovery",
        "engine/fulfilment": "engine/running",
        "engine/switch": "engine/running",
        "engine/recovery": "engine/running",
        "engine/unattended": "engine/running",
        "engine/running": "engine/running/card engine/outbox engine/network_settings engine/lines"
        " engine/discovery",
        "engine/running/card": "engine/policy engine/journal",
        "engine/lines": "engine/provisioning engine/snapshot",
        "engine/provisioning": "engine/journal",
        "engine/discovery": "engine/journal",
        "engine/outbox": "engine/journal engine/environment",
        "engine/network_settings": "engine/journal",
        "engine/listeners": "engine/journal",
        "engine/webhooks": "engine/journal engine/environment",
        "engine/policy": "engine/snapshot",
        "engine/journal": "engine/journal/events engine/journal/file",
        "engine/journal/file": "engine/change engine/journal/salvage",
        "engine/journal/events": "engine/events engine/journal/salvage",
        "engine/events": "engine/change",
        "engine/snapshot": "engine/change",
        "api": "api/description api/server",
        "api/description": "api/handlers",
        "api/handlers": "api/request",
        "api/server": "api/request",
        "settings": "settings/sections settings/sections/euiccs settings/sections/reporting"
        " settings/sections/sources",
        "settings/sections": "settings/parsing",
        "settings/sections/euiccs": "settings/sections",
        "settings/sections/reporting": "settings/parsing",
        "settings/sections/sources": "settings/sections",
        "daemon": "daemon/log daemon/platforms daemon/reporting",
        "cli": "cli/changes cli/commands cli/discovery cli/doctor cli/lines cli/platforms cli/setup"
        " cli/simulated cli/webhooks",
        "cli/doctor": "cli/session",
        "cli/setup": "cli/terminal",
        "cli/webhooks": "cli/session",
        "cli/platforms": "cli/terminal",
        "cli/session": "cli/terminal",
        "cli/commands": "cli/session",
        "cli/changes": "cli/session",
        "cli/lines": "cli/session",
        "cli/discovery": "cli/session",
        "cli/simulated": "cli/terminal",
        "simulator": "simulator/euicc simulator/mbim simulator/qmi simulator/platform simulator/smds",
        "simulator/mbim": "simulator/modem",
        "simulator/qmi": "simulator/modem",
        "simulator/smds": "simulator/smdp",
        "simulator/platform": "simulator/smdp",
        "simulator/euicc": "simulator/euicc/os",
        "simulator/euicc/os": "simulator/euicc/isdr",
        "simulator/euicc/isdr": "simulator/euicc/chip simulator/profile_package",
        "simulator/euicc/chip": "simulator/asn1 simulator/pki",
        "simulator/smdp": "simulator/smdp/http",
        "simulator/smdp/http": "simulator/smdp/functions",
        "simulator/smdp/functions": "simulator/smdp/store simulator/pki simulator/profile_package",
    }.items()
}
"""The rooms of the same folder that a room may import from, and with them the rooms that they see."""

ONLY: dict[str, frozenset[str]] = {
    "cli/commands": frozenset({"base", "client"}),
    "cli/session": frozenset({"base", "client"}),
    "cli/changes": frozenset({"client"}),
    "cli/lines": frozenset({"client"}),
    "cli/discovery": frozenset({"client"}),
    "cli/terminal": frozenset(),
    "cli/webhooks": frozenset({"base", "client"}),
    "cli/simulated": frozenset({"base", "client", "simulator"}),
    "mqtt": frozenset({"base", "client", "settings/parsing"}),
    "provisioning": frozenset({"base", "remote"}),
    "provisioning/declared": frozenset({"base", "remote"}),
    "provisioning/http": frozenset({"base", "remote"}),
    "testing": frozenset({"client", "simulator", "cli"}),
}
"""For some rooms: the only folders or rooms outside of their own folder that they may import from."""

INDOORS = frozenset(
    {
        "engine/worker",
        "engine/worker/queue",
        "engine/operations",
        "engine/recovery",
        "engine/outbox",
        "card/channel",
    }
)
"""Rooms from which only modules of the same folder of the package may import."""

HOMES: dict[str, frozenset[str]] = {
    library: frozenset(homes.split())
    for library, homes in {
        "PIL": "cli/session/qr_code_reading.py",
        "asn1tools": "simulator/asn1/schema.py",
        "click": "cli/",
        "cryptography": "simulator/",
        "dbus_fast": "dbus/bus.py",
        "ecdsa": "remote/trust/issuer_key_recovery.py provisioning/desk_callback_signatures.py",
        "h11": "api/server/connection.py client/async_connection.py client/http_socket.py",
        "httpcore": "remote/https/",
        "httpx": "provisioning/",
        "paho": "mqtt/broker_connection.py mqtt/event_forwarder.py",
        "prometheus_client": "api/handlers/metrics.py",
        "pytest": "testing/plugin.py",
        "rich": "cli/terminal/tables_and_bars.py",
        "segno": "cli/commands/activation_code_qr_command.py",
        "serial": "card/port/serial_line.py",
        "smartcard": "card/pcsc/calls.py",
        "sqlite3": "engine/journal/",
        "starlette": "api/ daemon/daemon.py",
        "uvicorn": "api/server/",
        "zxingcpp": "cli/session/qr_code_reading.py",
        "yaml": "settings/parsing/yaml_document.py card/quirks/quirk_files.py"
        " provisioning/declared/platform_file.py simulator/personalities.py",
    }.items()
}
"""The only modules or folders that may import each foreign library, whose exceptions become lpad's there."""

EVERYWHERE = frozenset({"msgspec"})
"""The libraries that may be imported everywhere."""

FACES = frozenset({"client", "settings", "engine/journal", "engine/outbox"})
"""Folders whose `__init__.py` defines their public names; each other `__init__.py` is empty."""

MOST_MODULES = 16

HIDDEN = frozenset({"import_module", "__import__"})
"""Functions that import a module by a name that may be computed."""

BESIDE = ("hil", "faults", "bench", "fuzz")
"""Folders next to the package that use it. Only the rules in BESIDE_RULES apply to them."""


@dataclass(frozen=True, slots=True)
class Import:
    """One import, wherever it is in a file: at the top, in a function, or for type checking only."""

    importer: str
    imported: str
    line: int

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


class House:
    """The sources of a package by their path below its folder, such as `engine/worker/worker.py`."""

    def __init__(self, sources: Mapping[str, str], *, package: str = PACKAGE) -> None:
        """Create a house from the sources and the package name with which their imports begin."""
        self.sources = dict(sources)
        self.package = package

    @classmethod
    def at(cls, root: Path) -> House:
        """Return the house of the modules below a package's folder and of the other files directly in it."""
        others = {path.name: "" for path in root.iterdir() if path.is_file() and path.suffix != ".py"}
        modules = {
            path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in root.rglob("*.py")
        }
        return cls(others | modules, package=root.name)

    @cached_property
    def rooms(self) -> dict[str, list[str]]:
        """The modules of each room, `__init__.py` left out."""
        found: dict[str, list[str]] = defaultdict(list)
        for path in sorted(self.sources):
            if path.endswith(".py") and not path.endswith("__init__.py"):
                found[room_of(path)].append(path)
        return dict(found)

    @cached_property
    def imports(self) -> list[Import]:
        """Every import of one of the package's own modules by another one."""
        return [
            Import(path, other, line)
            for path in sorted(self.sources)
            for name, line in self._names(path)
            if name.split(".")[0] == self.package and (other := self._path(name)) not in (None, path)
        ]

    @cached_property
    def foreign(self) -> list[Import]:
        """Every import of a library that has a home, or is neither Python's nor the package's own."""
        return [
            Import(path, library, line)
            for path in sorted(self.sources)
            for name, line in self._names(path)
            if (library := name.split(".")[0]) in HOMES
            or (library != self.package and library not in sys.stdlib_module_names)
        ]

    @cached_property
    def nodes(self) -> dict[str, list[ast.Import | ast.ImportFrom | ast.Call]]:
        """The syntax nodes that may import something, by the module's path."""
        return {
            path: [
                node
                for node in ast.walk(ast.parse(source))
                if isinstance(node, ast.Import | ast.ImportFrom | ast.Call)
            ]
            for path, source in self.sources.items()
            if path.endswith(".py")
        }

    def _names(self, path: str) -> Iterator[tuple[str, int]]:
        for node in self.nodes.get(path, ()):
            if isinstance(node, ast.Import):
                yield from ((alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)

    def _path(self, name: str) -> str | None:
        """Return the path of the module that a dotted name leads to, or None if there is none."""
        parts = name.split(".")[1:]
        for end in range(len(parts), -1, -1):
            below = "/".join(parts[:end])
            for path in (f"{below}.py", f"{below}/__init__.py".removeprefix("/")):
                if path in self.sources:
                    return path
        return None


def room_of(path: str) -> str:
    """Return the room of a module, as in `engine/worker`; "" for the package's root."""
    return path.rpartition("/")[0]


def floor_of(room: str) -> str:
    """Return the folder of the package that a room is in."""
    return room.partition("/")[0]


def seen_from(room: str) -> frozenset[str]:
    """Return the rooms of its own floor that a room sees, directly or through other rooms."""
    found: set[str] = set()
    ahead = list(SEES.get(room, ()))
    while ahead:
        other = ahead.pop()
        if other not in found:
            found.add(other)
            ahead += SEES.get(other, ())
    return frozenset(found)


def empty_root(house: House) -> Iterator[str]:
    """The package's root contains only its `__init__.py` and `py.typed`."""
    for path in sorted(house.sources):
        if not room_of(path) and path not in {"__init__.py", "py.typed"}:
            yield f"{path} is in the package's root: give it a room"


def known_folders(house: House) -> Iterator[str]:
    """Each folder of the package is on a floor or in APART."""
    for room in house.rooms:
        if room and floor_of(room) not in {*FLOORS, *APART}:
            yield f"{room} is on no floor: add {floor_of(room)} to the plan"


def floors(house: House) -> Iterator[str]:
    """Rule 1: no import leads to a higher floor; rule 2: folders of one floor import no other."""
    for each in house.imports:
        here, there = floor_of(room_of(each.importer)), floor_of(room_of(each.imported))
        if here not in FLOORS or there not in FLOORS or here == there:
            continue
        if FLOORS[there] > FLOORS[here]:
            yield f"{each}: {here} is on floor {FLOORS[here]}, {there} above it on {FLOORS[there]}"
        elif FLOORS[there] == FLOORS[here]:
            yield f"{each}: {here} and {there} share floor {FLOORS[here]} and never see each other"


def apart(house: House) -> Iterator[str]:
    """Rule 3: folders in APART import, and are imported by, only the folders that APART gives."""
    for each in house.imports:
        here, there = floor_of(room_of(each.importer)), floor_of(room_of(each.imported))
        if here == there or not there:
            continue
        if here in APART and there not in APART[here][0]:
            yield f"{each}: {here} stands apart and does not see {there}"
        elif there in APART and here not in APART[there][1]:
            yield f"{each}: {there} stands apart and is not seen by {here}"


def sight(house: House) -> Iterator[str]:
    """Rules 4 and 5: SEES limits a room's imports in its folder; ONLY limits some rooms' others."""
    for each in house.imports:
        here, there = room_of(each.importer), room_of(each.imported)
        if here == there or not there:
            continue
        if floor_of(here) == floor_of(there):
            if there not in seen_from(here) and not each.imported.endswith("__init__.py"):
                yield f"{each}: {here} does not see {there} in the plan (SEES)"
        elif here in ONLY and ONLY[here].isdisjoint({there, floor_of(there)}):
            yield f"{each}: {here} sees only {', '.join(sorted(ONLY[here])) or 'itself'} of other folders"


def indoors(house: House) -> Iterator[str]:
    """Rule 7: rooms in INDOORS are imported only from within their own folder of the package."""
    for each in house.imports:
        there = room_of(each.imported)
        if there in INDOORS and floor_of(there) != floor_of(room_of(each.importer)):
            yield f"{each}: {there} is seen from within {floor_of(there)} only"


def room_circles(house: House) -> Iterator[str]:
    """Rule 5: no two rooms import each other, not even through other rooms."""
    edges: dict[str, dict[str, Import]] = defaultdict(dict)
    for each in house.imports:
        here, there = room_of(each.importer), room_of(each.imported)
        if here != there:
            edges[here].setdefault(there, each)
    yield from _circles(edges)


def module_circles(house: House) -> Iterator[str]:
    """Rules 5 and 6: no modules import each other in a circle, not even in functions or for type checking."""
    edges: dict[str, dict[str, Import]] = defaultdict(dict)
    for each in house.imports:
        edges[each.importer].setdefault(each.imported, each)
    yield from _circles(edges)


def open_imports(house: House) -> Iterator[str]:
    """Rule 6: each import is absolute and written as an import statement, so that the other rules find it."""
    for path, nodes in house.nodes.items():
        for node in nodes:
            if isinstance(node, ast.ImportFrom) and node.level:
                yield f"{path}:{node.lineno}: a relative import hides where it leads"
            elif isinstance(node, ast.Call) and _called(node) in HIDDEN:
                yield f"{path}:{node.lineno}: {ast.unparse(node.func)} hides what is imported"


def homes(house: House) -> Iterator[str]:
    """Rule 8: a foreign library is imported only in its home."""
    for each in house.foreign:
        at_home = HOMES.get(each.imported)
        if each.imported in EVERYWHERE:
            continue
        if at_home is None:
            yield f"{each}: the library has no home in the plan"
        elif not any(each.importer == home or _inside(each.importer, home) for home in at_home):
            yield f"{each}: its home is {', '.join(sorted(at_home))}"


def faces(house: House) -> Iterator[str]:
    """Rule 9: each `__init__.py` is empty, except in the package's root and in the folders in FACES."""
    for path, source in house.sources.items():
        if path.endswith("/__init__.py") and source.strip() and room_of(path) not in FACES:
            yield f"{path} is not empty: only {', '.join(sorted(FACES))} have a face"


def crowded(house: House) -> Iterator[str]:
    """Rule 10: a room has at most 16 modules."""
    for room, modules in house.rooms.items():
        if len(modules) > MOST_MODULES:
            yield f"{room} has {len(modules)} modules, {MOST_MODULES} at most: divide the room"


def mirrored(house: House, tests: Collection[str]) -> Iterator[str]:
    """Rule 10: a test is in the folder of `tests/` that mirrors its module's room.

    Args:
        house: the sources.
        tests: paths of tests below `tests/`; for a folder next to the package, below its folder in `tests/`.
    """
    root = "src/lpad" if house.package == PACKAGE else house.package
    rooms = set(house.rooms)
    folders = {"/".join(room.split("/")[:end]) for room in rooms for end in range(1, room.count("/") + 2)}
    for path in sorted(tests):
        folder, _, name = path.rpartition("/")
        module = name.removeprefix("test_")
        if not folder or (house.package == PACKAGE and floor_of(folder) not in {*FLOORS, *APART}):
            continue  # journeys/ and system/ mirror no floor.
        if folder not in folders:
            yield f"tests/{path}: there is no {root}/{folder} that it could mirror"
        elif f"{folder}/{module}" not in house.sources:
            below = [source for source in house.sources if source.startswith(f"{folder}/")]
            for source in below:
                if source.rpartition("/")[2] == module:
                    yield f"tests/{path}: its module is {source}; move it to tests/{room_of(source)}/"


BESIDE_RULES = (room_circles, module_circles, faces, crowded)

RULES = (
    empty_root,
    known_folders,
    floors,
    apart,
    sight,
    indoors,
    room_circles,
    module_circles,
    open_imports,
    homes,
    faces,
    crowded,
)


def _called(node: ast.Call) -> str | None:
    """Return the last name of the called expression."""
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return None


def _inside(path: str, home: str) -> bool:
    return home.endswith("/") and path.startswith(home)


def _circles(edges: Mapping[str, Mapping[str, Import]]) -> Iterator[str]:
    """Yield a sentence for each circle, with the imports along it."""
    done: set[str] = set()
    for start in sorted(edges):
        way = _way_back(start, edges, done)
        if way:
            yield "a circle: " + "; ".join(map(str, way))
        done.add(start)


def _way_back(start: str, edges: Mapping[str, Mapping[str, Import]], without: set[str]) -> list[Import]:
    """Return the shortest path from a node back to itself that avoids some nodes; empty if there is none."""
    ways: dict[str, list[Import]] = {start: []}
    ahead = [start]
    for here in ahead:
        for there, each in sorted(edges.get(here, {}).items()):
            if there == start:
                return [*ways[here], each]
            if there not in ways and there not in without:
                ways[there] = [*ways[here], each]
                ahead.append(there)
    return []
