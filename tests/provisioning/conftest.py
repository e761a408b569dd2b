"""A bench with simulated platforms and lpad's clients for them."""

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
    """A bench for one test, after which its clients are closed and its platforms are stopped."""
    with ExitStack() as stack:
        yield Bench(pki, tmp_path, stack)
