"""A simulated platform in front of a folder of orders, and a client of lpad's for the platform."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from provisioning.bench import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki


@pytest.fixture
def bench(pki: Pki, tmp_path: Path) -> Iterator[Bench]:
    """A bench for one test, after which its started platforms are stopped."""
    with ExitStack() as stack:
        yield Bench(pki, tmp_path, stack)
