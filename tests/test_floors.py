"""lpad's modules follow the architecture's plan, and each rule of the plan finds a breach."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import house as plan
import lpad

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TESTS = Path(__file__).parent
REAL = plan.House.at(Path(lpad.__file__).parent)
PAGE = (TESTS.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
NAMED_OTHERWISE = {
    "PIL": "Pillow",
    "dbus_fast": "dbus-fast",
    "paho": "paho-mqtt",
    "prometheus_client": "prometheus-client",
    "serial": "pyserial",
    "smartcard": "pyscard",
    "yaml": "PyYAML",
    "zxingcpp": "zxing-cpp",
}
"""The names of the projects whose module has another name, by module."""


BESIDE = {name: plan.House.at(TESTS.parent / name) for name in plan.BESIDE}


@pytest.mark.parametrize("rule", plan.RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_to_its_plan(rule: Callable[[plan.House], Iterator[str]]) -> None:
    """No import, module or folder of lpad breaks a rule of the plan."""
    assert list(rule(REAL)) == []


def test_tests_mirror_the_house() -> None:
    """Each test is in the folder that mirrors the folder of its module."""
    tests = {path.relative_to(TESTS).as_posix() for path in TESTS.rglob("test_*.py")}
    assert list(plan.mirrored(REAL, tests)) == []


@pytest.mark.parametrize("folder", plan.BESIDE)
@pytest.mark.parametrize("rule", plan.BESIDE_RULES, ids=lambda rule: rule.__name__)
def test_the_folders_next_to_the_package_keep_to_the_plan(
    rule: Callable[[plan.House], Iterator[str]], folder: str
) -> None:
    """No import, module or folder of the programs next to the package breaks a rule for them."""
    assert list(rule(BESIDE[folder])) == []


@pytest.mark.parametrize("folder", plan.BESIDE)
def test_tests_mirror_the_folders_next_to_the_package(folder: str) -> None:
    """Each test of a program next to the package is in the folder that mirrors its module's."""
    root = TESTS / folder
    tests = {path.relative_to(root).as_posix() for path in root.rglob("test_*.py")}
    assert list(plan.mirrored(BESIDE[folder], tests)) == []


def test_the_plan_names_real_places() -> None:
    """Each room and library that the plan names exists, except for the floor iot, which is kept free."""
    rooms = {*plan.SEES, *(room for seen in plan.SEES.values() for room in seen), *plan.INDOORS, *plan.ONLY}
    assert rooms <= set(REAL.rooms)
    assert {*plan.FLOORS, *plan.APART} - {plan.floor_of(room) for room in REAL.rooms} == {"iot"}
    assert {*plan.HOMES} <= {each.imported for each in REAL.foreign}


def test_the_architecture_page_names_every_room() -> None:
    """The table of rooms in docs/architecture.md has exactly lpad's folders with floor and rooms."""
    floors = {folder: str(floor) for folder, floor in plan.FLOORS.items()} | dict.fromkeys(
        plan.APART, "apart"
    )
    named = {
        (floor, folder, room)
        for floor, folder, rooms in re.findall(r"^\| (\d+|apart) \| `(\w+)/` \|(.*)\|$", PAGE, re.MULTILINE)
        for room in ["", *re.findall(r"`([\w/]+)/`", rooms)]
    }
    existing = {
        (floors[folder], folder, inner)
        for folder, _, inner in (room.partition("/") for room in REAL.rooms if room)
    } | {(floors[plan.floor_of(room)], plan.floor_of(room), "") for room in REAL.rooms if room}
    assert named == existing


def test_the_architecture_page_names_the_places_kept_free() -> None:
    """docs/architecture.md names each folder of the plan that the package does not have."""
    section = PAGE.partition("## Places kept free\n")[2].partition("\n## ")[0]
    kept_free = {*plan.FLOORS} - {plan.floor_of(room) for room in REAL.rooms}
    assert kept_free
    assert {place for place in kept_free if f"`{place}/`" in section} == kept_free


@pytest.mark.parametrize("folder", ["cli", "remote", ""])
def test_the_picture_has_the_folders_and_their_rooms(folder: str) -> None:
    """The picture in docs/architecture.md has each folder of lpad and each room of cli/ and remote/."""
    drawn = set(re.findall(r"(?<![\w/])(\w+)/", PAGE.split("```")[1]))
    if folder:
        rooms = {room.rpartition("/")[2] for room in REAL.rooms if plan.floor_of(room) == folder}
    else:
        rooms = {plan.floor_of(room) for room in REAL.rooms if room}
    assert rooms - drawn == set()


@pytest.mark.parametrize("library", plan.HOMES)
def test_the_architecture_page_has_the_homes_of_every_library(library: str) -> None:
    """The table of libraries in docs/architecture.md has each library with its homes in the plan."""
    table = PAGE.partition("## Where a foreign library lives")[2]
    (homes,) = (
        row[2]
        for row in re.finditer(r"^\| ([^|]+) \| ([^|]+) \|$", table, re.MULTILINE)
        if NAMED_OTHERWISE.get(library, library) in row[1].split(", ")
    )
    assert set(re.findall(r"`([\w/]+/[\w.]*)`", homes)) == plan.HOMES[library]


# For each rule, modules that break the rule, and a part of the resulting sentence.
BROKEN = [
    (plan.empty_root, {"worker.py": ""}, "worker.py is in the package's root"),
    (plan.empty_root, {"__init__.py": "", "py.typed": "", "rsp.asn": ""}, "rsp.asn is in the package's root"),
    (plan.known_folders, {"attic/box.py": ""}, "attic is on no floor"),
    (
        plan.floors,
        {"card/link/link.py": "from lpad.engine.engine import Engine", "engine/engine.py": ""},
        "card/link/link.py:1 imports engine/engine.py: card is on floor 3, engine above it on 5",
    ),
    (
        plan.floors,
        {"base/a.py": "def f():\n    from lpad.codec import tlv", "codec/tlv.py": ""},
        "base/a.py:2 imports codec/tlv.py: base is on floor 0",
    ),
    (
        plan.floors,
        {"remote/es9plus.py": "import lpad.card.probe", "card/probe.py": ""},
        "card share floor 3 and never see each other",
    ),
    (
        plan.floors,
        {"codec/tlv.py": "if TYPE_CHECKING:\n    from lpad.lpa.euicc import Euicc", "lpa/euicc.py": ""},
        "codec/tlv.py:2 imports lpa/euicc.py: codec is on floor 1, lpa above it on 4",
    ),
    (
        plan.apart,
        {"client/client.py": "from lpad.base import errors", "base/errors.py": ""},
        "client stands apart and does not see base",
    ),
    (
        plan.apart,
        {"engine/engine.py": "from lpad.simulator import card", "simulator/card.py": ""},
        "simulator stands apart and is not seen by engine",
    ),
    (
        plan.sight,
        {
            "engine/switch/verified_switch.py": "from lpad.engine.worker import presence",
            "engine/worker/presence.py": "",
        },
        "engine/switch does not see engine/worker",
    ),
    (
        plan.sight,
        {"card/link/link.py": "def f():\n    from lpad.card import probe", "card/probe.py": ""},
        "card/link/link.py:2 imports card/probe.py: card/link does not see card in the plan",
    ),
    (
        plan.sight,
        {"cli/commands/show.py": "from lpad.card import probe", "card/probe.py": ""},
        "cli/commands sees only base, client",
    ),
    (
        plan.indoors,
        {"api/app.py": "from lpad.engine.worker import worker", "engine/worker/worker.py": ""},
        "engine/worker is seen from within engine only",
    ),
    (
        plan.room_circles,
        {
            "card/at/a.py": "from lpad.card.link import b",
            "card/link/b.py": "from lpad.card.port import c",
            "card/port/c.py": "if TYPE_CHECKING:\n    from lpad.card.at import d",
            "card/at/d.py": "",
        },
        "card/link/b.py:1 imports card/port/c.py; card/port/c.py:2 imports card/at/d.py",
    ),
    (
        plan.room_circles,
        {
            "card/at/a.py": "def f():\n    import lpad.card.link.b",
            "card/link/b.py": "from lpad.card.at.c import C",
            "card/at/c.py": "",
        },
        "a circle: card/at/a.py:2 imports card/link/b.py; card/link/b.py:1 imports card/at/c.py",
    ),
    (
        plan.room_circles,
        {
            "engine/engine.py": "from lpad.engine.journal import j",
            "engine/journal/j.py": "import lpad.engine.door",
        }
        | {"engine/door.py": ""},
        "engine/engine.py:1 imports engine/journal/j.py; engine/journal/j.py:1 imports engine/door.py",
    ),
    (
        plan.module_circles,
        {"base/a.py": "from lpad.base.b import B", "base/b.py": "def f():\n    from lpad.base import a"},
        "a circle: base/a.py:1 imports base/b.py; base/b.py:2 imports base/a.py",
    ),
    (
        plan.module_circles,
        {
            "base/a.py": "from lpad.base.b import B",
            "base/b.py": "from lpad.base.c import C",
            "base/c.py": "if TYPE_CHECKING:\n    from lpad.base.a import A",
        },
        "base/b.py:1 imports base/c.py; base/c.py:2 imports base/a.py",
    ),
    (
        plan.module_circles,
        {
            "codec/a.py": "if TYPE_CHECKING:\n    from lpad.base.b import B",
            "base/b.py": "import lpad.codec.a",
        },
        "a circle: base/b.py:1 imports codec/a.py; codec/a.py:2 imports base/b.py",
    ),
    (
        plan.open_imports,
        {"base/a.py": "def f():\n    from . import b", "base/b.py": ""},
        "base/a.py:2: a relative import hides where it leads",
    ),
    (
        plan.open_imports,
        {"base/a.py": "import importlib\nEngine = importlib.import_module('lpad.engine.engine')"},
        "base/a.py:2: importlib.import_module hides what is imported",
    ),
    (plan.homes, {"engine/engine.py": "def f():\n    import yaml"}, "its home is card/quirks/quirk_files.py"),
    (plan.homes, {"engine/engine.py": "import serial.tools"}, "its home is card/port/serial_line.py"),
    (plan.homes, {"engine/engine.py": "import numpy"}, "the library has no home in the plan"),
    (plan.faces, {"engine/__init__.py": "X = 1"}, "engine/__init__.py is not empty"),
    (plan.crowded, {f"base/m{n}.py": "" for n in range(17)}, "base has 17 modules, 16 at most"),
]


@pytest.mark.parametrize(
    ("rule", "sources", "said"), BROKEN, ids=lambda value: getattr(value, "__name__", "")
)
def test_each_rule_can_fail(
    rule: Callable[[plan.House], Iterator[str]], sources: dict[str, str], said: str
) -> None:
    """Modules that break a rule are reported once, with a sentence that names the breach."""
    (breach,) = rule(plan.House(sources))
    assert said in breach


def test_files_in_the_root_that_are_not_python_are_read(tmp_path: Path) -> None:
    """Files in the package's root are reported, except for __init__.py and py.typed."""
    for name in ("__init__.py", "py.typed", "notes.md", "picture.png"):
        (tmp_path / name).write_bytes(b"" if name == "__init__.py" else b"\xff")
    assert [breach.split()[0] for breach in plan.empty_root(plan.House.at(tmp_path))] == [
        "notes.md",
        "picture.png",
    ]


def test_each_rule_is_shown_to_fail() -> None:
    """Each rule of the plan has an example in BROKEN."""
    assert {rule for rule, _, _ in BROKEN} == {*plan.RULES, *plan.BESIDE_RULES}


@pytest.mark.parametrize("room", sorted(plan.INDOORS))
def test_rooms_that_are_seen_from_within_their_floor_only(room: str) -> None:
    """An import of a room that only its floor may see is reported, wherever another floor has it."""
    for source in ("import {}", "def f():\n    import {}", "if TYPE_CHECKING:\n    import {}"):
        name = f"lpad.{room}.x".replace("/", ".")
        (breach,) = plan.indoors(plan.House({"daemon/d.py": source.format(name), f"{room}/x.py": ""}))
        assert f"{room} is seen from within" in breach


@pytest.mark.parametrize(("folder", "plan_of"), plan.APART.items())
def test_folders_on_no_floor_see_only_what_the_plan_names(
    folder: str, plan_of: tuple[frozenset[str], frozenset[str]]
) -> None:
    """A folder on no floor may import, and be imported by, only the folders that the plan names."""
    sees, seen_by = plan_of
    others = {*plan.FLOORS, *plan.APART} - {folder}
    refused = {
        other
        for other in others
        if [*plan.apart(plan.House({f"{folder}/a.py": f"import lpad.{other}.b", f"{other}/b.py": ""}))]
    }
    shut_out = {
        other
        for other in others
        if [*plan.apart(plan.House({f"{other}/b.py": f"import lpad.{folder}.a", f"{folder}/a.py": ""}))]
    }
    assert (refused, shut_out) == (others - sees, others - seen_by)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("engine/attic/test_worker.py", "there is no src/lpad/engine/attic"),
        ("engine/test_worker.py", "move it to tests/engine/worker/"),
        ("engine/worker/test_worker.py", None),
        ("engine/worker/test_two_cards.py", None),
        ("journeys/test_worker.py", None),
    ],
)
def test_a_test_out_of_place_is_reported(path: str, said: str | None) -> None:
    """A test with a module's name outside the module's folder is reported, except for journeys."""
    house = plan.House({"engine/worker/worker.py": ""})
    breaches = list(plan.mirrored(house, {path}))
    assert [said in breach for breach in breaches if said] == ([True] if said else [])
    assert bool(breaches) is (said is not None)
