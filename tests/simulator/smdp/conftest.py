"""Fixtures: a running server, a card of the same PKI, and a visit of the card at the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.base.identifiers import Iccid
from lpad.simulator.profile_package.made_up_profile import made_up_profile
from lpad.simulator.smdp.server import SmDp
from simulator.smdp.bench import Connection, TestCard, Visit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki


@pytest.fixture(scope="session")
def profile() -> bytes:
    """A small profile package."""
    return made_up_profile(Iccid.parse("8949000000000000015"), size=3000)


@pytest.fixture
def smdp(pki: Pki, tmp_path: Path) -> Iterator[SmDp]:
    """A running SM-DP+ on a free port."""
    with SmDp(tmp_path / "smdp", pki=pki) as server:
        yield server


@pytest.fixture
def card(pki: Pki) -> TestCard:
    """A card with certificates on P-256."""
    return TestCard.of(pki)


@pytest.fixture
def connection(smdp: SmDp, pki: Pki) -> Iterator[Connection]:
    """A connection to the server, which is closed after the test."""
    opened = Connection(smdp, pki)
    yield opened
    opened.close()


@pytest.fixture
def visit(smdp: SmDp, card: TestCard, connection: Connection) -> Visit:
    """A visit of the card at the server."""
    return Visit(smdp, card, connection)
