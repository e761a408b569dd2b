"""Fixtures for the tests of appliers that use D-Bus."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dbus.private_bus import private_bus
from network.applier_contract import OLD
from network.gateway_double import GatewayDouble

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a private system bus."""
    with tempfile.TemporaryDirectory() as folder, private_bus(Path(folder)) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield address


@pytest.fixture
def gateway(address: str) -> Iterator[GatewayDouble]:
    """Doubles of NetworkManager and ModemManager, with a modem whose card has the old profile enabled."""
    with GatewayDouble(address, iccid=OLD) as made:
        yield made
