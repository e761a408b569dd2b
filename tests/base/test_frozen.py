"""Types with frozen fields."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar

import pytest

import lpad
from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

APART = ("lpad.cli", "lpad.mqtt", "lpad.simulator", "lpad.testing")
"""Modules that are programs of their own, some of which need extras."""


class Account(Frozen, kw_only=True):
    """A type with a secret."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"password"})
    name: str
    password: str = ""


def types_below(type_: type[Frozen]) -> Iterator[type[Frozen]]:
    """Yield all types derived from a type."""
    for each in type_.__subclasses__():
        yield each
        yield from types_below(each)


def test_a_hidden_field_is_not_shown() -> None:
    """`repr` omits a hidden field, which a log line or an error might otherwise contain."""
    account = Account(name="ada", password="sesame")
    assert repr(account) == "Account(name='ada')"
    assert account == Account(name="ada", password="sesame") != Account(name="ada")


def test_a_field_never_changes() -> None:
    """A field of a frozen type cannot be changed, so two threads may share the value."""
    account = Account(name="ada")
    with pytest.raises(AttributeError):
        account.name = "bob"  # type: ignore[misc]  # what the test is about
    assert hash(account) == hash(Account(name="ada"))


def test_each_hidden_name_is_a_field() -> None:
    """Each name in HIDDEN is a field, because a renamed field would otherwise be shown."""
    for found in pkgutil.walk_packages(lpad.__path__, "lpad."):
        if not found.name.startswith(APART):
            import_module(found.name)
    wrong = {
        each.__qualname__: names
        for each in types_below(Frozen)
        if (names := each.HIDDEN - set(each.__struct_fields__))
    }
    assert wrong == {}
    assert sum(bool(each.HIDDEN) for each in types_below(Frozen)) > 20
