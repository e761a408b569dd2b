"""A lab for each test; the public-key infrastructure is made once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.lab import Lab
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
