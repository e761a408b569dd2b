"""The commented example config/lpad.yaml is valid, and shows every key with its default."""

from __future__ import annotations

import re
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_origin

import msgspec
import pytest

from lpad.settings import Settings, SettingsFile
from lpad.settings.parsing.conversion import fields_below
from lpad.settings.parsing.section_base import Section
from lpad.settings.parsing.yaml_document import Document

if TYPE_CHECKING:
    from lpad.settings.parsing.mistakes import KeyPath

EXAMPLE = Path(__file__).parents[2] / "config" / "lpad.yaml"
TEXT = EXAMPLE.read_text(encoding="utf-8")
SHOWN = re.sub(r"^( *)# ( *(?:- )?[a-z0-9_.]+:(?: .*)?)$", r"\1\2", TEXT, flags=re.MULTILINE)
FIELDS = dict(fields_below(Settings))


def test_the_example_is_right() -> None:
    """The commented example is valid settings without a card."""
    assert SettingsFile.read(EXAMPLE).settings.euiccs == {}


def test_every_setting_of_the_example_is_accepted(tmp_path: Path) -> None:
    """The example stays valid if every commented setting is uncommented."""
    (tmp_path / "lpad.yaml").write_text(SHOWN, encoding="utf-8")
    settings = SettingsFile.read(tmp_path / "lpad.yaml").settings
    assert settings.trust.extra_ca_files == ["/etc/lpad/trust"]
    assert settings.remote.hosts == {"smdp.example.com": "127.0.0.1:8443"}
    assert settings.euiccs["modem"].device_capabilities["gsm"] == 13


def items(found: list[tuple[KeyPath, Any]]) -> list[tuple[KeyPath, Any]]:
    """Return the places and values with each list replaced by its items."""
    return [
        each
        for at, value in found
        for each in (
            [((*at, n), item) for n, item in enumerate(value)] if isinstance(value, list) else [(at, value)]
        )
    ]


def places(document: Document, path: str) -> list[tuple[KeyPath, Any]]:
    """Return all places and values of a key's path, in which NAME is any key."""
    found: list[tuple[KeyPath, Any]] = [((), document.value)]
    for key in path.split("."):
        found = [
            ((*at, name), value[name])
            for at, value in items(found)
            if isinstance(value, dict)
            for name in (value if key == "NAME" else {key} & value.keys())
        ]
    return found


def default_of(path: str) -> Any:
    """Return a key's default; below NAME or in a list, the default of an entry."""
    above = path.rpartition(".")[0]
    if "NAME" not in path and get_origin(FIELDS[above].type if above else None) is not list:
        return attrgetter(path)(Settings())
    field = FIELDS[path]
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


@pytest.mark.parametrize("path", FIELDS)
def test_every_key_is_shown_with_its_default(path: str) -> None:
    """Each key is shown with its default, or with a value that the comment above calls an example."""
    document = Document.parse(SHOWN.encode())
    shown = places(document, path)
    assert shown, f"config/lpad.yaml does not show '{path}'"
    default = default_of(path)
    if isinstance(default, Section) or any(isinstance(value, dict) for _, value in shown):
        return  # the keys of a section are checked one by one
    lines, commented = TEXT.splitlines(), SHOWN.splitlines()
    for at, value in shown:
        own = document.lines[at] - 1
        above = [lines[document.lines[at[:end]] - 2] for end in range(1, len(at) + 1)]
        if lines[own] == commented[own] or any(line.endswith("Example:") for line in above):
            continue
        assert value == msgspec.to_builtins(default), f"'{path}' has another default"
