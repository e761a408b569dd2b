"""Gateways for journeys: one shared by a file's tests, or one for a single test."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from journeys.gateway import Gateway
from lpad.base.identifiers import Iccid
from lpad.simulator.profile_package.made_up_profile import made_up_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    """One gateway for a file; each test must leave the gateway usable."""
    with Gateway() as running:
        running.ready()
        yield running


@pytest.fixture
def own_gateway() -> Iterator[Gateway]:
    """A gateway for a single test, which may kill and break it."""
    with Gateway() as running:
        running.ready()
        yield running


@pytest.fixture
def profile() -> Callable[[], bytes]:
    """Return a function that makes up a small profile with a new ICCID at each call."""
    return lambda: made_up_profile(Iccid.parse(f"89440000000000{next(_numbers):06}"), size=3000)
