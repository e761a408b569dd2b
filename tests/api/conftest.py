"""A gateway for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.gateway import Gateway
from engine.lab import CARD, Lab
from lpad.engine.snapshot.snapshot import CardState

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def gateway(lab: Lab) -> Iterator[Gateway]:
    with Gateway(lab) as made:
        lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
        yield made
