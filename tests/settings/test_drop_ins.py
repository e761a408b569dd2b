"""Drop-ins: files that override single values of the settings, merged in the order of their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.base.errors import InvalidSettings
from lpad.settings import SettingsFile
from lpad.settings.file import MOST_DROP_INS, origins
from lpad.settings.machine_check import notes

if TYPE_CHECKING:
    from pathlib import Path

MAIN = """\
euiccs:
  modem:
    port: /dev/ttyUSB2
    provision: on_empty
policy:
  servers: [a.example.com, b.example.com]
answer_within: 60
"""


def read(folder: Path, **drop_ins: str) -> SettingsFile:
    path = folder / "lpad.yaml"
    path.write_text(MAIN, encoding="utf-8")
    (folder / "lpad.yaml.d").mkdir(exist_ok=True)
    for name, text in drop_ins.items():
        (folder / "lpad.yaml.d" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return SettingsFile.read(path)


def test_later_files_change_single_values(tmp_path: Path) -> None:
    """Drop-ins are merged key by key, the last file by name wins, and a list is replaced as a whole."""
    settings = read(
        tmp_path,
        b20="euiccs: {modem: {port: /dev/ttyUSB7}}\npolicy: {servers: [c.example.com]}",
        b10="euiccs: {modem: {port: /dev/ttyUSB5}, reader: {reader: X}}\nanswer_within: 90",
    ).settings
    assert settings.euiccs["modem"].port == "/dev/ttyUSB7"
    assert settings.euiccs["modem"].provision == "on_empty"
    assert settings.euiccs["reader"].reader == "X"
    assert settings.policy.servers == ["c.example.com"]
    assert settings.answer_within == 90


def test_a_drop_in_can_return_to_the_default(tmp_path: Path) -> None:
    """A key without a value in a drop-in restores the key's default."""
    assert read(tmp_path, a="euiccs:\n").settings.euiccs == {}


def test_empty_and_other_files_change_nothing(tmp_path: Path) -> None:
    """Empty drop-ins, files with another suffix and hidden files change nothing."""
    (tmp_path / "lpad.yaml.d").mkdir()
    for name in (".a.yaml", "a.yaml~", "README", "a.yml"):
        (tmp_path / "lpad.yaml.d" / name).write_text("soket: x", encoding="utf-8")
    assert read(tmp_path, a="# nothing\n").settings.answer_within == 60


def test_a_mistake_names_its_own_file(tmp_path: Path) -> None:
    """The mistakes of all drop-ins are reported together, each with its file and its line."""
    with pytest.raises(InvalidSettings) as refused:
        read(tmp_path, a="answer_within: 90\nsoket: x", b="policy: {servers: 7}", c="[1]", d="a: [")
    told = str(refused.value)
    assert f"{tmp_path}/lpad.yaml.d/a.yaml:2: 'soket'" in told
    assert f"{tmp_path}/lpad.yaml.d/b.yaml:1: 'policy.servers'" in told
    assert f"{tmp_path}/lpad.yaml.d/c.yaml:1: the file must contain keys and values" in told
    assert f"{tmp_path}/lpad.yaml.d/d.yaml:1: not YAML" in told
    assert f"{tmp_path}/lpad.yaml:" not in told


def test_a_mistake_between_two_files(tmp_path: Path) -> None:
    """Values that are valid in each file but not together are refused."""
    with pytest.raises(InvalidSettings, match=r"lpad\.yaml\.d/a\.yaml:1: .*port"):
        read(tmp_path, a="euiccs: {other: {port: /dev/ttyUSB2}}")


def test_a_drop_in_that_cannot_be_read(tmp_path: Path) -> None:
    """A drop-in that cannot be read is an error with its name."""
    (tmp_path / "lpad.yaml.d" / "a.yaml").mkdir(parents=True)
    with pytest.raises(InvalidSettings, match=r"lpad\.yaml\.d/a\.yaml"):
        read(tmp_path)


def test_too_many_drop_ins(tmp_path: Path) -> None:
    """More than MOST_DROP_INS drop-ins are refused."""
    with pytest.raises(InvalidSettings, match=f"at most {MOST_DROP_INS}"):
        read(tmp_path, **{f"n{number}": "" for number in range(MOST_DROP_INS + 1)})


def test_where_each_value_comes_from(tmp_path: Path) -> None:
    """`origins` gives the file and line of each value, and of the value it replaces, but no values."""
    file = read(tmp_path, a="answer_within: 90\neuiccs: {modem: {port: /dev/secret}}")
    found = dict(origins(file))
    main, own = tmp_path / "lpad.yaml", tmp_path / "lpad.yaml.d" / "a.yaml"
    assert found["answer_within"] == f"{own}:1, instead of {main}:7"
    assert found["euiccs.modem.port"] == f"{own}:2, instead of {main}:3"
    assert found["euiccs.modem.provision"] == f"{main}:4"
    assert found["policy.servers"] == f"{main}:6"
    assert len(found) == 4
    assert "secret" not in str(found)


def test_a_note_names_its_own_file(tmp_path: Path) -> None:
    """The note about a missing port names the drop-in that contains it."""
    file = read(tmp_path, a="euiccs: {modem: {port: /dev/nothing}}")
    (note,) = [each for each in notes(file) if "/dev/nothing" in str(each)]
    assert (note.file, note.line) == (tmp_path / "lpad.yaml.d" / "a.yaml", 1)


def test_the_main_file_keeps_its_own_lines(tmp_path: Path) -> None:
    """`lines` gives the lines of the main file's own keys, whatever the drop-ins replace."""
    file = read(tmp_path, a="euiccs: {modem: {port: /dev/ttyUSB5}, other: {port: x}}\n")
    assert file.lines["euiccs", "modem", "port"] == 3
    assert ("euiccs", "other") not in file.lines
