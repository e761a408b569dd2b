"""Regular expressions that are compiled when they are first used."""

from __future__ import annotations

import pkgutil
import re
import sys
from importlib import import_module

import lpad
from lpad.base.lazy_pattern import LazyPattern

APART = ("lpad.cli", "lpad.mqtt", "lpad.simulator", "lpad.testing")
"""Modules that are programs of their own, some of which need extras."""


def test_each_method_is_that_of_the_compiled_pattern() -> None:
    """A lazy pattern has each method of a compiled one, so code that uses it needs no change."""
    lazy, compiled = LazyPattern("([a-z])[0-9]", re.IGNORECASE), re.compile("([a-z])[0-9]", re.IGNORECASE)
    for text in ("", "A1", "A1b2", "-A1"):
        assert str(lazy.fullmatch(text)) == str(compiled.fullmatch(text))
        assert str(lazy.match(text)) == str(compiled.match(text))
        assert str(lazy.search(text)) == str(compiled.search(text))
        assert list(map(str, lazy.finditer(text))) == list(map(str, compiled.finditer(text)))
        assert lazy.findall(text) == compiled.findall(text)
        assert lazy.split(text) == compiled.split(text)
        assert lazy.sub("-", text) == compiled.sub("-", text)
    assert lazy.pattern == compiled.pattern


def test_each_pattern_can_be_compiled() -> None:
    """Every lazy pattern can be compiled; a mistake would otherwise show only at its first use."""
    for found in pkgutil.walk_packages(lpad.__path__, "lpad."):
        if not found.name.startswith(APART):
            import_module(found.name)
    modules = [module for name, module in sys.modules.items() if name.startswith("lpad.")]
    constants = [each for module in modules for each in vars(module).values()]
    patterns = [each for each in constants if isinstance(each, LazyPattern)]
    assert all(each.compiled.pattern == each.pattern for each in patterns)
    assert len(patterns) > 50
