"""A stage for bench runs, shared by the tests of a file."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hil.simulated.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A stage with two readers and two modems."""
    folder = Path(
        tempfile.mkdtemp(prefix="lpad-stage-", dir="/tmp")
    )  # short, because the paths of ports and sockets begin with it
    try:
        with Stage(folder, cycles=1) as made:
            yield made
    finally:
        shutil.rmtree(folder)
