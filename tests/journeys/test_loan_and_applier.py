"""A daemon that borrows its modem: data is connected once ModemManager has the modem back."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dbus.private_bus import private_bus
from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.base.identifiers import Iccid
from network.gateway_double import GatewayDouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIRST, SECOND = Iccid.parse("8900101000000000017"), Iccid.parse("8900101000000000025")
CONDITIONS = ["registered", "bearer", "address"]
APPLIERS: dict[str, tuple[dict[str, Any], Callable[[GatewayDouble], str]]] = {
    "networkmanager": ({}, GatewayDouble.apn),
    "modemmanager": ({"connect": True}, GatewayDouble.bearer_apn),
}


@contextmanager
def borrowing(applier: str) -> Iterator[tuple[Gateway, GatewayDouble, Callable[[], str]]]:
    """Yield a gateway that borrows its modem, the double of ModemManager, and a function for the APN."""
    more, apn = APPLIERS[applier]
    settings = {"network": {"applier": applier, **more}, "modem_manager": {"hold": 0.3}}
    with (
        tempfile.TemporaryDirectory() as folder,
        private_bus(Path(folder)) as address,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        gateway = Gateway(settings=settings)

        def read() -> str | None:
            iccid = gateway.card.enabled_iccid
            return None if iccid is None else str(iccid)

        port = str(gateway.folder / "port")
        with GatewayDouble(address, iccid=None, port=port, read_card=read) as double, gateway:
            gateway.ready()
            yield gateway, double, lambda: apn(double)


def _connected(double: GatewayDouble, apn: Callable[[], str], name: str) -> bool:
    """Return whether ModemManager has the modem, and the connection has this APN."""
    return not double.inhibited[-1] and apn() == name


@pytest.mark.parametrize("applier", APPLIERS)
def test_data_follows_the_card(applier: str) -> None:
    """Lpad returns the modem before the connection is made, and after a rollback the old APN is connected."""
    with borrowing(applier) as (gateway, double, apn):
        client = gateway.client
        for iccid, name in ((FIRST, "a.example"), (SECOND, "b.example")):
            gateway.install_profile(iccid=iccid)
            client.set_network(CARD, str(iccid), apn=name)
        for iccid, name in ((FIRST, "a.example"), (SECOND, "b.example")):
            before = double.index
            change = client.enable(CARD, str(iccid), guard=CONDITIONS, wait=PATIENCE).check()
            names = [each.name for each in change.steps]
            assert names.index("return-modem") < names.index("connect-network")
            assert change.result is not None
            assert "failures" not in change.result["network"]
            assert change.result["network"]["bearer"] == "up"
            assert double.index > before
            # Lpad borrows the modem once more for the card's notifications, which ends the connection.
            gateway.until(partial(_connected, double, apn, name))
        gateway.modem.register(str(FIRST), 3)
        change = client.enable(CARD, str(FIRST), guard=["registered"], within=3, wait=PATIENCE)
        assert change.error is not None
        assert change.error.kind == "switch-rolled-back"
        gateway.until(lambda: apn() == "b.example")


def test_a_lost_connection_is_not_a_dead_profile() -> None:
    """If ModemManager loses the connection without a cause while a guard waits, lpad restores it."""
    with borrowing("modemmanager") as (gateway, double, apn):
        gateway.install_profile(iccid=FIRST)
        gateway.client.set_network(CARD, str(FIRST), apn="a.example")
        double.loses = 2
        change = gateway.client.enable(CARD, str(FIRST), guard=CONDITIONS, within=120, wait=PATIENCE).check()
        assert double.loses == 0
        assert change.result is not None
        assert "failures" not in change.result["network"]
        gateway.until(partial(_connected, double, apn, "a.example"))


def test_a_restart_of_lpad_leaves_a_connection() -> None:
    """After a restart of lpad, which borrows the modem to read the card, ModemManager is connected again."""
    with borrowing("modemmanager") as (gateway, double, apn):
        gateway.install_profile(iccid=FIRST)
        gateway.client.set_network(CARD, str(FIRST), apn="a.example")
        gateway.client.enable(CARD, str(FIRST), guard=CONDITIONS, wait=PATIENCE).check()
        gateway.stop()
        before = double.index
        gateway.start()
        gateway.ready()
        gateway.until(lambda: double.index > before and apn() == "a.example")
