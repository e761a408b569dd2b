"""A daemon that borrows its modem from ModemManager."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from card.modem_manager_double import NAME, UID, ModemManagerDouble
from dbus.private_bus import private_bus
from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.base.identifiers import ISD_R
from lpad.card.link.isdr_aids import ESTK_SE0

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HANDED_BACK = [f"lifted {UID}", f"took {UID}"]


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a private system bus."""
    with tempfile.TemporaryDirectory() as folder, private_bus(Path(folder)) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield address


def gateway_with(**modem_manager: Any) -> Gateway:
    return Gateway(settings={"modem_manager": modem_manager})


def manager_of(gateway: Gateway, bus: str, **options: Any) -> ModemManagerDouble:
    return ModemManagerDouble(bus, {UID: str(gateway.folder / "port")}, **options)


def test_borrowed_for_each_piece_of_work(bus: str, profile: Callable[[], bytes]) -> None:
    """ModemManager has the modem while lpad is idle, and lpad borrows it once for a whole download."""
    gateway = gateway_with(hold=0.3)
    with manager_of(gateway, bus) as manager, gateway:
        gateway.ready()
        assert manager.wait_for("took") == [f"inhibited {UID}", *HANDED_BACK]
        change = gateway.download(gateway.order(profile()), enable=True)
        assert change.check().state == "done"
        assert manager.wait_for("took") == [f"inhibited {UID}", *HANDED_BACK]
        assert gateway.client.euicc(CARD).state == "ready"


def test_handed_back_when_killed(bus: str) -> None:
    """If the daemon is killed, ModemManager has the modem until the restarted daemon borrows it."""
    gateway = gateway_with(hold=3600)
    with manager_of(gateway, bus) as manager, gateway:
        gateway.ready()
        manager.wait_for("inhibited")
        gateway.kill()
        assert manager.wait_for("took") == HANDED_BACK
        gateway.start()
        gateway.ready()
        manager.wait_for("inhibited")


def test_handed_back_when_stopped(bus: str) -> None:
    """A daemon that is stopped leaves the modem to ModemManager."""
    gateway = gateway_with(hold=3600)
    with manager_of(gateway, bus) as manager, gateway:
        gateway.ready()
        manager.wait_for("inhibited")
        gateway.stop()
        assert manager.wait_for("took") == HANDED_BACK


@pytest.mark.parametrize("inhibit", ["auto", "never"])
def test_a_modem_that_modemmanager_keeps_is_absent(bus: str, inhibit: str) -> None:
    """If ModemManager does not lend the modem, the error gives the remedy (meta-balena#3277)."""
    gateway = gateway_with(inhibit=inhibit)
    refusal = (f"{NAME}.Error.Core.Unauthorized", "PolicyKit authorization failed")
    with manager_of(gateway, bus, refusal=refusal), gateway:
        change = gateway.client.refresh(CARD, wait=PATIENCE)
        assert change.error is not None
        assert change.error.kind == "card-busy"
        assert "ID_MM_PORT_IGNORE" in change.error.sentence
        assert ("polkit" if inhibit == "auto" else "modem_manager.inhibit") in change.error.sentence
        assert gateway.client.euicc(CARD).state == "absent"


def test_two_euiccs_on_one_port(bus: str) -> None:
    """A port that two eUICCs share is handed back once both are idle."""
    settings: dict[str, Any] = {"modem_manager": {"hold": 0.3}}
    gateway = Gateway(settings=settings)
    port = {"port": str(gateway.folder / "port")}
    settings["euiccs"] = {
        CARD: port | {"aid": str(ISD_R)},
        "other": port | {"aid": str(ESTK_SE0)},
    }
    with manager_of(gateway, bus) as manager, gateway:
        gateway.ready()
        manager.wait_for("took")
        for name in (CARD, "other"):
            gateway.client.refresh(name, wait=PATIENCE)
        manager.wait_for("took")
