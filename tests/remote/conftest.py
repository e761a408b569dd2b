"""Fixtures for scripted servers on loopback, with certificates of the tests' PKI."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from lpad.remote.trust.trust_anchors import Trust
from lpad.simulator.pki.credential import Curve
from remote.bench import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki


@pytest.fixture
def trust(pki: Pki) -> Trust:
    """Trust in the CIs of the tests' PKI only."""
    return Trust([pki.ci[curve].der for curve in Curve], use_system_roots=False)


@pytest.fixture
def bench(pki: Pki, trust: Trust, tmp_path: Path) -> Iterator[Bench]:
    """A bench for one test, after which its clients are closed and its servers are stopped."""
    with ExitStack() as stack:
        yield Bench(pki, trust, tmp_path, stack)
