"""Templates of a platform file: texts with placeholders, without expressions."""

from __future__ import annotations

import pytest

from lpad.provisioning.declared.template import Missing, filled, filled_path, filled_tree, mistakes


def test_placeholders_are_filled() -> None:
    """Placeholders are filled, optional ones may be missing, and values are not expanded again."""
    assert filled("a {eid} b {option.x?}", {"eid": "{id}", "id": "9"}) == "a {id} b "
    assert filled("{option.email?}", {}) is None
    with pytest.raises(Missing, match="--option fleet=VALUE"):
        filled("{option.fleet}", {})


def test_a_value_adds_nothing_to_a_path() -> None:
    """A value adds no segment, query or fragment to a path."""
    assert filled_path("/v1/things/{id}/x", {"id": "../a?b#c d"}) == "/v1/things/..%2Fa%3Fb%23c%20d/x"


def test_json_keeps_its_types() -> None:
    """In a JSON template, types are kept, and optional members without a value are left out."""
    tree = {"a": "{eid}", "b": "{option.b?}", "c": ["{option.c?}", 1], "d": {"e": True}}
    assert filled_tree(tree, {"eid": "8"}) == {"a": "8", "c": [1], "d": {"e": True}}


@pytest.mark.parametrize("template", ["{nothing}", "{eid", "eid}", "{eid|upper}", "{__class__}", "{option.}"])
def test_unknown_placeholders_are_found(template: str) -> None:
    """Unknown placeholders and stray braces in a template are mistakes."""
    assert mistakes(template)


@pytest.mark.parametrize("template", ["", "plain", "{eid}{reference?}", "{credential.key}&{now_ms}&{path}"])
def test_a_usable_template_has_no_mistakes(template: str) -> None:
    """A template that can be filled has no mistakes."""
    assert mistakes(template) == []
