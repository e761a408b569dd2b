"""lpad's pytest plugin: a gateway without hardware, for testing programs against lpad.

pytest loads this file wherever lpad is installed, so other modules are imported only when a fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.client import Client
    from lpad.simulator.euicc.card import SoftCard
    from lpad.simulator.modem.pty_modem import PtyModem
    from lpad.simulator.smdp.server import SmDp
    from lpad.testing.simulated_gateway import Gateway

_MARKER = (
    "lpad(personality=None, settings=None, euicc=None): the modem of this test's gateway, and the differences"
    " of its settings and its card from the defaults"
)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker `lpad`."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def lpad_gateway(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    """A running daemon with a ready card, its modem, and an SM-DP+, for one test."""
    from lpad.cli.optional_dependencies import lacking  # noqa: PLC0415 - pytest loads this module in each run

    if (sentence := lacking("sim")) is not None:
        pytest.fail(sentence, pytrace=False)
    from lpad.testing.simulated_gateway import Gateway  # noqa: PLC0415 - pytest loads this module in each run

    with Gateway(**_differences(request)) as gateway:
        gateway.ready()
        yield gateway


@pytest.fixture
def lpad_socket(lpad_gateway: Gateway) -> str:
    """Path of the daemon's Unix socket, for the program under test."""
    return str(lpad_gateway.socket)


@pytest.fixture
def lpad_client(lpad_gateway: Gateway) -> Client:
    """A client of the daemon."""
    return lpad_gateway.client


@pytest.fixture
def lpad_card(lpad_gateway: Gateway) -> SoftCard:
    """The simulated card, for inspection without the daemon."""
    return lpad_gateway.card


@pytest.fixture
def lpad_modem(lpad_gateway: Gateway) -> PtyModem:
    """The simulated modem, whose port can disappear and which can refuse commands."""
    return lpad_gateway.modem


@pytest.fixture
def lpad_smdp(lpad_gateway: Gateway) -> SmDp:
    """The simulated SM-DP+: its orders, its faults, and the notifications that it received."""
    return lpad_gateway.server


def _differences(request: pytest.FixtureRequest) -> dict[str, Any]:
    marker = request.node.get_closest_marker("lpad")
    said: dict[str, Any] = dict(marker.kwargs) if marker is not None else {}
    unknown = said.keys() - {"personality", "settings", "euicc"}
    if unknown or (marker is not None and marker.args):
        raise pytest.UsageError(f"{request.node.nodeid}: the marker is {_MARKER.partition(':')[0]}")
    name = said.pop("personality", None)
    if name is not None:
        from lpad.simulator.personalities import find_personality  # noqa: PLC0415 - pytest loads this module in each run

        found = find_personality(name)
        said |= {"personality": found.modem, "behaviour": found.card}
    return said
