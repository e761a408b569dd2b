"""Platform files: inheritance, and the errors for invalid files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.base.errors import InvalidSettings
from lpad.provisioning.declared.platform_file import read_declaration, shipped

if TYPE_CHECKING:
    from pathlib import Path


def test_the_shipped_files() -> None:
    """Each shipped platform file is valid; only those of yoni, things and desk have no address."""
    described = {name: read_declaration(path) for name, path in shipped().items()}
    assert {*described} == {"desk", "kore", "soracom", "telnyx", "things", "twilio", "yoni"}
    assert {name for name, each in described.items() if each.base is None} == {"desk", "things", "yoni"}
    assert all(each.base is None or each.base.startswith("https://") for each in described.values())


def test_a_file_inherits_a_shipped_description(tmp_path: Path) -> None:
    """`like` inherits a shipped file; the file's values replace inherited ones, and null removes them."""
    path = tmp_path / "mine.yaml"
    path.write_text("like: kore\nbase: https://kore.example.com\nheaders: {X-Owner: me}\nwords: null\n")
    mine, kore = read_declaration(path), read_declaration(shipped()["kore"])
    assert (mine.base, mine.words) == ("https://kore.example.com", [])
    assert mine.headers == {**kore.headers, "X-Owner": "me"}
    assert mine.calls == kore.calls


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("title: x\ncalls: {order: {get: /a, post: /b}}", "exactly one of"),
        ("title: x\ncalls: {order: {}}", "exactly one of"),
        ("title: x\ncalls: {order: {post: /a, form: {}, json: {}}}", "both 'form' and 'json'"),
        ("title: x\ncalls: {order: {post: /a, read: {flavour: x}}}", "flavour"),
        ("title: x\ncalls: {look: {get: /a, then: {get: /b, read: {x: x}}}}", "does not know"),
        ("title: x\ncalls: {find: {get: /a, next_header: x}}", "next_query"),
        ("title: x\ncalls: {}\nprofile: {a: ready}", "ready"),
        ("title: x\ncalls: {}\ncolour: red", "colour"),
        ("calls: {}", "title"),
        ("like: nothing", "cannot read"),
        ("like: mine.yaml", "inherit"),
        ("a: &a [*a]", "keys and values|not YAML|title"),
        ("[", "not YAML"),
        ("- 1", "keys and values"),
        ("x: !!python/object/apply:os.system ['true']", "not YAML"),
    ],
)
def test_invalid_files_are_refused_with_the_reason(tmp_path: Path, text: str, told: str) -> None:
    """An invalid platform file raises InvalidSettings with the reason."""
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InvalidSettings, match=told):
        read_declaration(path)


def test_a_platforms_calls_determine_its_actions_for_lines() -> None:
    """The calls in a platform file determine the actions for a profile's line."""
    can = {}
    for name, path in shipped().items():
        read = read_declaration(path)
        can[name] = {str(action) for action in read.can.capabilities(read.calls).lines}
    assert can["desk"] == can["things"] == {"show", "activate", "suspend", "retire"}
    assert can["kore"] == can["twilio"] == can["telnyx"] == {"show", "activate", "suspend"}
    assert can["soracom"] == can["yoni"] == set()
