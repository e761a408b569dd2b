"""A new simulated card and SM-DP+ for each test, with certificates of the same PKI."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from lpa.bench import Bench
from lpad.remote.trust.trust_anchors import Trust
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.pki.credential import Curve
from lpad.simulator.smdp.server import SmDp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import Any

    from lpad.simulator.pki.pki import Pki

    MakeBench = Callable[..., AbstractContextManager[Bench]]


@pytest.fixture
def make_bench(pki: Pki, tmp_path: Path) -> MakeBench:
    """A function that makes a bench, possibly with an unusual card or server."""

    @contextmanager
    def make(*, behaviour: Any = None, infrastructure: Pki | None = None, **server: Any) -> Iterator[Bench]:
        used = infrastructure or pki
        trust = Trust([ci.der for ci in used.ci.values()], use_system_roots=False)
        with (
            SoftCard(tmp_path / "card", pki=used, behaviour=behaviour) as card,
            SmDp(tmp_path / "smdp", pki=used, **server) as smdp,
        ):
            yield Bench(card, smdp, trust)

    return make


@pytest.fixture
def bench(make_bench: MakeBench) -> Iterator[Bench]:
    """A bench with a standard card and server."""
    with make_bench() as made:
        yield made


@pytest.fixture(params=list(Curve), ids=lambda curve: curve.name.lower())
def curve(request: pytest.FixtureRequest) -> Curve:
    """Each curve of SGP.22."""
    chosen: Curve = request.param
    return chosen
