"""All mistakes in a settings file are reported at the same time, each with its line and its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.base.errors import InvalidSettings
from lpad.settings import SettingsFile
from lpad.settings.parsing.yaml_document import LARGEST

if TYPE_CHECKING:
    from pathlib import Path

MANY = """\
euiccs:
  modem:
    port: /dev/ttyUSB2
    baud: fast
    imei: 352906110123454
  Modem 2: {prt: /dev/ttyUSB3, block_size: 300}
  spare:
    reader: -1
soket: /run/x
log: {level: loud, redact: maybe}
deadlines:
  read: .nan
  open: .inf
  read: 5
access:
  admin: [root]
trust: {extra_ca_files: [a, 5]}
"""


def told(folder: Path, content: str | bytes) -> list[str]:
    path = folder / "lpad.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(InvalidSettings) as caught:
        SettingsFile.read(path)
    lines = caught.value.sentence.splitlines()
    assert caught.value.details["mistakes"] == len(lines)
    return [line.removeprefix(f"{path}:") for line in lines]


def test_all_mistakes_are_reported_together(tmp_path: Path) -> None:
    """Wrong types, unknown keys, impossible values and keys given twice are in one error, in order."""
    assert [line[: line.index("': ") + 1] for line in told(tmp_path, MANY)] == [
        "4: 'euiccs.modem.baud'",
        "5: 'euiccs.modem.imei'",
        "6: 'euiccs.Modem 2.block_size'",
        "6: 'euiccs.Modem 2.prt'",
        "6: 'euiccs.Modem 2'",
        "8: 'euiccs.spare.reader'",
        "9: 'soket'",
        "10: 'log.level'",
        "10: 'log.redact'",
        "12: 'deadlines.read'",
        "13: 'deadlines.open'",
        "14: 'deadlines.read'",
        "16: 'access.admin'",
        "17: 'trust.extra_ca_files[1]'",
    ]


def test_a_missing_key_has_its_parents_line(tmp_path: Path) -> None:
    """If a key is missing, the reported line is that of the mapping that lacks the key."""
    assert told(tmp_path, "socket: x\neuiccs:\n  a:\n    baud: 9600\n") == [
        "3: 'euiccs.a.port': missing; for a card in a PC/SC reader, give 'reader' instead"
    ]


def test_no_yaml_has_a_line(tmp_path: Path) -> None:
    """For a file that is not YAML, the error has the line at which the parser stopped."""
    assert told(tmp_path, "socket: x\nlog: [a\n")[0].startswith("3: not YAML: ")
    assert told(tmp_path, "socket: x\n\tlog: a\n")[0].startswith("2: not YAML: ")


def test_other_encodings_have_a_line(tmp_path: Path) -> None:
    """The error has the line of the first byte that is not UTF-8, or of a forbidden character."""
    assert told(tmp_path, b"socket: x\n\n# \xe4\n") == ["3: not UTF-8 text; save the file in that encoding"]
    assert told(tmp_path, "socket: x\n# \x07\n") == ["2: not YAML: the character U+0007 is not allowed"]


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {k: v}\n" + "".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{before}'] * 9)}]}}\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [BOMB, MERGES, "a: &a [*a]", "a: &a {b: *a}", "a: &a {<<: *a}"],
    ids=["aliases", "merges", "itself in a list", "itself in a mapping", "itself merged"],
)
def test_alias_bombs_are_bounded(tmp_path: Path, text: str) -> None:
    """Aliases that would expand to gigabytes, or endlessly, are refused."""
    assert "aliases (*name) expand to more than settings may contain" in told(tmp_path, text)[0]


def test_deep_nesting_is_bounded(tmp_path: Path) -> None:
    """Settings that are nested too deeply are refused."""
    assert "too deeply" in told(tmp_path, "[" * 5000)[0]


def test_large_files_are_bounded(tmp_path: Path) -> None:
    """A settings file larger than 1 MiB is refused."""
    assert "larger than 1 MiB" in told(tmp_path, b"#" * (LARGEST + 1))[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("socket: 2026-99-99", "1: 'socket': '2026-99-99' cannot be read"),
        ("answer_within: " + "1" * 5000, "1: 'answer_within': '1111"),
        ("answer_within: 1e999", "1: 'answer_within': "),
        ("log: !!python/name:os.system x", "1: 'log': the YAML tag"),
        ("? [a, b]\n: c", "1: '?': a key must be a single word"),
        ('socket: "a\\0b"', "1: 'socket': control characters"),
        ("socket: ''", "1: 'socket': expected text of length >= 1"),
        ("socket: ~no-such-user/x", "1: 'socket': "),
        ("socket: " + "x" * 200, "1: 'socket': the path of a socket must have at most 107 bytes"),
        ("access: {switch: {users: [-1]}}", "1: 'access.switch.users[0]'"),
        ("log: no", "1: 'log': expected one of error, warning"),
        (
            "euiccs: {modem: {port: x, switching: {protected: [89441000000000000001]}}}",
            "1: 'euiccs.modem.switching.protected[0]': the number is too large; put it in quotes",
        ),
    ],
)
def test_traps_of_yaml(tmp_path: Path, text: str, expected: str) -> None:
    """A value that YAML converts or cannot convert is reported like any other mistake."""
    assert told(tmp_path, text)[0].startswith(expected)


def test_keys_keep_their_text(tmp_path: Path) -> None:
    """A card named `no` or `1` keeps its name, although YAML 1.1 gives these words other types."""
    path = tmp_path / "lpad.yaml"
    path.write_text("euiccs: {no: {port: x}, 1: {port: y}}")
    assert list(SettingsFile.read(path).settings.euiccs) == ["no", "1"]


def test_cards_may_share_settings_by_a_merge_key(tmp_path: Path) -> None:
    """Similar cards may share their settings with YAML's `<<`, and add their own."""
    path = tmp_path / "lpad.yaml"
    path.write_text("euiccs:\n  a: &a {port: x, baud: 9600}\n  b: {<<: *a, port: y}\n")
    euiccs = SettingsFile.read(path).settings.euiccs
    assert (euiccs["b"].port, euiccs["b"].baud) == ("y", 9600)


@pytest.mark.parametrize("opening", ["[", "{", "{a: [", "- ["])
def test_endless_nesting_is_refused_immediately(tmp_path: Path, opening: str) -> None:
    """Thousands of open brackets are refused as nested too deeply."""
    (tmp_path / "lpad.yaml").write_text(opening * 20_000, encoding="utf-8")
    with pytest.raises(InvalidSettings, match="nested too deeply"):
        SettingsFile.read(tmp_path / "lpad.yaml")
