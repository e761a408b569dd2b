"""A gateway for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.gateway import Gateway
from engine.lab import CARD, Lab
from lpad.engine.snapshot import CardState
from lpad.simulator.pki import Pki

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki.open(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def lab(tmp_path: Path, pki: Pki) -> Iterator[Lab]:
    with Lab(tmp_path, pki) as made:
        yield made


@pytest.fixture
def gateway(lab: Lab) -> Iterator[Gateway]:
    with Gateway(lab) as made:
        lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
        yield made
